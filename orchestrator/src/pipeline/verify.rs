//! Results, computed anew from the decision files by a separate path, and compared run with run.
//!
//! What is here shares with the rest what a seed means (applications and conditions, which have golden
//! vectors of their own), the schedule of a placement, and the policies, which are asked again for every
//! application. Best placements come from trying all of them where there are not too many, whatever
//! the run did, and everything that is summed or counted from there on is written again, in the plainest
//! way. How long decisions took is never the same: it is only asked whether it can be.

mod diff;
mod files;
mod labels;
mod schedule;
mod sums;
mod timed;
mod told;

use std::collections::BTreeMap;
use std::path::Path;

use fogbit_policy::pipeline::{Optimum, PipelinePolicy, Sight};
use fogbit_scenario::TopologyFile;
use fogbit_scenario::pipeline::{
    Application, ApplicationFate, CostTable, PipelineInstance, PipelineScenario, Scheduler,
};

pub use self::diff::diff;
use self::labels::{Deciders, Labels};
use self::sums::Fact;
use super::read::{self, Decision};
use super::summary::{PipelineSummary, TrialSummary};
use crate::exit::{Exit, Failure};
use crate::harness::ProblemSummary;
use crate::plan::Status;
use crate::results::read::ReadError;
use crate::verify::{Compared, beside};

const NO_DECISIONS: &str = "a run keeps a file for each trial in decisions/, unless it was made with \
                            --no-decisions; without it there is nothing to look at";
/// No more findings than this are told of one trial: the first says what is wrong.
const MOST_FINDINGS: usize = 3;

fn unreadable(error: &ReadError) -> Failure {
    Failure::new(Exit::Usage, error)
}

/// Whether two sums agree to 1e-9 of the larger.
fn close(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(1e-300)
}

/// Recomputes every trial of a results directory.
///
/// # Errors
/// If the directory cannot be read, or keeps no decisions.
pub fn verify(dir: &Path) -> Result<Compared, Failure> {
    let summary = read::summary(dir).map_err(|error| unreadable(&error))?;
    let scenario = PipelineScenario::from_file(&TopologyFile::read(&dir.join("topology.toml"))?)?;
    let mut compared = Compared::default();
    check_beside(dir, &summary, &scenario, &mut compared)?;
    check_head(&summary, &scenario, &mut compared);
    timed::check(&summary, &scenario, &mut compared);
    files::check_label_sweep(dir, &scenario, &mut compared);
    if !compared.findings.is_empty() {
        return Ok(compared);
    }
    let mut first = files::FirstChecked::read(dir, &scenario, &mut compared)?;
    let (mut labels, mut deciders) = (Labels::default(), Deciders::default());
    let mut pooled: BTreeMap<&str, Vec<Fact>> = BTreeMap::new();
    for trial in &summary.trials {
        let place = format!("decisions/{}-{}.csv", trial.policy, trial.seed);
        if trial.slots == 0 && trial.status != Status::Complete {
            continue; // it was not begun
        }
        let Some((_, spec)) = scenario.policies().find(|(name, _)| *name == trial.policy) else {
            compared.find(place, "topology.toml has no such policy");
            continue;
        };
        let instance = scenario.instance(trial.seed);
        let policy = deciders.of(dir, &scenario, (&trial.policy, spec), &instance)?;
        let labels = labels.of(&instance, trial.slots)?;
        let replay = Replay {
            trial,
            instance: &instance,
            policy,
            labels,
            first: &mut first,
            nodes: summary.run.backend != "sim",
            real: scenario.is_wall() && summary.run.backend != "sim",
            sites: scenario.sites().len(),
        };
        let facts = replay.verify(dir, &place, &mut compared)?;
        if trial.status == Status::Complete {
            pooled.entry(&trial.policy).or_default().extend(facts);
        }
    }
    first.end(&mut compared);
    if summary.trials.is_empty() {
        compared.find("summary.json", "there is no trial");
    }
    if compared.findings.is_empty() {
        // What is said over seeds follows from the trials; it is looked at where these are right.
        told::check_policies(&summary, &pooled, &mut compared);
        told::check_expectations(&summary, &scenario, &mut compared);
        files::check_distributions(dir, &pooled, &mut compared)?;
    }
    Ok(compared)
}

/// Compares what is said beside the figures.
fn check_beside(
    dir: &Path,
    summary: &PipelineSummary,
    scenario: &PipelineScenario,
    compared: &mut Compared,
) -> Result<(), Failure> {
    let policies = summary.policies.iter();
    let policies =
        policies.map(|p| ((p.name.as_str(), p.kind.as_str(), p.parameters.clone()), p.seeds));
    let head = ProblemSummary::head(summary);
    let told = beside::Told::of(&head, &summary.run.version, policies, &summary.trials);
    let about = scenario.topology().about.as_deref();
    // Its parts are held against the decision files.
    let measured = summary.policies.iter().filter_map(|policy| policy.whole.measured.as_ref());
    let (late, all) = measured.fold((0, 0), |sum, own| (sum.0 + own.late, sum.1 + own.ratio.count));
    let late_share = (all > 0).then(|| late as f64 / all as f64);
    let due = beside::Due::of(about, scenario.policies(), scenario.seeds(), (dir, late_share))?;
    beside::check(dir, &told, &due, compared)
}

