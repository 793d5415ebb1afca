//! Statistics over seeds: means, deviations, quantiles, paired differences with their intervals,
//! ranks, and how many seeds an open question still wants.
//!
//! Everything here is a pure function of its arguments: the same values give the same bits, and the
//! resamples of the [`bootstrap`] are keyed draws. Sums run in the order of the values.

pub mod bootstrap;
mod describe;
mod pairs;
mod ranks;
pub mod sample;
mod student;

pub use describe::{MeanSd, Running, median, quantile};
pub use pairs::{PairStatistics, compare_pairs};
pub use ranks::{Rank, rank_table};
pub(crate) use student::t_quantile;
pub use student::{Interval, MOST_SEEDS, p_value, seeds_needed};
