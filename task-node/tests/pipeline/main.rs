//! The problem `pipeline` over processes: helper nodes and a task node on loopback, each on a thread of
//! its own, ordered about by a small orchestrator.

mod hub;
mod measured;
mod plan;
mod sessions;
