//! What the problem `cascade` says of itself to be swept.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use fogbit_scenario::TopologyFile;
use fogbit_scenario::cascade::CascadeScenario;
use fogbit_scenario::topology::{CascadeMetric, CascadePolicySpec, Problem};

use super::backend::{Cascade, CascadeContext};
use super::collect::kpis;
use super::metric;
use super::plan::CascadePlan;
use super::policies::Policies;
use crate::exit::Failure;
use crate::harness::metric::{Known, names};
use crate::harness::{narrow, sim};
use crate::sweep::models::{KeptModels, TrainedModel, content, trainings};
use crate::sweep::plan::{PointPlan, PolicyPlan};
use crate::sweep::problem::{
    CheckedPoint, Column, PointPlay, SweepProblem, TrialOutcome, TrialWatch, in_real_time,
};
use crate::train::dqn::check_models;

/// The problem `cascade`.
#[derive(Debug, Clone, Copy)]
pub struct CascadeSweep;

const COLUMNS: [Column; 7] = [
    Column { name: "average_loss", whole: false },
    Column { name: "offloaded_share", whole: false },
    Column { name: "wasted_share", whole: false },
    Column { name: "offloaded", whole: true },
    Column { name: "wanted", whole: true },
    Column { name: "tokens_came", whole: false },
    Column { name: "tokens_wasted", whole: false },
];

impl SweepProblem for CascadeSweep {
    fn problem(&self) -> Problem {
        Problem::Cascade
    }

    fn counted(&self) -> [&'static str; 2] {
        ["image", "images"]
    }

    fn met(&self) -> &'static str {
        "images, arrivals"
    }

    fn metrics(&self) -> Vec<Known> {
        Known::all::<CascadeMetric>()
    }

    fn default_metric(&self) -> Known {
        Known::of(CascadeMetric::AverageLoss)
    }

    /// The baseline of the paper.
    fn preferred<'p>(&self, policies: &'p [PolicyPlan]) -> Option<&'p PolicyPlan> {
        policies.iter().find(|policy| policy.kind == "threshold")
    }

    fn columns(&self) -> &'static [Column] {
        &COLUMNS
    }

    fn tabled_differences(&self) -> Vec<&'static str> {
        names::<CascadeMetric>()
    }

    fn check(&self, file: &TopologyFile, wanted: &[String]) -> Result<CheckedPoint, Failure> {
        let mut scenario = CascadeScenario::from_file(file)?;
        narrow(&mut *scenario, wanted)?;
        if scenario.is_wall() {
            return Err(in_real_time());
        }
        check_models(&scenario)?;
        let ending = scenario.kept_trace().trim_start_matches("trace");
        let trace = format!("trace-{}{ending}", content(&scenario.trace_file())?);
        let models = KeptModels::of(&scenario)?;
        let files = scenario.model_files().into_iter();
        let files = files.map(|(policy, path)| (path, models.model(policy)));
        Ok(CheckedPoint {
            slots: scenario.images(),
            nodes: 1,
            slot_cost: slot_cost(&scenario),
            own_path: false,
            policies: scenario.policies().map(PolicyPlan::of).collect(),
            toml: scenario.resolved_toml_for_sim(&trace, |policy| models.model(policy)),
            files: [(scenario.trace_file(), trace)].into_iter().chain(files).collect(),
            seeds: scenario.seeds(),
            about: scenario.topology().about.clone(),
        })
    }

    fn load(
        &self,
        point: &PointPlan,
        path: &Path,
        text: &str,
    ) -> Result<Arc<dyn PointPlay>, Failure> {
        let scenario = CascadeScenario::from_file(&TopologyFile::from_text(path, text.to_owned()))?;
        let made = scenario.policies().map(|_| OnceLock::new()).collect();
        Ok(Arc::new(Point { plan: point.clone(), path: path.to_owned(), scenario, made }))
    }

    fn trainings(&self, point: &PointPlan) -> Vec<String> {
        trainings(point, "dqn")
    }
}

