//! How a trial is played: what the harness needs for it.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use fogbit_scenario::pipeline::{ApplicationStep, PipelineInstance};
use fogbit_scenario::topology::Problem;
use fogbit_task_node::pipeline::{PipelineRecorder, PipelineTrial as TrialLoop, SimSites};
use fogbit_task_node::{TrialEnd, TrialError};
use fogbit_transport::pipeline::{PipelineOrder, SiteOrder};
use fogbit_transport::wire::{HelperOrder, OrderHead, Player, TaskNodeOrder};

use super::collect::{PipelineCollector, PipelineTrial};
use super::labels::Labels;
use super::ledger::PipelineLedger;
use super::plan::PipelinePlan;
use super::policies::Policies;
use super::timing::RunTimes;
use crate::backend::sim::now;
use crate::harness::{Outcome, ProblemBackend, RunContext, SimRecorder, Told, Watch};
use crate::validity::Begun;

/// What all trials of a run share.
#[derive(Debug, Clone)]
pub struct Pipeline {
    /// What to do.
    pub plan: Arc<PipelinePlan>,
    /// Its policies.
    pub policies: Policies,
    /// How long their decisions take.
    pub times: Arc<RunTimes>,
    /// The best placements.
    pub labels: Labels,
}

/// What every backend is given.
pub type PipelineContext = RunContext<Pipeline>;
/// What a backend came to.
pub type PipelineOutcome = Outcome<PipelineCollector>;

impl ProblemBackend for Pipeline {
    type Plan = PipelinePlan;
    type Collector = PipelineCollector;
    type Instance = PipelineInstance;
    type Ledger = PipelineLedger;
    type Batch = Vec<ApplicationStep>;
    const PROBLEM: Problem = Problem::Pipeline;

    fn plan(&self) -> &PipelinePlan {
        &self.plan
    }

    fn name(&self) -> String {
        self.plan.scenario.name()
    }

    fn length(&self) -> u64 {
        self.plan.scenario.applications()
    }

    fn is_wall(&self) -> bool {
        self.plan.scenario.is_wall()
    }

    fn said(lost: f64) -> String {
        format!("{lost:.2} ms above the least delay")
    }

    fn instance(&self, seed: u64) -> PipelineInstance {
        self.plan.scenario.instance(seed)
    }

    fn ledger(
        &self,
        _policy: usize,
        instance: PipelineInstance,
        told: Told,
        decisions: Option<Box<dyn Write + Send>>,
        watch: Option<Watch<ApplicationStep>>,
    ) -> io::Result<PipelineLedger> {
        let labels = self.labels.of(&instance);
        Ok(PipelineLedger::new(instance, labels, told, decisions)?.watched(watch))
    }

    fn collector(&self) -> PipelineCollector {
        PipelineCollector::new(&self.plan)
    }

    fn add(&self, collector: &mut PipelineCollector, trial: PipelineTrial, _begun: Begun) {
        collector.add(&self.plan, trial);
    }

    fn play(
        &self,
        policy: usize,
        instance: &PipelineInstance,
        recorder: &mut SimRecorder<'_, PipelineLedger>,
        stop: &AtomicBool,
    ) -> Result<TrialEnd, TrialError> {
        let mut decider = self.policies.of(policy, instance);
        now(TrialLoop { instance }.play(&mut SimSites, &mut *decider, recorder, stop))
    }

    fn sites(&self) -> Vec<String> {
        self.plan.scenario.sites().to_vec()
    }

    fn helper_order(
        &self,
        number: u64,
        node: usize,
        _instance: &PipelineInstance,
        players: &[Player],
    ) -> HelperOrder {
        let site = node as u32 + 1;
        HelperOrder::Pipeline(Box::new(SiteOrder {
            number,
            players: players.to_vec(),
            site,
            real_time: self.is_wall(),
        }))
    }

    fn model(&self, policy: usize) -> Option<&[u8]> {
        self.policies.model(policy)
    }

    fn trial_order(
        &self,
        head: OrderHead,
        instance: &PipelineInstance,
        addresses: &[SocketAddr],
    ) -> TaskNodeOrder {
        let sites = self.plan.scenario.sites();
        TaskNodeOrder::Pipeline(Box::new(PipelineOrder {
            head,
            instance: instance.clone(),
            sites: sites.to_vec(),
            helpers: sites[1..].iter().cloned().zip(addresses.iter().copied()).collect(),
        }))
    }
}

impl PipelineRecorder for SimRecorder<'_, PipelineLedger> {
    async fn record(&mut self, step: ApplicationStep) -> Result<(), TrialError> {
        self.book(&step)
    }
}
