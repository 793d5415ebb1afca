//! The task node of Fogbit: the trial loop, written once for all backends.
//!
//! [`Trial::play`] is generic over the [`Fog`] (where the nodes are), the [`Decider`] (who decides)
//! and the [`Recorder`] (who is told). [`SimFog`] holds the helper nodes' state machines in this
//! process, [`QuicFog`] reaches helper nodes over QUIC in lockstep, `LiveFog` does so in real time,
//! and [`serve`] plays the trials that an orchestrator orders. [`ExternalPolicy`] is a policy that is a
//! program of its own.

pub mod cascade;
mod connections;
mod external;
mod keeper;
mod links;
mod live;
mod lockstep;
mod metrics;
mod oracle;
mod ordered;
mod pace;
pub mod pipeline;
pub mod placement;
mod service;
mod sim;
mod steer;
mod trial;

pub use external::{
    ExternalError, ExternalFolder, ExternalPolicy, ExternalTrial, Waiting, find_program,
};
pub use lockstep::QuicFog;
pub use metrics::TaskNodeMetrics;
pub use oracle::TruthOracle;
pub use pace::Pacer;
pub use service::{ServeError, serve};
pub use sim::SimFog;
pub use trial::{
    Arrival, Decider, Fog, NoOracle, Oracle, Recorder, Step, Thought, Trial, TrialEnd, TrialError,
};
