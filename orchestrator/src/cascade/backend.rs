//! How a trial is played: what the harness needs for it.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use fogbit_neural::PIXELS;
use fogbit_scenario::cascade::{CascadeInstance, ImageStep};
use fogbit_scenario::topology::{CascadePolicySpec, Problem};
use fogbit_task_node::cascade::{CascadeRecorder, CascadeTrial as TrialLoop, SimCamera};
use fogbit_task_node::{TrialEnd, TrialError};
use fogbit_transport::cascade::{CascadeOrder, EdgeOrder, send_load};
use fogbit_transport::report::Timed;
use fogbit_transport::wire::{HelperOrder, LinkEnd, OrderHead, Player, TaskNodeOrder};
use fogbit_transport::{FrameSender, WireError};

use super::collect::{CascadeCollector, CascadeTrial};
use super::ledger::{CascadeLedger, Decisions};
use super::pictures::Pictures;
use super::plan::{CascadePlan, keeps_to_bucket};
use super::policies::Policies;
use super::record::KEPT_IN_SIM;
use crate::backend::sim::now;
use crate::harness::{Outcome, ProblemBackend, RunContext, SimRecorder, Told, Watch};
use crate::validity::Begun;

/// What all trials of a run share.
#[derive(Debug, Clone)]
pub struct Cascade {
    /// What to do.
    pub plan: Arc<CascadePlan>,
    /// Its policies.
    pub policies: Policies,
    /// The pictures of its images with their classifiers, where it has some.
    pub pictures: Option<Arc<Pictures>>,
}

/// What every backend is given.
pub type CascadeContext = RunContext<Cascade>;
/// What a backend came to.
pub type CascadeOutcome = Outcome<CascadeCollector>;

impl ProblemBackend for Cascade {
    type Plan = CascadePlan;
    type Collector = CascadeCollector;
    type Instance = CascadeInstance;
    type Ledger = CascadeLedger;
    type Batch = Timed<ImageStep>;
    const PROBLEM: Problem = Problem::Cascade;

    fn plan(&self) -> &CascadePlan {
        &self.plan
    }

    fn name(&self) -> String {
        self.plan.scenario.name()
    }

    fn length(&self) -> u64 {
        self.plan.scenario.images()
    }

    fn is_wall(&self) -> bool {
        self.plan.scenario.is_wall()
    }

    fn said(lost: f64) -> String {
        format!("average loss {lost:.4}")
    }

    fn instance(&self, seed: u64) -> CascadeInstance {
        self.plan.scenario.instance(seed)
    }

    fn ledger(
        &self,
        policy: usize,
        instance: CascadeInstance,
        told: Told,
        decisions: Option<Box<dyn Write + Send>>,
        watch: Option<Watch<ImageStep>>,
    ) -> io::Result<CascadeLedger> {
        let most = match told {
            Told::Here => KEPT_IN_SIM,
            Told::ByTaskNode => u64::MAX,
        };
        let decisions = decisions.map(|file| Decisions { file, most });
        let pays = keeps_to_bucket(self.plan.policies[policy].spec.kind());
        Ok(CascadeLedger::new(instance, pays, told, decisions)?.watched(watch))
    }

    fn collector(&self) -> CascadeCollector {
        CascadeCollector::new(&self.plan)
    }

    fn add(&self, collector: &mut CascadeCollector, trial: CascadeTrial, begun: Begun) {
        collector.begun.add(begun);
        collector.add(&self.plan, trial);
    }

    fn play(
        &self,
        policy: usize,
        instance: &CascadeInstance,
        recorder: &mut SimRecorder<'_, CascadeLedger>,
        stop: &AtomicBool,
    ) -> Result<TrialEnd, TrialError> {
        let mut decider = self.policies.of(policy, instance);
        let mut camera = SimCamera::new(&instance.table);
        now(TrialLoop { instance }.play(&mut camera, &mut *decider, recorder, stop))
    }

    fn sites(&self) -> Vec<String> {
        let scenario = &self.plan.scenario;
        vec![scenario.topology().task_node.name.clone(), scenario.edge().name.clone()]
    }

    fn helper_order(
        &self,
        number: u64,
        _node: usize,
        instance: &CascadeInstance,
        players: &[Player],
    ) -> HelperOrder {
        let edge = instance.edge(&self.plan.scenario);
        HelperOrder::Cascade(Box::new(EdgeOrder {
            number,
            players: players.to_vec(),
            link: edge.link.filter(|_| self.is_wall()).map(|path| {
                let key = edge.keys.down;
                LinkEnd { path, key }
            }),
            edge: edge.edge,
            strong: self.pictures.as_ref().map(|pictures| pictures.strong.clone()),
        }))
    }

    fn model(&self, policy: usize) -> Option<&[u8]> {
        self.policies.model(policy).map(|model| &model.bytes[..])
    }

    fn trial_order(
        &self,
        head: OrderHead,
        instance: &CascadeInstance,
        addresses: &[SocketAddr],
    ) -> TaskNodeOrder {
        let edge = instance.edge(&self.plan.scenario);
        let pictures = self.pictures.as_ref();
        TaskNodeOrder::Cascade(Box::new(CascadeOrder {
            head,
            images: instance.images,
            walk: instance.walk,
            training: self.plan.scenario.setting().walk,
            arrivals: instance.arrivals,
            keys: instance.keys,
            bucket: instance.bucket,
            wall_ns: instance.wall_ns,
            helper: (edge.edge.name, addresses[0]),
            link: edge.link.filter(|_| self.is_wall()).map(|path| {
                let key = edge.keys.up;
                LinkEnd { path, key }
            }),
            image_bytes: pictures.map_or(edge.edge.image_bytes, |_| PIXELS as u64),
            weak: pictures.map(|pictures| pictures.weak.clone()),
        }))
    }

    /// Sends the images as the task node of the policy may see them, and their pictures.
    async fn send_load(
        &self,
        policy: usize,
        instance: &CascadeInstance,
        send: &mut FrameSender,
    ) -> Result<(), WireError> {
        let kind = self.plan.policies[policy].spec.kind();
        let table = match CascadePolicySpec::TOLD_MORE.contains(&kind) {
            true => instance.table.clone(),
            false => instance.without_rewards().table,
        };
        let training = self.plan.scenario.setting().images;
        let pictures: &[u8] = match &self.pictures {
            Some(pictures) => &pictures.by_rank,
            None => &[],
        };
        send_load(send, &table, &training, pictures).await
    }
}

impl CascadeRecorder for SimRecorder<'_, CascadeLedger> {
    #[inline]
    async fn record(&mut self, step: &ImageStep) -> Result<(), TrialError> {
        self.book(step)
    }

    fn is_held_back(&self) -> bool {
        SimRecorder::is_held_back(self)
    }
}
