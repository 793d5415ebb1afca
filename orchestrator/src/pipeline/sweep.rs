//! What the problem `pipeline` says of itself to be swept.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use fogbit_scenario::TopologyFile;
use fogbit_scenario::pipeline::PipelineScenario;
use fogbit_scenario::topology::{PipelineMetric, PipelinePolicySpec, Problem, SearchMethod};

use super::backend::{Pipeline, PipelineContext};
use super::labels::Labels;
use super::metric;
use super::plan::PipelinePlan;
use super::policies::Policies;
use super::timing::RunTimes;
use crate::exit::Failure;
use crate::harness::metric::{Known, names};
use crate::harness::{narrow, sim};
use crate::sweep::models::{KeptModels, TrainedModel, trainings};
use crate::sweep::plan::{PointPlan, PolicyPlan};
use crate::sweep::problem::{
    CheckedPoint, Column, PointPlay, SweepProblem, TrialOutcome, TrialWatch, in_real_time,
};
use crate::train::pipeline::check_models;

/// The problem `pipeline`.
#[derive(Debug, Clone, Copy)]
pub struct PipelineSweep;

const COLUMNS: [Column; 9] = [
    Column { name: "delay_ratio", whole: false },
    Column { name: "mean_delay_ms", whole: false },
    Column { name: "label_accuracy", whole: false },
    Column { name: "exact_match", whole: false },
    Column { name: "optimal_share", whole: false },
    Column { name: "sub_tasks", whole: true },
    Column { name: "as_label", whole: true },
    Column { name: "exact", whole: true },
    Column { name: "optimal", whole: true },
];

/// Kinds of policies that decide by a network.
const LEARNERS: [&str; 2] = ["imitation", "distilled"];

impl SweepProblem for PipelineSweep {
    fn problem(&self) -> Problem {
        Problem::Pipeline
    }

    fn counted(&self) -> [&'static str; 2] {
        ["application", "applications"]
    }

