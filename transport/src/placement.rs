//! Messages of the problem `placement`: what the orchestrator orders. The session of a trial at its
//! helper nodes is that of [`steering`](crate::steering), and tasks themselves travel as in
//! [`compute`](crate::compute).

use std::net::SocketAddr;

use fogbit_scenario::placement::{PlacementInstance, Step};
use fogbit_scenario::work::ComputeSpec;
use serde::{Deserialize, Serialize};

use crate::report::Report;
use crate::wire::{LinkEnd, OrderHead, Player};

/// Orchestrator to helper node: serve as a computer under one seed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ComputeOrder {
    /// Which seed of the run, from 0.
    pub number: u64,
    /// Who plays each policy: nobody else may open its trial's session.
    pub players: Vec<Player>,
    /// What it is.
    pub computer: ComputeSpec,
    /// The link to the task node, if it is emulated.
    pub link: Option<LinkEnd>,
}

/// Orchestrator to task node: play one trial.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PlacementOrder {
    /// Who plays what.
    pub head: OrderHead,
    /// Tasks, computers and links, without the seed. Nothing of it is hidden from a task node but
    /// what is drawn.
    pub instance: PlacementInstance,
    /// Where each helper node listens.
    pub helpers: Vec<SocketAddr>,
}

/// Task node to orchestrator, on a trial's stream. There is nothing to tell where there is no step.
pub type PlacementReport = Report<Vec<Step>>;
