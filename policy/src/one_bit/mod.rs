//! Policies for the problem `one-bit`: each task goes to one of N helper nodes, which answers with
//! one bit.

mod discounted_toof;
mod epsilon_greedy;
mod estimates;
mod full_information;
mod gamma;
mod largest;
mod lin_ucb;
mod mle_ucb;
mod ofu_ecolog;
mod optimal;
pub mod projection;
mod random;
mod round_robin;
mod thompson;
mod toof;

pub use discounted_toof::DiscountedToofPolicy;
pub use epsilon_greedy::EpsilonGreedyPolicy;
pub use full_information::FullInformationPolicy;
pub use largest::probability_of_largest;
pub use lin_ucb::LinUcbPolicy;
pub use mle_ucb::MleUcbPolicy;
pub use ofu_ecolog::OfuEcologPolicy;
pub use optimal::best_node;
pub use random::Random;
pub use round_robin::RoundRobin;
pub use thompson::ThompsonPolicy;
pub use toof::SequentialMlePolicy;

/// The number of the largest score; ties go to the lowest number.
#[inline]
pub fn argmax(scores: &[f64]) -> usize {
    // Four maxima side by side, then the first place of the largest: with a single one each
    // comparison would wait for the one before.
    let mut largest = [f64::NEG_INFINITY; 4];
    let (fours, rest) = scores.as_chunks::<4>();
    for four in fours {
        for (largest, score) in largest.iter_mut().zip(four) {
            *largest = if score > largest { *score } else { *largest };
        }
    }
    let largest = largest.iter().chain(rest).copied().fold(f64::NEG_INFINITY, f64::max);
    scores.iter().position(|score| *score == largest).unwrap_or(0)
}
