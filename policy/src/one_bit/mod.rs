//! Policies for the problem `one-bit`: each task goes to one of N helper nodes, which answers with
//! one bit.

mod gamma;
mod optimal;
pub mod projection;
mod random;
mod round_robin;
mod toof;

pub use optimal::best_node;
pub use random::Random;
pub use round_robin::RoundRobin;
pub use toof::SequentialMlePolicy;

/// The number of the largest score; ties go to the lowest number.
#[inline]
pub fn argmax(scores: &[f64]) -> usize {
    let mut best = 0;
    for (node, score) in scores.iter().enumerate().skip(1) {
        if *score > scores[best] {
            best = node;
        }
    }
    best
}
