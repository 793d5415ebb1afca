//! `run` for the problem `placement`.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use fogbit_scenario::TopologyFile;
use fogbit_scenario::topology::Problem;

use super::ending::Ending;
use super::play::{ProblemRun, begin, compare_with, play};
use super::{BackendKind, RunArgs};
use crate::backend::process::{Nodes, Options, Targets};
use crate::cli::network::Network;
use crate::cli::placement as shown;
use crate::cli::results::never_begun;
use crate::cli::stopping::runtime;
use crate::cli::train::until_stopped;
use crate::exit::{Exit, Failure, tell};
use crate::harness::RunFacts;
use crate::placement::backend::{PlacementContext, PlacementOutcome};
use crate::placement::board::PlacementBoard;
use crate::placement::collect::PlacementCollector;
use crate::placement::models::Models;
use crate::placement::plan::PlacementPlan;
use crate::placement::summary::PlacementSummary;
use crate::placement::{files, process, report, sim};
use crate::progress::Display;
use crate::report::ReportError;
use crate::results::{Manifest, ResultsDir, ResultsError};

/// Plays a topology of the problem `placement`.
pub(super) fn run(args: &RunArgs, file: &TopologyFile) -> Result<Exit, Failure> {
    let scenario = args.topology.placement(file)?;
    args.without_logs_and_metrics(Problem::Placement)?;
    if args.backend == BackendKind::Sim && scenario.is_wall() {
        tell(format_args!("note: in `sim` time is virtual, and all tasks are timed by the model"));
    }
    let runtime = runtime()?;
    let network = Network::prepare(args, &runtime)?;
    let mut plan = PlacementPlan::new(scenario);
    compare_with(&mut plan, args.versus.as_deref())?;
    let plan = Arc::new(plan);
    let models = Arc::new(until_stopped(|_| Models::prepare(&plan, args.quiet))??);
    let scenario = &plan.scenario;
    let (dir, manifest) = begin(args, &*plan, &scenario.name(), &scenario.resolved_toml())?;
    models.keep(&dir).map_err(|error| never_begun(&dir, manifest.clone(), error))?;
    let board = Arc::new(PlacementBoard::new(&plan));
    let context = PlacementContext {
        plan: Arc::clone(&plan),
        models,
        decisions: (!args.no_decisions).then(|| dir.clone()),
        board: Arc::clone(&board),
        stop: Arc::new(AtomicBool::new(false)),
        watch: None,
    };
    let ending = Ending::new(args, (dir, manifest), Display::start(board, args.quiet));
    let targets = Targets::new(false);
    let played = runtime.block_on(play(args, &context, network, targets, ending));
    // Trials may still be under way where the user asked twice; nobody wants them any more.
    runtime.shutdown_background();
    played
}

impl ProblemRun for PlacementContext {
    type Collector = PlacementCollector;
    type Summary = PlacementSummary;

    fn plan(&self) -> &PlacementPlan {
        &self.plan
    }

    fn stop(&self) -> &AtomicBool {
        &self.stop
    }

    fn in_virtual_time(&self) -> Box<dyn FnOnce() -> PlacementOutcome + Send> {
        let context = self.clone();
        Box::new(move || sim::run(&context))
    }

    async fn over_nodes<T>(
        &self,
        mut options: Options,
        then: impl AsyncFnOnce(PlacementOutcome) -> T,
    ) -> T {
        if let Nodes::Children { pin } = &mut options.nodes {
            // Work and packets of a node would be in each other's way on one core.
            *pin = false;
        }
        process::run(self, options, then).await
    }

    fn summary(&self, collector: &PlacementCollector, facts: RunFacts<'_>) -> PlacementSummary {
        PlacementSummary::new(&self.plan, collector, facts)
    }

    fn write(&self, collector: &PlacementCollector, dir: &ResultsDir) -> Result<(), ResultsError> {
        files::write(dir, &self.plan, collector)
    }

    fn table(summary: &PlacementSummary, dir: &Path) -> String {
        shown::render(summary, dir)
    }

    fn report(dir: &Path, manifest: Manifest) -> Result<String, ReportError> {
        report::render_with(dir, manifest)
    }
}
