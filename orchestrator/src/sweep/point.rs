//! Points of the problems that the harness plays: how they are checked, loaded and played, written once
//! over what such a problem says of itself ([`SweptBackend`]).

use std::ops::DerefMut;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use fogbit_scenario::{Checked, Fault, Faults, NamesModel, ProblemTopology, TopologyFile};

use super::models::{KeptModels, TrainedModel};
use super::plan::{PointPlan, PolicyPlan};
use super::problem::{CheckedPoint, PointPlay, TrialOutcome, TrialWatch};
use crate::exit::Failure;
use crate::harness::{AccountOf, ProblemBackend, ProblemPlan, RunContext, narrow, sim};

/// What a problem that the harness plays says of itself so that points of it can be checked and played.
pub trait SweptBackend: ProblemBackend {
    /// What its topology files hold.
    type Topology: ProblemTopology<Policy = <Self::Plan as ProblemPlan>::Spec>;
    /// A topology that was checked.
    type Scenario: DerefMut<Target = Checked<Self::Topology>> + Clone + Send + Sync + 'static;
    /// What all policies of a point share beside the scenario.
    type Shared: Default + Send + Sync;

    /// Checks a topology file.
    ///
    /// # Errors
    /// Everything that is wrong.
    fn read(file: &TopologyFile) -> Result<Self::Scenario, Faults>;

    /// Checks a topology that was changed by the sweep; `path` is what paths within it start from.
    ///
    /// # Errors
    /// Everything that is wrong.
    fn changed(topology: &Self::Topology, path: &Path) -> Result<Self::Scenario, Faults>;

    /// What a sweep plans by.
    fn facts(scenario: &Self::Scenario) -> PointFacts;

    /// Reads the models that the topology names.
    ///
    /// # Errors
    /// Every model that cannot be used, at its place.
    fn check_models(scenario: &Self::Scenario) -> Result<(), Failure>;

    /// How the topology is kept; its models are kept as `models` names them.
    ///
    /// # Errors
    /// If a file that it names cannot be read.
    fn kept(scenario: &Self::Scenario, models: &KeptModels) -> Result<KeptTopology, Failure>;

    /// Makes the policies of `scenario`, and trains those that name no model until `stop` is set.
    /// Nothing is shown.
    ///
    /// # Errors
    /// If one cannot be made.
    fn prepare(
        scenario: Self::Scenario,
        shared: &Self::Shared,
        stop: &AtomicBool,
    ) -> Result<Self, Failure>;

    /// What a trial of the first policy came to.
    fn figures(&self, account: &AccountOf<Self>) -> Figures;
}

/// What a sweep plans a point by.
#[derive(Debug, Clone)]
pub struct PointFacts {
    /// Length of each trial in slots.
    pub slots: u64,
    /// Number of helper nodes.
    pub nodes: u64,
    /// What a slot of one of its policies costs, roughly, in some 20 ns. Units of work are cut by it, and
    /// progress is told by it; a factor of two is of no consequence to either.
    pub slot_cost: u64,
    /// Whether time is real.
    pub is_wall: bool,
    /// What the topology shows.
    pub about: Option<String>,
}

/// How a sweep keeps the topology of a point.
#[derive(Debug, Clone)]
pub struct KeptTopology {
    /// Its text.
    pub toml: String,
    /// Files that the text names beside models, each with its name there.
    pub files: Vec<(PathBuf, String)>,
}

/// What a complete trial, or the part of it that was played, came to.
#[derive(Debug, Clone)]
pub struct Figures {
    /// Slots played.
    pub slots: u64,
    /// A value for each column of the problem.
    pub values: Vec<Option<f64>>,
}

/// The failure of a topology whose time is real, underlined where it says so.
fn in_real_time<T: ProblemTopology>(topology: &Checked<T>) -> Failure {
    let fault = Fault::new("the clock is real time, and a sweep plays in virtual time")
        .help("--set \"clock={kind='slot'}\"; `fogbit run` plays in real time");
    Faults::from(topology.clock_fault(fault)).into()
}

