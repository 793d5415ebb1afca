//! What a problem says of itself so that backends can play it, and what every backend is given.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use fogbit_scenario::topology::Problem;
use fogbit_task_node::{TrialEnd, TrialError};
use fogbit_transport::report::Batch;
use fogbit_transport::wire::{HelperOrder, OrderHead, Player, TaskNodeOrder};
use fogbit_transport::{FrameSender, WireError};
use prometheus::Registry;
use serde::de::DeserializeOwned;

use super::board::RunBoard;
use super::ledger::{ProblemLedger, Told, Watch};
use super::metrics::ProblemMetrics;
use super::plan::ProblemPlan;
use super::sim::SimRecorder;
use super::trials::ProblemCollector;
use crate::plan::Status;
use crate::results::ResultsDir;
use crate::run_metrics::RunLabels;
use crate::validity::Begun;

/// A problem whose trials are played: its plan, and what is made once for all of them (models,
/// pictures). [`sim`](super::sim) and [`process`](super::process) play every problem that says this.
pub trait ProblemBackend: Clone + Send + Sync + 'static {
    /// What is planned.
    type Plan: ProblemPlan + Send + Sync;
    /// What the trials are gathered in.
    type Collector: ProblemCollector<Plan = Self::Plan> + Send + 'static;
    /// The scenario under a seed.
    type Instance: Clone + Send + Sync + 'static;
    /// The ledger of a trial.
    type Ledger: ProblemLedger<Step: Clone + Send> + Send + 'static;
    /// What a task node tells at once.
    type Batch: Batch<Step = StepOf<Self>> + DeserializeOwned + Send + 'static;

    /// What to do.
    fn plan(&self) -> &Self::Plan;

    /// Which problem it is.
    const PROBLEM: Problem;

    /// Name of the run.
    fn name(&self) -> String;

    /// Length of each trial, in what [`ProblemLedger::COUNTED`] counts.
    fn length(&self) -> u64;

    /// Whether time is real over nodes. Trials follow one another then, since their outcome is a
    /// measured time; in virtual time the policies of a seed play side by side.
    fn is_wall(&self) -> bool;

    /// What a decision has lost on average, in words, for the progress display.
    fn said(lost: f64) -> String;

    /// The scenario under `seed`.
    fn instance(&self, seed: u64) -> Self::Instance;

    /// The ledger of the trial in which `policy` plays `instance`. Its decisions are written to
    /// `decisions`, and its steps shown to `watch`.
    ///
    /// # Errors
    /// If the head of the decision file cannot be written.
    fn ledger(
        &self,
        policy: usize,
        instance: Self::Instance,
        told: Told,
        decisions: Option<Box<dyn Write + Send>>,
        watch: Option<Watch<StepOf<Self>>>,
    ) -> io::Result<Self::Ledger>;

    /// An empty collector.
    fn collector(&self) -> Self::Collector;

    /// Adds a trial to `collector`, and how many slots of it began late. The order of additions is
    /// part of the result: seed by seed, and within a seed in the order of the policies.
    fn add(&self, collector: &mut Self::Collector, trial: Trial<AccountOf<Self>>, begun: Begun);

    /// Plays a trial in virtual time.
    ///
    /// # Errors
    /// If it cannot be played to its end.
    fn play(
        &self,
        policy: usize,
        instance: &Self::Instance,
        recorder: &mut SimRecorder<'_, Self::Ledger>,
        stop: &AtomicBool,
    ) -> Result<TrialEnd, TrialError>;

    /// Names of the sites: the task node, and the helper nodes in the order of their numbers.
    fn sites(&self) -> Vec<String>;

    /// What the helper node `node` is told of the seed of that number.
    fn helper_order(
        &self,
        number: u64,
        node: usize,
        instance: &Self::Instance,
        players: &[Player],
    ) -> HelperOrder;

    /// The trained model of `policy`, if it has one: what its task node is sent.
    fn model(&self, policy: usize) -> Option<&[u8]>;

    /// What a task node is told of its trial; the helper nodes listen at `addresses`.
    fn trial_order(
        &self,
        head: OrderHead,
        instance: &Self::Instance,
        addresses: &[SocketAddr],
    ) -> TaskNodeOrder;

    /// Sends what follows the order of a trial of `policy`, if anything does.
    fn send_load(
        &self,
        _policy: usize,
        _instance: &Self::Instance,
        _send: &mut FrameSender,
    ) -> impl Future<Output = Result<(), WireError>> + Send {
        async { Ok(()) }
    }
}

