//! A threshold for each level of the bucket, optimal where images come independently of each other:
//! the MDP policy of Qiu et al., "Real-time Edge Classification: Optimal Offloading under Token Bucket
//! Constraints" (SEC 2021).
//!
//! With `n+` the level at the next image, whose gap is drawn by the share of images with each gap,
//! and discount g,
//!
//! ```text
//! n <  P:  V(n) = g E[V(n+)]
//! n >= P:  V(n) = max over splits of  G + g (F E[V(n+ | sent)] + (1 - F) E[V(n+ | kept)])
//! ```
//!
//! where a split sends the share F of images with the highest metrics, and G is what that gains. Its
//! price of sending is `theta(n) = g (E[V(n+ | kept)] - E[V(n+ | sent)])`: with a calibrated metric
//! those images are sent whose metric reaches it, and otherwise the best split at that price is looked
//! up on a hull of all of them. Either way improving the policy takes O(M log K).
//!
//! Values come by policy iteration. Those of one policy solve linear equations in a band (from a level
//! one can only come to levels N tau above or P below), by elimination, so that a discount close to 1
//! costs nothing. A bucket with so many levels that this took too long is swept instead.

use fogbit_scenario::cascade::{Hidden, Setting, Sight, TokenBucket};
use fogbit_scenario::topology::MdpCascade;

use super::CascadePolicy;
use super::curve::RewardCurve;

/// Multiplications of an elimination above which values are swept: a third of a second.
const MOST_WORK: usize = 1 << 28;
/// Level updates of all sweeps together: some seconds.
const MOST_UPDATES: usize = 1 << 31;
/// Policies that are tried; five to ten is what it takes.
const MOST_POLICIES: usize = 100;
/// Sweeps between two improvements.
const SWEEPS: usize = 50;
/// How far a sweep goes towards the new values: a bucket may go round in circles otherwise.
const DAMPING: f64 = 0.75;
/// The span of what a sweep changes, in units of the reward, at which a policy is the best one: an
/// image gains at most so much more with another one.
const CLOSE: f64 = 1e-9;

/// Sends an image if its metric reaches the threshold of the level.
#[derive(Debug, Clone, PartialEq)]
pub struct MdpPolicy {
    thresholds: Vec<f32>,
}

impl MdpPolicy {
    /// Solves `setting`.
    pub fn new(spec: &MdpCascade, setting: &Setting) -> MdpPolicy {
        let curve = RewardCurve::new(&setting.images, spec.search);
        let solution = solve(spec.discount, setting, &curve);
        let threshold = |level: u32| {
            if !setting.bucket.affords(level) {
                return f32::INFINITY;
            }
            let theta = solution.price(level as usize);
            if spec.search { curve.split(curve.best(theta)).threshold } else { theta as f32 }
        };
        MdpPolicy { thresholds: (0..=setting.bucket.depth).map(threshold).collect() }
    }

    /// The thresholds by level, from 0 to M; infinite where there is no token.
    pub fn thresholds(&self) -> &[f32] {
        &self.thresholds
    }
}

impl CascadePolicy for MdpPolicy {
    #[inline]
    fn decide(&mut self, sight: &Sight, _hidden: &Hidden) -> bool {
        sight.metric >= self.thresholds[sight.level as usize]
    }
}

/// The values of levels for independent images with calibrated metrics.
pub(super) fn level_values(discount: f64, setting: &Setting) -> Vec<f64> {
    solve(discount, setting, &RewardCurve::new(&setting.images, false)).values
}

/// Where the bucket goes, and what that is worth.
struct Solution {
    discount: f64,
    bucket: TokenBucket,
    /// Gaps with their shares.
    gaps: Vec<(u32, f64)>,
    values: Vec<f64>,
}

impl Solution {
    /// Discounted value at the next image.
    fn next(&self, level: usize, sent: bool) -> f64 {
        let value = |(gap, share): &(u32, f64)| {
            share * self.values[self.bucket.later(level as u32, sent, *gap).0 as usize]
        };
        self.discount * self.gaps.iter().map(value).sum::<f64>()
    }

    /// `theta` of a level with a token.
    fn price(&self, level: usize) -> f64 {
        self.next(level, false) - self.next(level, true)
    }
}

