//! Infers where the stream is, and weighs what would be optimal if it knew.
//!
//! The filter is exact, up to the width of a place. The place of the walk: it stays or is drawn anew,
//! and then the metric tells how likely each place is. The state of the arrivals: a gap tells the
//! state that the image before came in, and so how likely each state is now; it says nothing of
//! places. Where all gaps are equal, the state does not matter.
//!
//! The decision is that of QMDP (Littman, Cassandra, Kaelbling, "Learning policies for partially
//! observable environments", ICML 1995): what keeping and sending are worth to somebody who knows the
//! state from the next image on, weighed by the belief. An image is sent if its metric reaches the mean
//! price of sending.

use fogbit_scenario::cascade::{Hidden, Setting, Sight};
use fogbit_scenario::topology::BeliefCascade;

use super::CascadePolicy;
use super::ring::Ring;
use super::values::{Prices, dot, state_changes};

/// Sends an image if its metric reaches the price of sending, weighed by what it believes.
#[derive(Debug, Clone, PartialEq)]
pub struct BeliefPolicy {
    prices: Prices,
    filter: Filter,
    /// Whether there is a token at each level.
    affords: Vec<bool>,
}

impl BeliefPolicy {
    /// Solves `setting`; believes what is so before the first image.
    pub fn new(spec: &BeliefCascade, setting: &Setting) -> BeliefPolicy {
        let ring = Ring::new(setting, spec.places);
        let prices = Prices::new(spec.discount, setting, &ring);
        let affords = (0..=setting.bucket.depth).map(|level| setting.bucket.affords(level));
        BeliefPolicy { prices, affords: affords.collect(), filter: Filter::new(setting, ring) }
    }

    /// The probabilities of the places, from the lowest metrics on, and of the states of the arrivals,
    /// after the last image.
    pub fn belief(&self) -> (&[f64], &[f64]) {
        (&self.filter.places, &self.filter.states)
    }
}

impl CascadePolicy for BeliefPolicy {
    fn decide(&mut self, sight: &Sight, _hidden: &Hidden) -> bool {
        self.filter.learn(sight);
        if !self.affords[sight.level as usize] {
            return false;
        }
        let price = |(state, weight): (usize, &f64)| {
            weight * weighed(&self.filter.places, self.prices.row(state, sight.level))
        };
        let price: f64 = self.filter.states.iter().enumerate().map(price).sum();
        f64::from(sight.metric) >= price
    }
}

/// What is known of the hidden state.
#[derive(Debug, Clone, PartialEq)]
struct Filter {
    ring: Ring,
    bounds: [Vec<f64>; 2],
    scratch: Vec<f64>,
    likelihoods: Vec<f64>,
    /// Probability of each place.
    places: Vec<f64>,
    /// The same before the first image.
    shares: Vec<f64>,
    /// The number of ranks of each place, inverted.
    inverse: Vec<f64>,
    reset: f64,
    /// Probability of each state of the arrivals.
    states: Vec<f64>,
    changes: Vec<Vec<f64>>,
    gaps: [u32; 2],
}

impl Filter {
    fn new(setting: &Setting, ring: Ring) -> Filter {
        let changes = state_changes(setting);
        let first = setting.arrivals.share_of_first();
        let states = if changes.len() == 1 { vec![1.0] } else { vec![first, 1.0 - first] };
        let shares = ring.shares();
        Filter {
            bounds: ring.bounds(),
            scratch: vec![0.0; shares.len() + 1],
            likelihoods: vec![0.0; shares.len()],
            places: shares.clone(),
            inverse: shares.iter().map(|share| 1.0 / share).collect(),
            shares,
            ring,
            reset: setting.walk.reset,
            states,
            changes,
            gaps: setting.arrivals.gaps,
        }
    }

    /// Learns the gap and the metric of the next image.
    fn learn(&mut self, sight: &Sight) {
        if self.states.len() > 1 && sight.gap > 0 {
            self.pass(sight.gap);
        }
        if self.places.len() == 1 {
            return;
        }
        let ranks = self.ring.ranks(sight.metric);
        self.ring.likelihoods(&self.bounds, &ranks, &mut self.scratch, &mut self.likelihoods);
        for (likelihood, inverse) in self.likelihoods.iter_mut().zip(&self.inverse) {
            *likelihood *= inverse;
        }
        let stays = 1.0 - self.reset;
        for (place, share) in self.places.iter_mut().zip(&self.shares) {
            *place = stays * *place + self.reset * share;
        }
        let sum = dot(&self.places, &self.likelihoods);
        if sum > f64::MIN_POSITIVE {
            let weight = 1.0 / sum;
            for (place, likelihood) in self.places.iter_mut().zip(&self.likelihoods) {
                *place *= likelihood * weight;
            }
            return;
        }
        // The metric cannot be, as far as is known: only the metric itself is believed then.
        let sum = dot(&self.shares, &self.likelihoods);
        for (index, place) in self.places.iter_mut().enumerate() {
            *place = self.shares[index] * self.likelihoods[index] / sum;
        }
    }

    /// A gap passes, which was that of the state before.
    fn pass(&mut self, gap: u32) {
        let before: [f64; 2] = match self.gaps {
            [first, _] if gap == first => [1.0, 0.0],
            [_, second] if gap == second => [0.0, 1.0],
            _ => [self.states[0], self.states[1]],
        };
        for (next, state) in self.states.iter_mut().enumerate() {
            *state = before[0] * self.changes[0][next] + before[1] * self.changes[1][next];
        }
    }
}

/// Prices weighed by probabilities, in eight strands like [`dot`].
fn weighed(probabilities: &[f64], prices: &[f32]) -> f64 {
    let mut strands = [0.0; 8];
    let (left, left_rest) = probabilities.as_chunks::<8>();
    let (right, right_rest) = prices.as_chunks::<8>();
    for (left, right) in left.iter().zip(right) {
        for strand in 0..8 {
            strands[strand] += left[strand] * f64::from(right[strand]);
        }
    }
    let rest = left_rest.iter().zip(right_rest).map(|(left, right)| left * f64::from(*right));
    strands.iter().sum::<f64>() + rest.sum::<f64>()
}
