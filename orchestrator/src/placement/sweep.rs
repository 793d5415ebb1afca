//! What the problem `placement` says of itself to be swept.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use fogbit_scenario::TopologyFile;
use fogbit_scenario::placement::PlacementScenario;
use fogbit_scenario::topology::{PlacementMetric, PlacementPolicySpec, Problem, TransferModel};

use super::backend::{Placement, PlacementContext};
use super::models::Models;
use super::plan::PlacementPlan;
use crate::exit::Failure;
use crate::harness::metric::{Known, names};
use crate::harness::{narrow, sim};
use crate::sweep::models::{KeptModels, TrainedModel, trainings};
use crate::sweep::plan::{PointPlan, PolicyPlan};
use crate::sweep::problem::{
    CheckedPoint, Column, PointPlay, SweepProblem, TrialOutcome, TrialWatch, in_real_time,
};
use crate::train::placement::check_models;

/// The problem `placement`.
#[derive(Debug, Clone, Copy)]
pub struct PlacementSweep;

const COLUMNS: [Column; 8] = [
    Column { name: "mean_latency_ms", whole: false },
    Column { name: "mean_regret_ms", whole: false },
    Column { name: "accuracy", whole: false },
    Column { name: "accuracy_outside_band", whole: false },
    Column { name: "offloaded", whole: true },
    Column { name: "deadline_missed", whole: true },
    Column { name: "timed_out", whole: true },
    Column { name: "refused", whole: true },
];

impl SweepProblem for PlacementSweep {
    fn problem(&self) -> Problem {
        Problem::Placement
    }

    fn counted(&self) -> [&'static str; 2] {
        ["slot", "slots"]
    }

    fn met(&self) -> &'static str {
        "tasks, loads, links"
    }

    fn metrics(&self) -> Vec<Known> {
        Known::all::<PlacementMetric>()
    }

    fn default_metric(&self) -> Known {
        Known::of(PlacementMetric::MeanRegretMs)
    }

    /// What somebody does who measures nothing.
    fn preferred<'p>(&self, policies: &'p [PolicyPlan]) -> Option<&'p PolicyPlan> {
        policies.iter().find(|policy| policy.kind == "always-offload")
    }

    fn columns(&self) -> &'static [Column] {
        &COLUMNS
    }

    fn tabled_differences(&self) -> Vec<&'static str> {
        names::<PlacementMetric>()
    }

    fn check(&self, file: &TopologyFile, wanted: &[String]) -> Result<CheckedPoint, Failure> {
        let mut scenario = PlacementScenario::from_file(file)?;
        narrow(&mut *scenario, wanted)?;
        if scenario.is_wall() {
            return Err(in_real_time());
        }
        check_models(&scenario)?;
        let models = KeptModels::of(&scenario)?;
        let files = scenario.model_files().into_iter();
        Ok(CheckedPoint {
            slots: scenario.slots(),
            nodes: scenario.helpers().len() as u64,
            slot_cost: slot_cost(&scenario),
            own_path: false,
            policies: scenario.policies().map(PolicyPlan::of).collect(),
            toml: scenario.resolved_toml_with(|policy| models.model(policy)),
            files: files.map(|(policy, path)| (path, models.model(policy))).collect(),
            seeds: scenario.seeds(),
            about: scenario.topology().about.clone(),
        })
    }

    fn trainings(&self, point: &PointPlan) -> Vec<String> {
        trainings(point, "learned")
    }

    fn load(
        &self,
        point: &PointPlan,
        path: &Path,
        text: &str,
    ) -> Result<Arc<dyn PointPlay>, Failure> {
        let file = TopologyFile::from_text(path, text.to_owned());
        let scenario = PlacementScenario::from_file(&file)?;
        let made = scenario.policies().map(|_| OnceLock::new()).collect();
        Ok(Arc::new(Point { plan: point.clone(), path: path.to_owned(), scenario, made }))
    }
}

/// What a task costs on average, in some 20 ns: packets take longer than all decisions.
fn slot_cost(scenario: &PlacementScenario) -> u64 {
    match scenario.topology().links.transfer {
        TransferModel::Packets => 2000,
        TransferModel::Fluid => 50,
    }
}

/// A point that is ready to be played; a policy is made when its first trial begins.
struct Point {
    plan: PointPlan,
    /// Where its topology lies.
    path: PathBuf,
    scenario: PlacementScenario,
    made: Vec<OnceLock<Result<Placement, String>>>,
}

impl Point {
    fn made(&self, policy: usize) -> Result<Placement, String> {
        let make = || self.make(policy).map_err(|failure| failure.told());
        self.made[policy].get_or_init(make).clone()
    }

    /// Makes a policy, the only one of its plan. A network without a model is trained, once in the life
    /// of the sweep.
    fn make(&self, policy: usize) -> Result<Placement, Failure> {
        let names: Vec<&str> = self.scenario.policies().map(|(name, _)| name).collect();
        let name = names[policy];
        let mut scenario = self.scenario.clone();
        scenario.keep_policies(|own| own == name);
        let untrained = matches!(
            scenario.policies().next(),
            Some((_, PlacementPolicySpec::Learned(learned))) if learned.model.is_none()
        );
        let trained = TrainedModel::of(&self.plan, name, &self.path);
        let there = untrained && trained.is_there()?;
        if there {
            let topology = trained.named_in(scenario.topology());
            scenario = PlacementScenario::from_topology(&topology, &self.path)?;
        }
        let plan = PlacementPlan::new(scenario);
        let models = Models::prepare(&plan, true)?;
        if let Some(bytes) = models.bytes(0).filter(|_| untrained && !there) {
            trained.keep(bytes)?;
        }
        Ok(Placement { plan: Arc::new(plan), models: Arc::new(models) })
    }
}

impl PointPlay for Point {
    fn play(
        &self,
        policy: usize,
        seed: u64,
        watch: &TrialWatch<'_>,
    ) -> Result<TrialOutcome, String> {
        if watch.stop.load(Ordering::Relaxed) {
            return Ok(TrialOutcome::stopped());
        }
        let context = PlacementContext {
            stop: Arc::<AtomicBool>::clone(watch.stop),
            ..PlacementContext::new(self.made(policy)?)
        };
        let trial = sim::play(&context, (0, seed)).map_err(|error| error.to_string())?;
        let slots = trial.account.slots;
        watch.done.fetch_add(watch.weight.saturating_mul(slots), Ordering::Relaxed);
        let told = trial.account.whole().kpis();
        let count = |count: u64| Some(count as f64);
        Ok(TrialOutcome {
            status: trial.status,
            failure: trial.failure,
            slots,
            values: vec![
                told.mean_latency_ms,
                told.mean_regret_ms,
                told.accuracy,
                told.accuracy_outside_band,
                count(told.counts.offloaded),
                count(told.counts.deadline_missed),
                count(told.counts.timed_out),
                count(told.counts.refused),
            ],
            curves: Vec::new(),
        })
    }
}
