//! `run` for the problem `one-bit`.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use fogbit_scenario::topology::KeptFile;
use fogbit_scenario::{Scenario, TopologyFile};

use super::ending::Ending;
use super::play::{ProblemRun, begin, compare_with, play};
use super::prepared::Prepared;
use super::{BackendKind, RunArgs};
use crate::backend::process::Options;
use crate::backend::{Context, Outcome, process, sim};
use crate::board::Board;
use crate::cli::log::{self, LogKind};
use crate::cli::results::never_begun;
use crate::cli::table;
use crate::exit::{Exit, Failure, tell};
use crate::exporter::{Exporter, process_registry};
use crate::harness::RunFacts;
use crate::links::MeasuredLinks;
use crate::plan::{Collector, Plan};
use crate::progress::Display;
use crate::report::{self, ReportError};
use crate::results::summary::{RealTime, Summary};
use crate::results::{Manifest, ResultsDir, ResultsError, write_curves};
use crate::sweep::one_bit::look_for_programs;

/// Plays a topology of the problem `one-bit`.
pub(super) fn run(args: &RunArgs, file: &TopologyFile) -> Result<Exit, Failure> {
    let scenario = args.topology.scenario(file)?;
    look_at_clock(args, &scenario);
    // Joined task nodes have programs of their own.
    if args.backend != BackendKind::Join {
        look_for_programs(&scenario)?;
    }
    let real_time = scenario.wall_clock().is_some() && args.backend != BackendKind::Sim;
    log::check(&args.log, &scenario, real_time)?;
    let prepared = Prepared::new(args)?;
    let mut plan = Plan::new(scenario);
    compare_with(&mut plan, args.versus.as_deref())?;
    let plan = Arc::new(plan);
    let registry = process_registry("orchestrator", HashMap::new());
    let board = Board::new(&plan, args.backend.name(), &registry);
    let board = Arc::new(board.map_err(|error| Failure::new(Exit::Internal, error))?);
    let targets = prepared.serve(registry);
    let Prepared { runtime, network, exporter } = prepared;
    let scenario = &plan.scenario;
    let (dir, manifest) = begin(args, &*plan, &scenario.name(), &scenario.resolved_toml())?;
    keep_files(&dir, scenario).map_err(|error| never_begun(&dir, manifest.clone(), error))?;
    log::make_folders(&args.log, dir.path())?;

    let context = Context {
        plan: Arc::clone(&plan),
        // Where there is no end, they would fill the disk.
        decisions: (!args.no_decisions && board.planned().is_some()).then(|| dir.clone()),
        contexts: args.log.contains(&LogKind::Decisions).then(|| dir.clone()),
        board: Arc::clone(&board),
        pace: args.pace,
        stop: Arc::new(AtomicBool::new(false)),
    };
    let display = Display::start(board, args.quiet);
    let ending = Ending::new(args, (dir, manifest), display)
        .staying(args.linger, exporter.as_ref().map(Exporter::address));
    let full_log = args.log.contains(&LogKind::Full);
    let run = OneBit { context, real_time, full_log };
    let played = runtime.block_on(play(args, &run, network, targets, ending));
    // Trials in virtual time may still be under way; nobody wants them any more.
    runtime.shutdown_background();
    played
}

/// Says what has no effect with the clock of this topology.
fn look_at_clock(args: &RunArgs, scenario: &Scenario) {
    let Some(clock) = scenario.wall_clock() else { return };
    if args.backend == BackendKind::Sim {
        tell(format_args!(
            "note: in `sim` time is virtual: slots of {} take no time and are never late",
            clock.slot
        ));
    } else if args.pace.is_some() {
        let slot = clock.slot;
        tell(format_args!("note: --pace is for virtual time; here a slot takes {slot}"));
    }
}

/// Keeps the files that the topology names: a trace, and those of programs.
fn keep_files(dir: &ResultsDir, scenario: &Scenario) -> Result<(), ResultsError> {
    if let Some(trace) = scenario.trace_file() {
        let path = dir.path().join(trace.file_name().unwrap_or_default());
        std::fs::copy(&trace, &path).map_err(|error| ResultsError::Write { path, error })?;
    }
    for KeptFile { from, to } in scenario.policy_files() {
        let path = dir.path().join(to);
        let folder = path.parent().unwrap_or(dir.path());
        std::fs::create_dir_all(folder)
            .and_then(|()| std::fs::copy(&from, &path))
            .map_err(|error| ResultsError::Write { path, error })?;
    }
    Ok(())
}

/// A run that goes on.
struct OneBit {
    context: Context,
    /// Whether slots take the time that the topology says.
    real_time: bool,
    /// Whether everything is logged that could have happened, before it is played.
    full_log: bool,
}

impl ProblemRun for OneBit {
    type Collector = Collector;
    type Summary = Summary;

    fn plan(&self) -> &Plan {
        &self.context.plan
    }

    fn stop(&self) -> &AtomicBool {
        &self.context.stop
    }

    async fn begin(&self, dir: &ResultsDir) -> Option<Outcome> {
        if !self.full_log {
            return None;
        }
        let failure = log::write_full(&self.context, dir.path()).await?;
        let collector = Collector::new(&self.context.plan);
        Some(Outcome { collector, failure: Some(failure), links: MeasuredLinks::default() })
    }

    fn in_virtual_time(&self) -> Box<dyn FnOnce() -> Outcome + Send> {
        let context = self.context.clone();
        Box::new(move || sim::run(&context))
    }

    async fn over_nodes<T>(&self, options: Options, then: impl AsyncFnOnce(Outcome) -> T) -> T {
        process::run(self.context.clone(), options, then).await
    }

    fn judged(&self, valid: bool) {
        self.context.board.run().judged(valid);
    }

    fn summary(&self, collector: &Collector, facts: RunFacts<'_>) -> Summary {
        let board = &self.context.board;
        let real_time = self
            .real_time
            .then(|| RealTime { begun: board.run().counted(), losses: board.losses() });
        Summary::new(&self.context.plan, collector, facts, real_time)
    }

    fn write(&self, collector: &Collector, dir: &ResultsDir) -> Result<(), ResultsError> {
        write_curves(dir, &self.context.plan, collector)
    }

    fn table(summary: &Summary, dir: &Path) -> String {
        table::render(summary, dir)
    }

    fn report(dir: &Path, manifest: Manifest) -> Result<String, ReportError> {
        report::render_with(dir, manifest)
    }
}
