//! Sweeps: the same policies over many points of a topology's parameters.
//!
//! The way is one line: [`design`] (what is varied) → [`plan`] (checked points, seeds, units) →
//! [`play`] (units over all cores) → [`mod@unit`] (one file each) → [`points`], [`summary`] and
//! [`results`] (what it comes to). A unit is all policies of one point under some consecutive seeds. Everything after
//! the unit files is made from them alone, in their order: that is why a merged sweep, a resumed
//! one and one in a single go are the same to the byte. What a
//! problem has to say of itself for that is in [`problem`]; a problem that the harness plays says less,
//! in [`mod@point`].

pub mod design;
pub mod dir;
pub mod environment;
mod grids;
pub mod merge;
pub mod models;
pub mod one_bit;
pub mod plan;
pub mod play;
pub mod point;
pub mod points;
pub mod problem;
pub mod progress;
pub mod ranking;
pub mod resolve;
pub mod results;
pub mod summary;
mod table;
pub mod unit;