/// Holds what is said of the run as a whole against the topology.
fn check_head(summary: &PipelineSummary, scenario: &PipelineScenario, compared: &mut Compared) {
    let (run, topology) = (&summary.run, scenario.topology());
    let nodes: Vec<&String> = topology.nodes.iter().map(|node| &node.name).collect();
    let most = match &topology.application {
        Some(mix) => u64::from(mix.sub_tasks.max),
        None => topology.graphs.iter().map(|own| own.sub_tasks.len() as u64).max().unwrap_or(
            u64::from(fogbit_scenario::topology::ApplicationMix::default().sub_tasks.max),
        ),
    };
    let right = [
        ("problem", run.problem == "pipeline"),
        ("applications", run.applications == topology.applications),
        ("most_sub_tasks", run.most_sub_tasks == most),
        ("clock", run.clock == topology.clock.kind()),
        ("task_node", run.task_node == topology.task_node.name),
        ("nodes", run.nodes.iter().collect::<Vec<_>>() == nodes),
    ];
    for (key, _) in right.iter().filter(|(_, right)| !right) {
        compared.find(format!("summary.json: run.{key}"), "not what topology.toml says");
    }
}

/// A trial that is placed again beside its file.
struct Replay<'r> {
    trial: &'r TrialSummary,
    instance: &'r PipelineInstance,
    policy: Box<dyn PipelinePolicy>,
    labels: &'r [Optimum],
    first: &'r mut files::FirstChecked,
    /// Whether there were nodes, which may refuse.
    nodes: bool,
    /// Whether delays were measured.
    real: bool,
    sites: usize,
}

impl Replay<'_> {
    /// Compares the trial; gives its applications.
    fn verify(
        mut self,
        dir: &Path,
        place: &str,
        compared: &mut Compared,
    ) -> Result<Vec<Fact>, Failure> {
        let trial = self.trial;
        let mut rows = read::decisions(dir, &trial.policy, trial.seed, self.sites)
            .map_err(|error| unreadable(&error).help(NO_DECISIONS))?;
        compared.trials += 1;
        let before = compared.findings.len();
        let mut facts = Vec::new();
        for number in 1..=trial.slots {
            let Some(row) = rows.next() else {
                compared
                    .find(place, format!("it ends before application {number} of {}", trial.slots));
                return Ok(facts);
            };
            let row = row.map_err(|error| unreadable(&error))?;
            compared.slots += 1;
            match self.check(number, &row) {
                Ok(fact) => facts.push(fact),
                Err(why) => compared.find(format!("{place}: application {number}"), why),
            }
            if compared.findings.len() >= before + MOST_FINDINGS {
                return Ok(facts);
            }
            self.first.check((&trial.policy, self.instance), &row, compared);
        }
        let (planned, complete) =
            (self.instance.applications, trial.slots == self.instance.applications);
        if rows.next().is_some() {
            compared.find(place, format!("it goes on after application {}", trial.slots));
        } else if (trial.status == Status::Complete) != complete {
            let (slots, status) = (trial.slots, trial.status);
            compared.find(place, format!("{slots} of {planned} applications, and {status:?}"));
        } else if compared.findings.len() == before {
            sums::check(place, &trial.whole, &facts, self.sites, compared);
        }
        Ok(facts)
    }

    /// Holds a row against what must be.
    fn check(&mut self, number: u64, row: &Decision) -> Result<Fact, String> {
        let application = self.instance.application(number);
        let conditions = self.instance.conditions(number);
        if row.application != number {
            return Err(format!("application is not right in {}", row.line));
        }
        for (column, placement) in [("placement", &row.placement), ("label", &row.label)] {
            if !application.allows(placement) {
                return Err(format!("it cannot run under the {column} of {}", row.line));
            }
        }
        let table = CostTable::new(&application, &conditions);
        let delay_ns = Scheduler::new(&application).delay_ns(&table, &row.placement);
        let label = &self.labels[number as usize - 1];
        let mut placed = Vec::new();
        let sight = Sight { number, application: &application, conditions: &conditions };
        self.policy.place(&sight, &mut placed);
        let both = row.placement.iter().zip(&label.placement);
        let as_label = both.filter(|(own, best)| own == best).count() as u64;
        let right = [
            ("placement", row.placement == placed),
            ("delay_ns", row.delay_ns == delay_ns),
            ("optimum_ns", row.optimum_ns == label.delay_ns),
            ("label", row.label == label.placement),
            ("as_label", row.as_label == as_label),
            ("fate", self.nodes || row.fate == ApplicationFate::Done),
            ("measured_ns", row.measured_ns.is_some() == self.is_measured(row.fate)),
            ("held_up_ns", row.held_up_ns.is_some() == row.measured_ns.is_some()),
        ];
        match right.iter().find(|(_, right)| !right) {
            None => Ok(fact(row, &application, as_label, self.sites)),
            Some((column, _)) => Err(format!(
                "{column} is not right in {}; due: placement {placed:?}, delay {delay_ns} ns, {label:?}",
                row.line
            )),
        }
    }

    fn is_measured(&self, fate: ApplicationFate) -> bool {
        self.real && fate == ApplicationFate::Done
    }
}

fn fact(row: &Decision, application: &Application, as_label: u64, sites: usize) -> Fact {
    let at = |site: usize| row.placement.iter().filter(|own| usize::from(**own) == site).count();
    Fact {
        sub_tasks: application.sub_tasks().len() as u64,
        as_label,
        delay_ns: row.delay_ns,
        optimum_ns: row.optimum_ns,
        fate: row.fate,
        measured_ns: row.measured_ns,
        held_up_ns: row.held_up_ns,
        at_site: (0..sites).map(|site| at(site) as u64).collect(),
    }
}
