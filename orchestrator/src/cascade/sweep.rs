//! What the problem `cascade` says of itself to be swept.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use fogbit_scenario::TopologyFile;
use fogbit_scenario::cascade::CascadeScenario;
use fogbit_scenario::topology::{CascadeMetric, CascadePolicySpec, Problem};

use super::backend::CascadeContext;
use super::board::CascadeBoard;
use super::collect::kpis;
use super::metric;
use super::plan::CascadePlan;
use super::policies::Policies;
use super::sim;
use crate::exit::{Exit, Failure};
use crate::harness::metric::Known;
use crate::harness::{PolicyKind, look_for_policies};
use crate::sweep::plan::{PointPlan, PolicyPlan, sha256};
use crate::sweep::problem::{
    CheckedPoint, Column, PointPlay, SweepProblem, TrialOutcome, TrialWatch,
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

    fn tabled_differences(&self) -> &'static [&'static str] {
        &["average_loss", "offloaded_share", "wasted_share"]
    }

    fn check(&self, file: &TopologyFile, wanted: &[String]) -> Result<CheckedPoint, Failure> {
        let mut scenario = CascadeScenario::from_file(file)?;
        look_for_policies(wanted, &scenario.policies().map(|(name, _)| name).collect::<Vec<_>>())?;
        if !wanted.is_empty() {
            scenario.keep_policies(|name| wanted.iter().any(|wanted| wanted == name));
        }
        if scenario.is_wall() {
            return Err(Failure::usage(
                "the clock is real time, and a sweep plays in virtual time",
            )
            .help("--set \"clock={kind='slot'}\"; `fogbit run` plays in real time"));
        }
        look_for_models(&scenario)?;
        let kept = Kept::of(&scenario)?;
        let policies = scenario.policies().map(|(name, spec)| PolicyPlan {
            name: name.into(),
            kind: spec.kind().into(),
            told_more: !CascadePolicySpec::is_ranked(spec.kind()),
        });
        Ok(CheckedPoint {
            slots: scenario.images(),
            nodes: 1,
            slot_cost: slot_cost(&scenario),
            own_path: false,
            policies: policies.collect(),
            toml: scenario.resolved_toml_for_sim(&kept.trace, |policy| kept.model(policy)),
            files: kept.files(&scenario),
            seeds: scenario.seeds(),
            about: scenario.topology().about.clone(),
        })
    }

    fn load(
        &self,
        _point: &PointPlan,
        path: &Path,
        text: &str,
    ) -> Result<Arc<dyn PointPlay>, Failure> {
        let scenario = CascadeScenario::from_file(&TopologyFile::from_text(path, text.to_owned()))?;
        let made = scenario.policies().map(|_| OnceLock::new()).collect();
        Ok(Arc::new(Point { scenario, made }))
    }
}

/// Fails unless each policy that needs a model names one that fits.
fn look_for_models(scenario: &CascadeScenario) -> Result<(), Failure> {
    let without = scenario
        .policies()
        .find(|(_, spec)| matches!(spec, CascadePolicySpec::Dqn(dqn) if dqn.model.is_none()));
    if let Some((name, _)) = without {
        let message = format!("the policy {name} names no model, and a sweep trains none");
        return Err(Failure::usage(message).help(format!(
            "`fogbit train dqn FILE --set ...` for each point, and --point \
             \"...;policies.{name}.model=...\"; or name the other policies with --policy"
        )));
    }
    check_models(scenario)
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

/// The names under which the files of a point are kept. All points keep theirs in one folder, so
/// that they have to tell what is in them.
struct Kept {
    trace: String,
    models: Vec<(String, String)>,
}

impl Kept {
    fn of(scenario: &CascadeScenario) -> Result<Kept, Failure> {
        let ending = scenario.kept_trace().trim_start_matches("trace");
        let trace = format!("trace-{}{ending}", content(&scenario.trace_file())?);
        let models = scenario.model_files().into_iter().map(|(policy, path)| {
            let name = format!("models/{policy}-{}.safetensors", content(&path)?);
            Ok((policy.to_owned(), name))
        });
        Ok(Kept { trace, models: models.collect::<Result<_, Failure>>()? })
    }

    fn model(&self, policy: &str) -> String {
        let found = self.models.iter().find(|(name, _)| name == policy);
        found.map_or_else(String::new, |(_, file)| file.clone())
    }

    fn files(&self, scenario: &CascadeScenario) -> Vec<(PathBuf, String)> {
        let models = scenario.model_files().into_iter();
        let models = models.map(|(policy, path)| (path, self.model(policy)));
        [(scenario.trace_file(), self.trace.clone())].into_iter().chain(models).collect()
    }
}

/// The first digits of the SHA-256 of a file.
fn content(path: &Path) -> Result<String, Failure> {
    let bytes = std::fs::read(path).map_err(|error| {
        Failure::new(Exit::Usage, format!("cannot read {}: {error}", path.display()))
    })?;
    Ok(sha256(&bytes)[..12].to_owned())
}

/// A point that is ready to be played. A policy is solved when its first trial begins: several of
/// them side by side, and none that is not played here.
struct Point {
    scenario: CascadeScenario,
    made: Vec<OnceLock<Result<(Arc<CascadePlan>, Policies), String>>>,
}

impl Point {
    fn solved(&self, policy: usize) -> Result<(Arc<CascadePlan>, Policies), String> {
        let solve = || {
            let names: Vec<&str> = self.scenario.policies().map(|(name, _)| name).collect();
            let mut scenario = self.scenario.clone();
            scenario.keep_policies(|name| name == names[policy]);
            let policies = Policies::prepare(&scenario, true, &AtomicBool::new(false));
            let policies = policies.map_err(|failure| failure.told())?;
            Ok((Arc::new(CascadePlan::new(scenario)), policies))
        };
        self.made[policy].get_or_init(solve).clone()
    }
}

impl PointPlay for Point {
    fn play(
        &self,
        policy: usize,
        seed: u64,
        watch: &TrialWatch<'_>,
    ) -> Result<TrialOutcome, String> {
        let (plan, policies) = self.solved(policy)?;
        let context = CascadeContext {
            board: Arc::new(CascadeBoard::new(&plan)),
            plan: Arc::clone(&plan),
            policies,
            pictures: None,
            decisions: None,
            stop: Arc::clone(watch.stop),
            watch: None,
        };
        // The only policy of its plan.
        let trial = sim::play(&context, 0, plan.scenario.instance(seed))
            .map_err(|error| error.to_string())?;
        let told = kpis(&plan, 0, &trial.tally);
        watch.done.fetch_add(watch.weight.saturating_mul(trial.tally.images), Ordering::Relaxed);
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
            slots: trial.tally.images,
            values: [&metrics[..], &counts[..]].concat(),
            curves: Vec::new(),
        })
    }
}