fn solve(discount: f64, setting: &Setting, curve: &RewardCurve) -> Solution {
    let [first, second] = setting.arrivals.shares_of_images();
    let [short, long] = setting.arrivals.gaps;
    let mut gaps = vec![(short, first), (long, second)];
    gaps.retain(|(_, share)| *share > 0.0);
    let bucket = setting.bucket;
    let levels = bucket.depth as usize + 1;
    let mut solution = Solution { discount, bucket, gaps, values: vec![0.0; levels] };
    let band = Band::new(&solution);
    let exact = levels * (band.below + 1) * (band.above + 1) <= MOST_WORK;
    let policies = if exact { MOST_POLICIES } else { MOST_UPDATES / levels / SWEEPS };
    let mut policy = Vec::new();
    for _ in 0..policies {
        let improved = improve(&solution, curve);
        if exact {
            if improved == policy {
                break;
            }
            policy = improved;
            solution.values = band.solve(&solution, curve, &policy);
        } else {
            policy = improved;
            if sweep(&mut solution, curve, &policy) < CLOSE {
                break;
            }
            (1..SWEEPS).for_each(|_| {
                sweep(&mut solution, curve, &policy);
            });
        }
    }
    solution
}

/// The best split for each level, given the values.
fn improve(solution: &Solution, curve: &RewardCurve) -> Vec<usize> {
    let best = |level: usize| {
        let affords = solution.bucket.affords(level as u32);
        if affords { curve.best(solution.price(level)) } else { 0 }
    };
    (0..solution.values.len()).map(best).collect()
}

/// One step of the values of `policy`; returns the span of what it changed.
fn sweep(solution: &mut Solution, curve: &RewardCurve, policy: &[usize]) -> f64 {
    let (mut least, mut most) = (f64::INFINITY, f64::NEG_INFINITY);
    let changes: Vec<f64> = (0..policy.len())
        .map(|level| {
            let split = curve.split(policy[level]);
            let kept = solution.next(level, false);
            let sent = if split.share > 0.0 { solution.next(level, true) } else { kept };
            let change = split.gain + kept + split.share * (sent - kept) - solution.values[level];
            (least, most) = (least.min(change), most.max(change));
            change
        })
        .collect();
    // A change that is the same everywhere decides nothing, and would only grow.
    let shift = changes[0];
    for (value, change) in solution.values.iter_mut().zip(changes) {
        *value += DAMPING * (change - shift);
    }
    most - least
}

/// How far from a level the next one may be.
struct Band {
    below: usize,
    above: usize,
}

impl Band {
    fn new(solution: &Solution) -> Band {
        let TokenBucket { refill, price, depth } = solution.bucket;
        let come = |gap: u32| (u64::from(refill) * u64::from(gap)).min(u64::from(depth)) as usize;
        let most = solution.gaps.iter().map(|(gap, _)| come(*gap)).max().expect("a gap");
        let least = solution.gaps.iter().map(|(gap, _)| come(*gap)).min().expect("a gap");
        Band { below: (price as usize).saturating_sub(least), above: most }
    }

    /// The values of `policy`: row by row, what lies left of the diagonal is eliminated with the rows
    /// before. Without a search for pivots: a row's other entries sum to less than its diagonal.
    fn solve(&self, solution: &Solution, curve: &RewardCurve, policy: &[usize]) -> Vec<f64> {
        let Solution { discount, bucket, gaps, .. } = solution;
        let (levels, width) = (policy.len(), self.above + 1);
        // Of each row what lies from the diagonal on, divided by it.
        let mut upper = vec![0.0; levels * width];
        let mut values = vec![0.0; levels];
        let mut row = vec![0.0; self.below + width];
        for level in 0..levels {
            let split = curve.split(policy[level]);
            row.fill(0.0);
            // Column c is at `c + below - level`.
            row[self.below] = 1.0;
            for (gap, share) in gaps {
                let mut leave = |sent: bool, probability: f64| {
                    let to = bucket.later(level as u32, sent, *gap).0 as usize;
                    row[to + self.below - level] -= discount * share * probability;
                };
                leave(false, 1.0 - split.share);
                if split.share > 0.0 {
                    leave(true, split.share);
                }
            }
            let mut right = split.gain;
            for left in self.below.saturating_sub(level)..self.below {
                let factor = row[left];
                if factor == 0.0 {
                    continue;
                }
                let column = left + level - self.below;
                let pivot = &upper[column * width..][..width];
                for (entry, above) in row[left..].iter_mut().zip(pivot) {
                    *entry -= factor * above;
                }
                right -= factor * values[column];
            }
            let diagonal = row[self.below];
            for (entry, above) in row[self.below..].iter().zip(&mut upper[level * width..][..width])
            {
                *above = entry / diagonal;
            }
            values[level] = right / diagonal;
        }
        for level in (0..levels).rev() {
            let known = (1..width).take_while(|step| level + step < levels);
            let sum: f64 =
                known.map(|step| upper[level * width + step] * values[level + step]).sum();
            values[level] -= sum;
        }
        values
    }
}
