//! What a network is trained towards: eq. (10) of the paper, for all levels of the bucket at once.

use fogbit_policy::cascade::DqnShape;

use super::stream::Outcome;

/// Computes targets for networks of one shape.
#[derive(Debug, Clone)]
pub struct Targets {
    shape: DqnShape,
    discount: f32,
    /// The discounted value of each level from N on when the next image comes.
    values: Vec<f32>,
}

impl Targets {
    /// For networks of `shape`, the next image weighing `discount`.
    pub fn new(shape: DqnShape, discount: f64) -> Targets {
        Targets { shape, discount: discount as f32, values: vec![0.0; shape.keeps()] }
    }

    /// The targets of one segment, of what the target network says after it:
    /// `Q+(n, a) = a R + g max over a' of Q(n', a')`, `n' = min(M, n - P a + N I)`.
    pub fn fill(&mut self, outcome: &Outcome, after: &[f32], targets: &mut [f32]) {
        let Targets { shape, discount, values } = self;
        let (keeps, sends) = after.split_at(shape.keeps());
        // Sending is possible at the upper levels.
        let without = keeps.len() - sends.len();
        for (value, keep) in values.iter_mut().zip(keeps) {
            *value = *discount * keep;
        }
        for (value, send) in values[without..].iter_mut().zip(sends) {
            *value = value.max(*discount * send);
        }
        let refill = shape.bucket().refill as usize;
        let (keeps, sends) = targets.split_at_mut(shape.keeps());
        // The first is level N: kept it is N + N I, which is place N I from N on.
        later(values, refill * outcome.gap as usize, 0.0, keeps);
        // The first is level P: sent it is N I, which is place N (I - 1).
        later(values, refill * (outcome.gap as usize - 1), outcome.reward, sends);
    }
}

/// `targets[i] = reward + values[min(i + first, last)]`.
fn later(values: &[f32], first: usize, reward: f32, targets: &mut [f32]) {
    let last = values.len() - 1;
    let below = last.saturating_sub(first).min(targets.len());
    let (low, full) = targets.split_at_mut(below);
    if below > 0 {
        for (target, value) in low.iter_mut().zip(&values[first..]) {
            *target = reward + value;
        }
    }
    full.fill(reward + values[last]);
}

/// Sums that run side by side.
const LANES: usize = 8;

/// Takes the mean of `values` away from each. It is summed in eight lanes, value i in lane i mod 8.
///
/// Values of states grow as 1 / (1 - g); only their differences decide.
pub fn centre(values: &mut [f32]) {
    let mut lanes = [0f64; LANES];
    let (eights, rest) = values.as_chunks::<LANES>();
    for eight in eights {
        for (lane, value) in lanes.iter_mut().zip(eight) {
            *lane += f64::from(*value);
        }
    }
    for (lane, value) in lanes.iter_mut().zip(rest) {
        *lane += f64::from(*value);
    }
    let mean = (lanes.iter().sum::<f64>() / values.len() as f64) as f32;
    for value in values {
        *value -= mean;
    }
}

#[cfg(test)]
mod tests {
    use fogbit_scenario::cascade::{ArrivalProcess, TokenBucket};

    use super::*;

    /// Level by level, as the paper writes it.
    fn plainly(shape: &DqnShape, outcome: &Outcome, after: &[f32], discount: f64) -> Vec<f64> {
        let bucket = shape.bucket();
        let value = |level: u32| {
            let keep = f64::from(after[(level - bucket.refill) as usize]);
            match level.checked_sub(bucket.price) {
                Some(place) => keep.max(f64::from(after[shape.keeps() + place as usize])),
                None => keep,
            }
        };
        let next = |level, sent| discount * value(bucket.later(level, sent, outcome.gap).0);
        let keeps = (bucket.refill..=bucket.depth).map(|level| next(level, false));
        let sends = (bucket.price..=bucket.depth)
            .map(|level| f64::from(outcome.reward) + next(level, true));
        keeps.chain(sends).collect()
    }

    #[test]
    fn targets_are_those_of_every_level() {
        for (refill, price, depth) in [(1, 10, 40), (1, 1, 1), (3, 10, 25), (2, 5, 5), (7, 7, 9)] {
            let bucket = TokenBucket { refill, price, depth };
            let arrivals = ArrivalProcess { gaps: [1, 3], leave: [0.1, 0.2] };
            let shape = DqnShape::new(bucket, &arrivals, 5);
            assert_eq!(shape.outputs() as u32, 2 * (depth + 1) - refill - price);
            let mut targets = Targets::new(shape, 0.9);
            let after: Vec<f32> = (0..shape.outputs()).map(|i| ((i * 37) % 23) as f32).collect();
            for gap in [1, 2, 3, 50, 1000] {
                let outcome = Outcome { reward: 0.25, gap };
                let mut filled = vec![f32::NAN; shape.outputs()];
                targets.fill(&outcome, &after, &mut filled);
                let plain = plainly(&shape, &outcome, &after, 0.9);
                for (got, want) in filled.iter().zip(plain) {
                    assert!((f64::from(*got) - want).abs() < 1e-5, "{bucket:?}, gap {gap}");
                }
            }
        }
    }

    #[test]
    fn centred_values_have_no_mean() {
        for count in [1, 7, 8, 71, 1000] {
            let mut values: Vec<f32> = (0..count).map(|i| (i * i % 31) as f32 + 1e4).collect();
            let first = values.clone();
            centre(&mut values);
            let mean = values.iter().map(|v| f64::from(*v)).sum::<f64>() / f64::from(count);
            assert!(mean.abs() < 1e-3, "{mean}");
            let moved = first[0] - values[0];
            assert!(first.iter().zip(&values).all(|(a, b)| (a - b - moved).abs() < 2e-3));
        }
    }
}
