//! What the problem `one-bit` says of itself to be swept.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use fogbit_scenario::topology::{KeptFile, Metric, PolicySpec, Problem};
use fogbit_scenario::{Scenario, TopologyFile};
use fogbit_task_node::find_program;

use super::plan::{PointPlan, PolicyPlan};
use super::problem::{
    CheckedPoint, Column, CurveFile, PointPlay, Share, SweepProblem, TrialOutcome, TrialWatch,
};
use crate::backend::sim::{self, Playing, Watcher};
use crate::exit::Failure;
use crate::harness::metric::Known;
use crate::harness::wanted_policies;
use crate::ledger::{Ledger, thin_curve_slots};
use crate::plan::{Plan, SUMMARY_SLOTS, Status, TrialResult};

/// The problem `one-bit`.
#[derive(Debug, Clone, Copy)]
pub struct OneBitSweep;

const fn real(name: &'static str) -> Column {
    Column { name, whole: false }
}

const fn whole(name: &'static str) -> Column {
    Column { name, whole: true }
}

const COLUMNS: [Column; 7] = [
    real("regret_linear"),
    real("regret_happiness"),
    whole("reward"),
    real("optimal_reward"),
    whole("happy"),
    whole("unhappy"),
    whole("refused"),
];

impl SweepProblem for OneBitSweep {
    fn problem(&self) -> Problem {
        Problem::OneBit
    }

    fn counted(&self) -> [&'static str; 2] {
        ["slot", "slots"]
    }

    fn met(&self) -> &'static str {
        "tasks, nodes"
    }

    fn metrics(&self) -> Vec<Known> {
        Known::all::<Metric>()
    }

    fn default_metric(&self) -> Known {
        Known::of(Metric::AverageRegret)
    }

    fn preferred<'p>(&self, policies: &'p [PolicyPlan]) -> Option<&'p PolicyPlan> {
        policies.iter().find(|policy| policy.name == "toof")
    }

    fn columns(&self) -> &'static [Column] {
        &COLUMNS
    }

    fn further_means(&self) -> &'static [&'static str] {
        &["optimal_reward"]
    }

    fn shares(&self) -> &'static [Share] {
        &[
            Share { name: "happy_share", of: "happy" },
            Share { name: "refused_share", of: "refused" },
        ]
    }

    fn tabled_differences(&self) -> Vec<&'static str> {
        vec!["regret_linear", "reward"]
    }

    fn curves(&self) -> &'static [CurveFile] {
        &[
            CurveFile { name: "average_regret", file: "curves.csv" },
            CurveFile { name: "reward", file: "curves/reward.csv" },
        ]
    }

    fn check(&self, file: &TopologyFile, wanted: &[String]) -> Result<CheckedPoint, Failure> {
        let mut scenario = Scenario::from_file(file)?;
        let names = scenario.policies().map(|(name, _)| name).collect();
        if let Some(wanted) = wanted_policies(wanted, names)? {
            scenario.keep_policies(wanted);
        }
        look_for_programs(&scenario)?;
        let Some(slots) = scenario.length().slots() else {
            return Err(Failure::usage("trials are endless, and a sweep has to end")
                .help("--set slots=10000, for example"));
        };
        if let Some(clock) = scenario.wall_clock() {
            let message = format!(
                "the clock is real time (slots of {}), and a sweep plays in virtual time",
                clock.slot
            );
            return Err(Failure::usage(message)
                .help("--set \"clock={kind='slot'}\"; `fogbit run` plays in real time"));
        }
        let nodes = scenario.nodes() as u64;
        Ok(CheckedPoint {
            slots,
            nodes,
            // Every node is drawn, scored and priced.
            slot_cost: nodes + 10,
            own_path: scenario.depends_on_choices(),
            policies: scenario.policies().map(PolicyPlan::of).collect(),
            toml: scenario.resolved_toml(),
            files: files(&scenario),
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
        let scenario = Scenario::from_file(&TopologyFile::from_text(path, text.to_owned()))?;
        Ok(Arc::new(Point { plan: thin_plan(scenario) }))
    }
}

/// The trace, and what external policies need.
fn files(scenario: &Scenario) -> Vec<(PathBuf, String)> {
    let trace = scenario.trace_file().map(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        (path, name)
    });
    let kept = scenario.policy_files().into_iter();
    let kept = kept.map(|KeptFile { from, to }| (from, to.to_string_lossy().into_owned()));
    trace.into_iter().chain(kept).collect()
}

/// Fails if the program of an external policy is not there.
pub(crate) fn look_for_programs(scenario: &Scenario) -> Result<(), Failure> {
    for (policy, spec) in scenario.policies() {
        let PolicySpec::External(program) = spec else { continue };
        let name = &program.command[0];
        if find_program(name, &scenario.folder()).is_none() {
            let message = format!("external policy {policy}: there is no program `{name}`");
            return Err(Failure::usage(message)
                .help("a program on the search path, or a path relative to the topology file"));
        }
    }
    Ok(())
}

/// The plan of a point: thin curves, and no marks.
fn thin_plan(scenario: Scenario) -> Plan {
    let mut plan = Plan::new(scenario);
    plan.curve_slots = thin_curve_slots(plan.scenario.length(), &SUMMARY_SLOTS);
    plan.marks = Arc::new([]);
    plan
}

/// A point that is ready to be played.
struct Point {
    plan: Plan,
}

impl PointPlay for Point {
    fn play(
        &self,
        policy: usize,
        seed: u64,
        watch: &TrialWatch<'_>,
    ) -> Result<TrialOutcome, String> {
        let plan = &self.plan;
        let instance = plan.scenario.instance(seed);
        let (curve_slots, marks) = (Arc::clone(&plan.curve_slots), Arc::clone(&plan.marks));
        let ledger =
            Ledger::new(&instance, curve_slots, marks, None).map_err(|error| error.to_string())?;
        let TrialWatch { done, weight, stop } = *watch;
        let playing = Playing {
            plan,
            policy,
            instance: &instance,
            watcher: Watcher::Counter { done, weight },
            pace: None,
            stop,
        };
        let trial = sim::play_trial(playing, ledger, None).map_err(|error| error.to_string())?;
        Ok(outcome(plan, trial))
    }
}

fn outcome(plan: &Plan, trial: TrialResult) -> TrialOutcome {
    let (totals, curves) = (trial.account.totals, trial.account.curves);
    let curves = match trial.status {
        Status::Complete => {
            let slots = plan.curve_slots.iter();
            let average = slots.zip(&curves.regret_linear).map(|(slot, sum)| sum / *slot as f64);
            vec![average.collect(), curves.reward]
        }
        Status::Partial | Status::Failed => Vec::new(),
    };
    let values = [
        totals.regret_linear,
        totals.regret_happiness,
        totals.reward as f64,
        totals.optimal_reward,
        totals.happy as f64,
        totals.unhappy as f64,
        totals.refused as f64,
    ];
    TrialOutcome {
        status: trial.status,
        failure: trial.failure,
        slots: totals.slots,
        values: values.map(Some).to_vec(),
        curves,
    }
}