    fn met(&self) -> &'static str {
        "applications, sites, links"
    }

    fn metrics(&self) -> Vec<Known> {
        Known::all::<PipelineMetric>()
    }

    fn default_metric(&self) -> Known {
        Known::of(PipelineMetric::DelayRatio)
    }

    /// The heuristic that needs neither search nor training.
    fn preferred<'p>(&self, policies: &'p [PolicyPlan]) -> Option<&'p PolicyPlan> {
        policies.iter().find(|policy| policy.kind == "greedy")
    }

    fn columns(&self) -> &'static [Column] {
        &COLUMNS
    }

    fn tabled_differences(&self) -> Vec<&'static str> {
        names::<PipelineMetric>()
    }

    fn check(&self, file: &TopologyFile, wanted: &[String]) -> Result<CheckedPoint, Failure> {
        let mut scenario = PipelineScenario::from_file(file)?;
        narrow(&mut *scenario, wanted)?;
        if scenario.is_wall() {
            return Err(in_real_time());
        }
        check_models(&scenario)?;
        let models = KeptModels::of(&scenario)?;
        let files = scenario.model_files().into_iter();
        Ok(CheckedPoint {
            slots: scenario.applications(),
            nodes: scenario.sites().len() as u64 - 1,
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
        LEARNERS.iter().flat_map(|kind| trainings(point, kind)).collect()
    }

    fn load(
        &self,
        point: &PointPlan,
        path: &Path,
        text: &str,
    ) -> Result<Arc<dyn PointPlay>, Failure> {
        let file = TopologyFile::from_text(path, text.to_owned());
        let scenario = PipelineScenario::from_file(&file)?;
        let made = scenario.policies().map(|_| OnceLock::new()).collect();
        let (plan, path, labels) = (point.clone(), path.to_owned(), Labels::default());
        Ok(Arc::new(Point { plan, path, scenario, labels, made }))
    }
}

/// What an application costs on average, in some 20 ns, its label included.
fn slot_cost(scenario: &PipelineScenario) -> u64 {
    const LABEL: u64 = 1000;
    let cost = |spec: &PipelinePolicySpec| match spec {
        PipelinePolicySpec::Search(search) if search.method == SearchMethod::Exhaustive => 160_000,
        PipelinePolicySpec::Search(_) => LABEL,
        PipelinePolicySpec::Imitation(_) => 1000,
        PipelinePolicySpec::Distilled(_) => 50,
        _ => 20,
    };
    let (sum, count) = scenario.policies().fold((0, 0), |(sum, n), (_, s)| (sum + cost(s), n + 1));
    LABEL + sum / u64::max(count, 1)
}

/// A point that is ready to be played; a policy is made when its first trial begins.
struct Point {
    plan: PointPlan,
    /// Where its topology lies.
    path: PathBuf,
    scenario: PipelineScenario,
    /// The best placements, which all policies are held against.
    labels: Labels,
    made: Vec<OnceLock<Result<Pipeline, String>>>,
}

impl Point {
    fn made(&self, policy: usize, stop: &AtomicBool) -> Result<Pipeline, String> {
        let make = || self.make(policy, stop).map_err(|failure| failure.told());
        self.made[policy].get_or_init(make).clone()
    }

    /// Makes a policy, the only one of its plan. A network without a model is trained, once in the life
    /// of the sweep.
    fn make(&self, policy: usize, stop: &AtomicBool) -> Result<Pipeline, Failure> {
        let names: Vec<&str> = self.scenario.policies().map(|(name, _)| name).collect();
        let name = names[policy];
        let mut scenario = self.scenario.clone();
        scenario.keep_policies(|own| own == name);
        let untrained = match scenario.policies().next() {
            Some((_, PipelinePolicySpec::Imitation(own))) => own.model.is_none(),
            Some((_, PipelinePolicySpec::Distilled(own))) => own.model.is_none(),
            _ => false,
        };
        let trained = TrainedModel::of(&self.plan, name, &self.path);
        let there = untrained && trained.is_there()?;
        if there {
            let topology = trained.named_in(scenario.topology());
            scenario = PipelineScenario::from_topology(&topology, &self.path)?;
        }
        let plan = Arc::new(PipelinePlan::new(scenario));
        let policies = Policies::prepare(&plan, true, stop)?;
        if let Some(bytes) = policies.model(0).filter(|_| untrained && !there) {
            trained.keep(bytes)?;
        }
        // Sweeps do not tell how long decisions take: many are played at once.
        let times = RunTimes { policies: Vec::new(), exhaustive: None, placements: 0.0 };
        Ok(Pipeline { plan, policies, times: Arc::new(times), labels: self.labels.clone() })
    }
}

impl PointPlay for Point {
    fn play(
        &self,
        policy: usize,
        seed: u64,
        watch: &TrialWatch<'_>,
    ) -> Result<TrialOutcome, String> {
        let problem = match self.made(policy, watch.stop) {
            Ok(made) => made,
            // A training that was stopped is no fault of the trial.
            Err(_) if watch.stop.load(Ordering::Relaxed) => return Ok(TrialOutcome::stopped()),
            Err(error) => return Err(error),
        };
        let sites = problem.plan.scenario.sites().len();
        let context =
            PipelineContext { stop: Arc::clone(watch.stop), ..PipelineContext::new(problem) };
        let trial = sim::play(&context, (0, seed)).map_err(|error| error.to_string())?;
        let told = trial.account.kpis(sites);
        let slots = told.counts.applications;
        watch.done.fetch_add(watch.weight.saturating_mul(slots), Ordering::Relaxed);
        let metrics = PipelineMetric::ALL.map(|own| metric::value(own, &told));
        let counts =
            [told.counts.sub_tasks, told.counts.as_label, told.counts.exact, told.counts.optimal]
                .map(|count| Some(count as f64));
        Ok(TrialOutcome {
            status: trial.status,
            failure: trial.failure,
            slots,
            values: [&metrics[..], &counts[..]].concat(),
            curves: Vec::new(),
        })
    }
}
