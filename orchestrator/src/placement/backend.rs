//! How a trial is played: what the harness needs for it.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use fogbit_scenario::placement::{PlacementInstance, Step};
use fogbit_scenario::topology::{PlacementPolicySpec, Problem};
use fogbit_scenario::work::Execution;
use fogbit_task_node::placement::{
    InstanceOracle, PlacementDecider, PlacementRecorder, PlacementTrial as TrialLoop, SimFog,
};
use fogbit_task_node::{TrialEnd, TrialError};
use fogbit_transport::placement::{ComputeOrder, PlacementOrder};
use fogbit_transport::wire::{HelperOrder, LinkEnd, OrderHead, Player, TaskNodeOrder};

use super::collect::{PlacementCollector, PlacementTrial};
use super::ledger::PlacementLedger;
use super::models::Models;
use super::plan::PlacementPlan;
use crate::backend::sim::now;
use crate::harness::{Outcome, ProblemBackend, RunContext, SimRecorder, Told, Watch};
use crate::validity::Begun;

/// What all trials of a run share.
#[derive(Debug, Clone)]
pub struct Placement {
    /// What to do.
    pub plan: Arc<PlacementPlan>,
    /// The models of its policies.
    pub models: Arc<Models>,
}

/// What every backend is given.
pub type PlacementContext = RunContext<Placement>;
/// What a backend came to.
pub type PlacementOutcome = Outcome<PlacementCollector>;

impl ProblemBackend for Placement {
    type Plan = PlacementPlan;
    type Collector = PlacementCollector;
    type Instance = PlacementInstance;
    type Ledger = PlacementLedger;
    type Batch = Vec<Step>;
    const PROBLEM: Problem = Problem::Placement;

    fn plan(&self) -> &PlacementPlan {
        &self.plan
    }

    fn name(&self) -> String {
        self.plan.scenario.name()
    }

    fn length(&self) -> u64 {
        self.plan.scenario.slots()
    }

    fn is_wall(&self) -> bool {
        self.plan.scenario.is_wall()
    }

    fn said(lost: f64) -> String {
        format!("mean regret {lost:.2} ms")
    }

    fn instance(&self, seed: u64) -> PlacementInstance {
        self.plan.scenario.instance(seed)
    }

    fn ledger(
        &self,
        _policy: usize,
        instance: PlacementInstance,
        _told: Told,
        decisions: Option<Box<dyn Write + Send>>,
        watch: Option<Watch<Step>>,
    ) -> io::Result<PlacementLedger> {
        Ok(PlacementLedger::new(&self.plan, instance, decisions)?.watched(watch))
    }

    fn collector(&self) -> PlacementCollector {
        PlacementCollector::new(&self.plan)
    }

    fn add(&self, collector: &mut PlacementCollector, trial: PlacementTrial, _begun: Begun) {
        collector.add(trial);
    }

    fn play(
        &self,
        policy: usize,
        instance: &PlacementInstance,
        recorder: &mut SimRecorder<'_, PlacementLedger>,
        stop: &AtomicBool,
    ) -> Result<TrialEnd, TrialError> {
        let spec = &self.plan.policies[policy].spec;
        let mut trial = TrialLoop {
            tasks: instance.task_node.tasks.clone(),
            shadow: instance.shadows(spec),
            sites: instance.sites(),
            slots: instance.task_node.slots,
        };
        let mut decider = match self.models.policy(&self.plan, policy, instance) {
            Some(policy) => PlacementDecider::Policy(policy),
            None if matches!(spec, PlacementPolicySpec::Oracle(_)) => {
                PlacementDecider::Oracle(InstanceOracle(instance.clone()))
            }
            None => return Err(TrialError::Order(format!("`{}` has no model", spec.kind()))),
        };
        now(trial.play(&mut SimFog::new(instance), &mut decider, recorder, stop))
    }

    fn sites(&self) -> Vec<String> {
        self.plan.scenario.site_names().into_iter().map(str::to_owned).collect()
    }

    fn helper_order(
        &self,
        number: u64,
        node: usize,
        instance: &PlacementInstance,
        players: &[Player],
    ) -> HelperOrder {
        let part = &instance.helpers[node];
        let real_time = self.is_wall();
        // Loads differ from task to task: they are part of the cycles that a task comes with.
        let execution = if real_time { part.execution } else { Execution::Timed };
        let link = instance.links.get(node).filter(|_| real_time);
        HelperOrder::Placement(Box::new(ComputeOrder {
            number,
            players: players.to_vec(),
            computer: part.computer.compute(0.0, execution),
            link: link
                .map(|path| LinkEnd { path: path.clone(), key: instance.link_keys[node].down }),
        }))
    }

    fn model(&self, policy: usize) -> Option<&[u8]> {
        self.models.bytes(policy)
    }

    fn trial_order(
        &self,
        head: OrderHead,
        instance: &PlacementInstance,
        addresses: &[SocketAddr],
    ) -> TaskNodeOrder {
        let (instance, helpers) = (instance.clone(), addresses.to_vec());
        TaskNodeOrder::Placement(Box::new(PlacementOrder { head, instance, helpers }))
    }
}

impl PlacementRecorder for SimRecorder<'_, PlacementLedger> {
    async fn record(&mut self, step: &Step) -> Result<(), TrialError> {
        self.book(step)
    }
}