/// What the ledger of a problem is told of each decision.
pub type StepOf<P> = <<P as ProblemBackend>::Ledger as ProblemLedger>::Step;
/// What a trial of a problem comes to.
pub type AccountOf<P> = <<P as ProblemBackend>::Ledger as ProblemLedger>::Account;

/// What one trial came to.
#[derive(Debug, Clone)]
pub struct Trial<A> {
    /// Which policy of the plan.
    pub policy: usize,
    /// The seed.
    pub seed: u64,
    /// How far it got.
    pub status: Status,
    /// The ledger's account.
    pub account: A,
    /// How long it took, in seconds of wall time.
    pub seconds: f64,
    /// Why it failed.
    pub failure: Option<String>,
}

/// What every backend needs.
#[derive(Clone)]
pub struct RunContext<P: ProblemBackend> {
    /// What is played.
    pub problem: P,
    /// Where decision files go; none keeps none.
    pub decisions: Option<ResultsDir>,
    /// Whom to tell how it goes.
    pub board: Arc<RunBoard>,
    /// At most this many slots a second in each trial in virtual time, for somebody who watches.
    pub pace: Option<f64>,
    /// Set to stop as soon as possible.
    pub stop: Arc<AtomicBool>,
    /// Where the steps of all trials are kept too, in the order in which they come; none keeps none.
    pub watch: Option<Watch<StepOf<P>>>,
}

impl<P: ProblemBackend> RunContext<P> {
    /// Of a run of `problem` that keeps no decisions and shows nobody its steps.
    pub fn new(problem: P) -> RunContext<P> {
        let board = Arc::new(RunBoard::new(problem.plan(), problem.length(), P::said));
        let (stop, pace) = (Arc::default(), None);
        RunContext { problem, decisions: None, board, pace, stop, watch: None }
    }

    /// The same run with metrics, which go to `registry`; its board is a new one.
    ///
    /// # Errors
    /// If the registry has metrics of these names already.
    pub fn with_metrics(
        self,
        backend: &str,
        registry: &Registry,
    ) -> prometheus::Result<RunContext<P>> {
        let problem = &self.problem;
        let labels = RunLabels {
            topology: &problem.name(),
            problem: P::PROBLEM,
            backend,
            clock: if problem.is_wall() { "wall" } else { "slot" },
            slots: Some(problem.length()),
        };
        let policies = problem.plan().policies().iter().map(|policy| policy.name.clone()).collect();
        let metrics =
            ProblemMetrics::new(labels, P::Ledger::METRICS, policies, problem.sites(), registry)?;
        let board = RunBoard::new(problem.plan(), problem.length(), P::said).with_metrics(metrics);
        Ok(RunContext { board: Arc::new(board), ..self })
    }

    /// The ledger of the trial of a policy under a seed, with its decision file.
    ///
    /// # Errors
    /// If the decision file cannot be made.
    pub fn ledger(
        &self,
        (policy, seed): (usize, u64),
        instance: P::Instance,
        told: Told,
    ) -> io::Result<P::Ledger> {
        let name = &self.problem.plan().policies()[policy].name;
        let decisions: Option<Box<dyn Write + Send>> = match &self.decisions {
            Some(dir) => Some(dir.decisions(name, seed)?),
            None => None,
        };
        self.problem.ledger(policy, instance, told, decisions, self.watch.clone())
    }
}