/// What an image of a policy costs on average, in some 20 ns.
fn slot_cost(scenario: &CascadeScenario) -> u64 {
    let cost = |spec: &CascadePolicySpec| match spec {
        CascadePolicySpec::Threshold(_)
        | CascadePolicySpec::LowerBound(_)
        | CascadePolicySpec::Mdp(_)
        | CascadePolicySpec::HiddenState(_) => 3,
        CascadePolicySpec::Clairvoyant(_) => 10,
        CascadePolicySpec::Belief(belief) => u64::from(belief.places) / 8,
        CascadePolicySpec::Dqn(_) => 80,
    };
    let (sum, count) = scenario.policies().fold((0, 0), |(sum, n), (_, s)| (sum + cost(s), n + 1));
    sum / u64::max(count, 1) + 1
}

/// A point that is ready to be played. A policy is solved when its first trial begins: several of
/// them side by side, and none that is not played here.
struct Point {
    plan: PointPlan,
    /// Where its topology lies.
    path: PathBuf,
    scenario: CascadeScenario,
    made: Vec<OnceLock<Result<Cascade, String>>>,
}

impl Point {
    fn solved(&self, policy: usize, stop: &AtomicBool) -> Result<Cascade, String> {
        let solve = || self.solve(policy, stop).map_err(|failure| failure.told());
        self.made[policy].get_or_init(solve).clone()
    }

    /// Solves a policy, the only one of its plan. A network without a model is trained, once in the
    /// life of the sweep.
    fn solve(&self, policy: usize, stop: &AtomicBool) -> Result<Cascade, Failure> {
        let names: Vec<&str> = self.scenario.policies().map(|(name, _)| name).collect();
        let name = names[policy];
        let mut scenario = self.scenario.clone();
        scenario.keep_policies(|own| own == name);
        let untrained = matches!(
            scenario.policies().next(),
            Some((_, CascadePolicySpec::Dqn(dqn))) if dqn.model.is_none()
        );
        let trained = TrainedModel::of(&self.plan, name, &self.path);
        let there = untrained && trained.is_there()?;
        if there {
            let topology = trained.named_in(scenario.topology());
            scenario = CascadeScenario::from_topology(&topology, &self.path)?;
        }
        let policies = Policies::prepare(&scenario, true, stop)?;
        if let Some(model) = policies.model(0).filter(|_| untrained && !there) {
            trained.keep(&model.bytes)?;
        }
        let plan = Arc::new(CascadePlan::new(scenario));
        Ok(Cascade { plan, policies, pictures: None })
    }
}

impl PointPlay for Point {
    fn play(
        &self,
        policy: usize,
        seed: u64,
        watch: &TrialWatch<'_>,
    ) -> Result<TrialOutcome, String> {
        let problem = match self.solved(policy, watch.stop) {
            Ok(solved) => solved,
            // A training that was stopped is no fault of the trial.
            Err(_) if watch.stop.load(Ordering::Relaxed) => return Ok(TrialOutcome::stopped()),
            Err(error) => return Err(error),
        };
        let context =
            CascadeContext { stop: Arc::clone(watch.stop), ..CascadeContext::new(problem) };
        let trial = sim::play(&context, (0, seed)).map_err(|error| error.to_string())?;
        let told = kpis(&context.problem.plan, 0, &trial.account);
        watch.done.fetch_add(watch.weight.saturating_mul(trial.account.images), Ordering::Relaxed);
        let metrics = CascadeMetric::ALL.map(|own| metric::value(own, &told));
        let counts = [
            Some(told.counts.offloaded as f64),
            Some(told.counts.wanted as f64),
            Some(told.tokens_came),
            told.tokens_wasted,
        ];
        Ok(TrialOutcome {
            status: trial.status,
            failure: trial.failure,
            slots: trial.account.images,
            values: [&metrics[..], &counts[..]].concat(),
            curves: Vec::new(),
        })
    }
}
