//! From a topology file to a validated [`Scenario`]: hidden truth, features, workload and keyed
//! randomness of Fogbit.
//!
//! The way through this crate is one line: [`TopologyFile`] (text, `--set` overrides, places of
//! every key) → [`Topology`](topology::Topology) (the file's types) → [`Scenario`] (checked, traces
//! read) → [`Instance`] (one seed: each node's own weights and keys). Nothing here performs I/O but
//! reading files, and nothing reads a clock.

pub mod cascade;
mod checked;
pub mod contexts;
pub mod cqi;
pub mod deadline;
pub mod draw;
pub mod event;
pub mod fault;
pub mod feedback;
pub mod instance;
pub mod link;
pub mod pipeline;
pub mod placement;
mod replay;
pub mod rules;
mod scenario;
mod tagged;
pub mod topology;
pub mod trace;
pub mod truth;
mod validate;
pub mod weights;
pub mod work;

pub use checked::{Checked, NamesModel, ProblemTopology, kept_model};
pub use contexts::Contexts;
pub use fault::{Fault, Faults};
pub use feedback::Bit;
pub use instance::{HelperSpec, Instance, TaskSource, TaskSpec};
pub use rules::TrialRules;
pub use scenario::Scenario;
pub use topology::document::TopologyFile;
pub use truth::Truth;
