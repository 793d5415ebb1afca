//! Plays experiments, some of them side by side.

use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Instant;

use fogbit_scenario::placement::Step;
use fogbit_transport::endpoint;
use fogbit_transport::token::Tokens;
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::board::BenchBoard;
use super::design::Experiment;
use crate::backend::process::{Nodes, Options, Targets};
use crate::exit::{Exit, Failure};
use crate::harness::{ProblemCollector, ProblemSummary, RunFacts, Watch, process, sim};
use crate::placement::backend::{Placement, PlacementContext, PlacementOutcome};
use crate::placement::files;
use crate::placement::plan::PlacementPlan;
use crate::placement::summary::PlacementSummary;
use crate::results::{EXPERIMENTS, Manifest, ResultsDir, ResultsError, RunStatus};

/// How experiments are played.
#[derive(Debug, Clone)]
pub struct Stage {
    /// The folder of the suite.
    pub dir: ResultsDir,
    /// Whether over processes; otherwise in virtual time.
    pub processes: bool,
    /// How many experiments go side by side over processes.
    pub at_once: usize,
    /// Who is told how it goes.
    pub board: Arc<BenchBoard>,
    /// Set to stop in virtual time.
    pub stop: Arc<AtomicBool>,
    /// Turns true to stop processes.
    pub stopped: watch::Receiver<bool>,
}

/// What an experiment came to.
#[derive(Debug)]
pub struct Played {
    /// Its steps, as far as it got.
    pub steps: Vec<Step>,
    /// Links as configured and as measured: the rows of `links.json`.
    pub links: Option<Value>,
    /// How far it got.
    pub status: RunStatus,
    /// Why it failed.
    pub failure: Option<String>,
}

/// Plays `experiments`, the longest first; none where one was not begun. After a failure no other
/// one begins.
///
/// # Errors
/// If results cannot be written, or the network cannot be used.
pub async fn play(
    experiments: &[Experiment],
    stage: &Stage,
) -> Result<Vec<Option<Played>>, Failure> {
    let mut waiting: Vec<usize> = (0..experiments.len()).collect();
    waiting.sort_by(|a, b| experiments[*a].expected_s.total_cmp(&experiments[*b].expected_s));
    let at_once = if stage.processes { stage.at_once.max(1) } else { 1 };
    let mut all: Vec<Option<Played>> = experiments.iter().map(|_| None).collect();
    let mut under_way = JoinSet::new();
    let mut failure = None;
    let mut broken = false;
    loop {
        while !broken && !stage.is_stopped() && under_way.len() < at_once {
            let Some(index) = waiting.pop() else { break };
            let (experiment, stage) = (experiments[index].clone(), stage.clone());
            under_way.spawn_local(async move { (index, one(&experiment, &stage).await) });
        }
        let Some(ended) = under_way.join_next().await else { break };
        stage.board.ended();
        match ended {
            Ok((index, Ok(played))) => {
                broken |= played.failure.is_some();
                all[index] = Some(played);
            }
            Ok((_, Err(error))) => {
                broken = true;
                failure.get_or_insert(error);
            }
            Err(error) => {
                broken = true;
                failure.get_or_insert(Failure::new(Exit::Internal, error));
            }
        }
    }
    failure.map_or(Ok(all), Err)
}

impl Stage {
    /// Whether the user wants it to end.
    pub fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

/// Plays one experiment and writes its results, in a folder of its own that the other commands
/// understand.
async fn one(experiment: &Experiment, stage: &Stage) -> Result<Played, Failure> {
    let path = stage.dir.path().join(EXPERIMENTS).join(&experiment.name);
    let dir = ResultsDir::create(&path).map_err(unwritten)?;
    let plan = Arc::new(PlacementPlan::new((*experiment.scenario).clone()));
    let backend = if stage.processes { "process" } else { "sim" };
    let manifest = Manifest::begin(backend, &plan.seeds);
    dir.write("manifest.json", &manifest.to_json()).map_err(unwritten)?;
    let topology = plan.scenario.resolved_toml();
    dir.write("topology.toml", topology.as_bytes()).map_err(unwritten)?;
    let watch = Watch::default();
    let context = PlacementContext {
        decisions: Some(dir.clone()),
        stop: Arc::clone(&stage.stop),
        watch: Some(Arc::clone(&watch)),
        ..PlacementContext::new(Placement { plan, models: Arc::default() })
    };
    stage.board.begun(Arc::clone(&context.board));
    let started = Instant::now();
    let keep = Keep { context: &context, dir: &dir, manifest, backend, started };
    let outcome = if stage.processes {
        let options = options(&dir.path().join("logs"), stage.stopped.clone())?;
        process::run(&context, options, async |outcome| outcome).await
    } else {
        let played = context.clone();
        let joined = tokio::task::spawn_blocking(move || sim::run(&played)).await;
        joined.map_err(|error| Failure::new(Exit::Internal, error))?
    };
    keep.keep(outcome, &watch).map_err(unwritten)
}

fn options(logs: &Path, stopped: watch::Receiver<bool>) -> Result<Options, Failure> {
    let endpoint = endpoint::bind((Ipv4Addr::LOCALHOST, 0).into())
        .map_err(|error| Failure::new(Exit::Failed, format!("cannot listen: {error}")))?;
    let tokens = Tokens::generate().map_err(|error| Failure::new(Exit::Internal, error))?;
    Ok(Options {
        endpoint,
        tokens,
        // Packets of one node would be in the way of another's on one core.
        nodes: Nodes::Children { pin: false },
        logs: logs.to_owned(),
        stopped,
        targets: Targets::new(false),
    })
}

fn unwritten(error: ResultsError) -> Failure {
    Failure::new(Exit::Failed, error)
}

/// Writes what an experiment came to.
struct Keep<'c> {
    context: &'c PlacementContext,
    dir: &'c ResultsDir,
    manifest: Manifest,
    backend: &'static str,
    started: Instant,
}

impl Keep<'_> {
    fn keep(
        mut self,
        mut outcome: PlacementOutcome,
        watch: &Watch<Step>,
    ) -> Result<Played, ResultsError> {
        let (dir, plan) = (self.dir, &self.context.problem.plan);
        outcome.collector.add_unplayed(plan);
        let status = outcome.status(plan);
        let seconds = self.started.elapsed().as_secs_f64();
        let links = outcome.links.summary();
        let facts = RunFacts { backend: self.backend, status, links, seconds };
        let summary = PlacementSummary::new(plan, &outcome.collector, facts);
        let row = outcome.collector.rows.iter().find_map(|row| row.failure.clone());
        let failure = outcome.failure.map(|failure| failure.message).or(row);
        files::write(dir, plan, &outcome.collector)?;
        outcome.links.write(dir)?;
        dir.write("summary.json", summary.to_json().as_bytes())?;
        self.manifest.end(status, failure.clone(), summary.head().valid);
        dir.write("manifest.json", &self.manifest.to_json())?;
        let steps = std::mem::take(&mut *watch.lock().unwrap_or_else(PoisonError::into_inner));
        Ok(Played { steps, links: outcome.links.to_json(), status, failure })
    }
}