/// Checks a point of the problem `P`, of which the policies `wanted` are kept.
///
/// # Errors
/// Everything that is wrong.
pub fn check<P: SweptBackend>(
    file: &TopologyFile,
    wanted: &[String],
) -> Result<CheckedPoint, Failure> {
    let mut scenario = P::read(file)?;
    narrow(&mut *scenario, wanted)?;
    let PointFacts { slots, nodes, slot_cost, is_wall, about } = P::facts(&scenario);
    if is_wall {
        return Err(in_real_time(&scenario));
    }
    P::check_models(&scenario)?;
    let models = KeptModels::of(&scenario)?;
    let KeptTopology { toml, mut files } = P::kept(&scenario, &models)?;
    let named = scenario.model_files().into_iter();
    files.extend(named.map(|(policy, path)| (path, models.model(policy))));
    Ok(CheckedPoint {
        slots,
        nodes,
        slot_cost,
        own_path: false,
        policies: scenario.policies().map(PolicyPlan::of).collect(),
        toml,
        files,
        seeds: scenario.seeds(),
        about,
    })
}

/// Reads a checked point of the problem `P` anew from its resolved topology `text`, which lies at `path`
/// with the files that it names.
///
/// # Errors
/// If the topology or a file that it needs is not what it was.
pub fn load<P: SweptBackend>(
    point: &PointPlan,
    path: &Path,
    text: &str,
) -> Result<Arc<dyn PointPlay>, Failure> {
    let scenario = P::read(&TopologyFile::from_text(path, text.to_owned()))?;
    Ok(Arc::new(Point::<P> {
        plan: point.clone(),
        path: path.to_owned(),
        made: scenario.policies().map(|_| OnceLock::new()).collect(),
        scenario,
        shared: P::Shared::default(),
    }))
}

/// A point that is ready to be played. A policy is made when its first trial begins: several of them
/// side by side, and none that is not played here.
struct Point<P: SweptBackend> {
    plan: PointPlan,
    /// Where its topology lies.
    path: PathBuf,
    scenario: P::Scenario,
    shared: P::Shared,
    made: Vec<OnceLock<Result<P, String>>>,
}

impl<P: SweptBackend> Point<P> {
    fn made(&self, policy: usize, stop: &AtomicBool) -> Result<P, String> {
        let make = || self.make(policy, stop).map_err(|failure| failure.told());
        self.made[policy].get_or_init(make).clone()
    }

    /// Makes a policy, the only one of its plan. A network without a model is trained, once in the life
    /// of the sweep.
    fn make(&self, policy: usize, stop: &AtomicBool) -> Result<P, Failure> {
        let names: Vec<&str> = self.scenario.policies().map(|(name, _)| name).collect();
        let name = names[policy];
        let mut scenario = self.scenario.clone();
        scenario.keep_policies(|own| own == name);
        let untrained = names_no_model(scenario.topology());
        let trained = TrainedModel::of(&self.plan, name, &self.path);
        let there = untrained && trained.is_there()?;
        if there {
            scenario = P::changed(&trained.named_in(scenario.topology()), &self.path)?;
        }
        let made = P::prepare(scenario, &self.shared, stop)?;
        if let Some(model) = made.model(0).filter(|_| untrained && !there) {
            trained.keep(model)?;
        }
        Ok(made)
    }
}

/// Whether a policy of `topology` plays a model and names none.
fn names_no_model<T: ProblemTopology>(topology: &T) -> bool {
    let mut topology = topology.clone();
    let mut specs = topology.policies_mut().values_mut();
    specs.any(|spec| spec.model_mut().is_some_and(|model| model.is_none()))
}

impl<P: SweptBackend> PointPlay for Point<P> {
    fn play(
        &self,
        policy: usize,
        seed: u64,
        watch: &TrialWatch<'_>,
    ) -> Result<TrialOutcome, String> {
        let stopped = || watch.stop.load(Ordering::Relaxed);
        if stopped() {
            return Ok(TrialOutcome::stopped());
        }
        let problem = match self.made(policy, watch.stop) {
            Ok(made) => made,
            // A training that was stopped is no fault of the trial.
            Err(_) if stopped() => return Ok(TrialOutcome::stopped()),
            Err(error) => return Err(error),
        };
        let context = RunContext { stop: Arc::clone(watch.stop), ..RunContext::new(problem) };
        let trial = sim::play(&context, (0, seed)).map_err(|error| error.to_string())?;
        if let Some(failure) = trial.failure {
            return Err(failure);
        }
        let Figures { slots, values } = context.problem.figures(&trial.account);
        watch.done.fetch_add(watch.weight.saturating_mul(slots), Ordering::Relaxed);
        Ok(TrialOutcome { status: trial.status, failure: None, slots, values, curves: Vec::new() })
    }
}
