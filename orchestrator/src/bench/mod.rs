//! `fogbit bench network`: a task node, a helper node and the link between them under stress.
//!
//! A suite is a list of [experiments](design::Experiment). Each is a topology of the problem
//! `placement` whose events step through states of the link; all of them are made from one file
//! ([`design`]), played by the backends of that problem ([`play`]), and what their tasks took is
//! turned into figures: [`grid`] (profiles, loads, payloads), [`break_even`], [`loss`], [`rate`].

pub mod board;
pub mod break_even;
pub mod design;
pub mod files;
pub mod grid;
pub mod links;
pub mod loss;
pub mod observe;
pub mod play;
pub mod rate;
pub mod report;
pub mod summary;
