//! `run` for the problem `cascade`.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use fogbit_scenario::TopologyFile;
use fogbit_scenario::topology::Problem;

use super::ending::Ending;
use super::play::{ProblemRun, begin, compare_with, play};
use super::{BackendKind, RunArgs};
use crate::backend::process::{Nodes, Options, Targets};
use crate::cascade::backend::{CascadeContext, CascadeOutcome};
use crate::cascade::board::CascadeBoard;
use crate::cascade::collect::CascadeCollector;
use crate::cascade::pictures::Pictures;
use crate::cascade::plan::CascadePlan;
use crate::cascade::policies::Policies;
use crate::cascade::summary::CascadeSummary;
use crate::cascade::{files, process, report, sim};
use crate::cli::cascade as shown;
use crate::cli::network::Network;
use crate::cli::results::never_begun;
use crate::cli::stopping::runtime;
use crate::cli::train::until_stopped;
use crate::exit::{Exit, Failure, tell};
use crate::harness::RunFacts;
use crate::progress::Display;
use crate::report::ReportError;
use crate::results::{Manifest, ResultsDir, ResultsError};

/// Plays a topology of the problem `cascade`.
pub(super) fn run(args: &RunArgs, file: &TopologyFile) -> Result<Exit, Failure> {
    let scenario = args.topology.cascade(file)?;
    args.without_logs_and_metrics(Problem::Cascade)?;
    if args.backend == BackendKind::Sim && scenario.is_wall() {
        tell(format_args!("note: in `sim` time is virtual, and every answer comes at once"));
    }
    let runtime = runtime()?;
    let network = Network::prepare(args, &runtime)?;
    let mut plan = CascadePlan::new(scenario);
    compare_with(&mut plan, args.versus.as_deref())?;
    let plan = Arc::new(plan);
    let policies = until_stopped(|stop| Policies::prepare(&plan.scenario, args.quiet, stop))??;
    let scenario = &plan.scenario;
    // In `sim` what classifiers say is in the trace.
    let pictures = match network {
        Some(_) => until_stopped(|_| Pictures::load(scenario))??.map(Arc::new),
        None => None,
    };
    let (dir, manifest) = begin(args, &*plan, &scenario.name(), &scenario.resolved_toml())?;
    files::keep_trace(&dir, &plan)
        .and_then(|()| policies.keep(&dir))
        .map_err(|error| never_begun(&dir, manifest.clone(), error))?;
    let board = Arc::new(CascadeBoard::new(&plan));
    let context = CascadeContext {
        plan: Arc::clone(&plan),
        policies,
        pictures,
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

impl ProblemRun for CascadeContext {
    type Collector = CascadeCollector;
    type Summary = CascadeSummary;

    fn plan(&self) -> &CascadePlan {
        &self.plan
    }

    fn stop(&self) -> &AtomicBool {
        &self.stop
    }

    fn in_virtual_time(&self) -> Box<dyn FnOnce() -> CascadeOutcome + Send> {
        let context = self.clone();
        Box::new(move || sim::run(&context))
    }

    async fn over_nodes<T>(
        &self,
        mut options: Options,
        then: impl AsyncFnOnce(CascadeOutcome) -> T,
    ) -> T {
        if let Nodes::Children { pin } = &mut options.nodes {
            // Classifiers and packets of a node would be in each other's way on one core.
            *pin = false;
        }
        process::run(self, options, then).await
    }

    fn summary(&self, collector: &CascadeCollector, facts: RunFacts<'_>) -> CascadeSummary {
        CascadeSummary::new(&self.plan, collector, facts)
    }

    fn write(&self, collector: &CascadeCollector, dir: &ResultsDir) -> Result<(), ResultsError> {
        files::write(dir, &self.plan, collector)
    }

    fn table(summary: &CascadeSummary, dir: &Path) -> String {
        shown::render(summary, dir)
    }

    fn report(dir: &Path, manifest: Manifest) -> Result<String, ReportError> {
        report::render_with(dir, manifest)
    }
}
