//! Policies of the problem `pipeline`: a site for each sub-task of an application.

mod bound;
mod greedy;
mod search;

pub use bound::BranchAndBound;
pub use greedy::Greedy;
pub use search::{Optimum, exhaustive};
