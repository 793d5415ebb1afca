//! Runs of all problems but `one-bit`, from what is made for all trials to the end.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::ending::Ending;
use super::play::{OutcomeOf, PlanOf, ProblemRun, begin, play};
use super::prepared::Prepared;
use super::{BackendKind, RunArgs};
use crate::backend::process::{Nodes, Options};
use crate::cli::results::never_begun;
use crate::exit::{Exit, Failure, tell};
use crate::exporter::{Exporter, process_registry};
use crate::harness::{AccountOf, ProblemBackend, ProblemSummary, RunContext, RunFacts};
use crate::harness::{process, sim};
use crate::progress::Display;
use crate::report::ReportError;
use crate::results::{Manifest, ResultsDir, ResultsError};

/// A problem that the harness plays: what is written and shown of a run.
pub(super) trait ShownProblem: ProblemBackend<Ledger: 'static> {
    /// What its trials come to.
    type Summary: ProblemSummary;

    /// The topology with every default filled in.
    fn resolved_toml(&self) -> String;

    /// Keeps the files that the topology names, and models, in the results directory.
    ///
    /// # Errors
    /// If one cannot be written.
    fn keep(&self, dir: &ResultsDir) -> Result<(), ResultsError>;

    /// Adds up the trials.
    fn summary(&self, collector: &Self::Collector, facts: RunFacts<'_>) -> Self::Summary;

    /// Writes the files beside `summary.json`.
    ///
    /// # Errors
    /// If one cannot be written.
    fn write(&self, collector: &Self::Collector, dir: &ResultsDir) -> Result<(), ResultsError>;

    /// What is printed for people.
    fn table(summary: &Self::Summary, dir: &Path) -> String;

    /// The report of a results directory, as HTML.
    ///
    /// # Errors
    /// If what it is made from is missing or is something else.
    fn report(dir: &Path, manifest: Manifest) -> Result<String, ReportError>;
}

/// Plays `problem`, shows and keeps the results.
pub(super) fn run<P: ShownProblem>(
    args: &RunArgs,
    prepared: Prepared,
    problem: P,
) -> Result<Exit, Failure>
where
    AccountOf<P>: Send,
{
    look_at_clock(args, &problem);
    let mut context = RunContext::new(problem);
    let registry = process_registry("orchestrator", HashMap::new());
    if prepared.exporter.is_some() {
        let internal = |error| Failure::new(Exit::Internal, error);
        context = context.with_metrics(args.backend.name(), &registry).map_err(internal)?;
    }
    let targets = prepared.serve(registry);
    let Prepared { runtime, network, exporter } = prepared;
    let problem = &context.problem;
    let toml = problem.resolved_toml();
    let (dir, manifest) = begin(args, problem.plan(), &problem.name(), &toml)?;
    problem.keep(&dir).map_err(|error| never_begun(&dir, manifest.clone(), error))?;
    let decisions = (!args.no_decisions).then(|| dir.clone());
    let context = RunContext { decisions, pace: args.pace, ..context };
    let display = Display::start(Arc::clone(&context.board), args.quiet);
    let ending = Ending::new(args, (dir, manifest), display)
        .staying(args.linger, exporter.as_ref().map(Exporter::address));
    let played = runtime.block_on(play(args, &context, network, targets, ending));
    // Trials may still be under way where the user asked twice; nobody wants them any more.
    runtime.shutdown_background();
    played
}

/// Says what has no effect with the clock of this topology.
fn look_at_clock(args: &RunArgs, problem: &impl ShownProblem) {
    if args.pace.is_some() && problem.is_wall() && args.backend != BackendKind::Sim {
        tell(format_args!("note: --pace is for virtual time; here time is real"));
    }
}

impl<P: ShownProblem> ProblemRun for RunContext<P>
where
    AccountOf<P>: Send,
{
    type Collector = P::Collector;
    type Summary = P::Summary;

    fn plan(&self) -> &PlanOf<Self> {
        self.problem.plan()
    }

    fn stop(&self) -> &AtomicBool {
        &self.stop
    }

    fn in_virtual_time(&self) -> Box<dyn FnOnce() -> OutcomeOf<Self> + Send> {
        let context = self.clone();
        Box::new(move || sim::run(&context))
    }

    async fn over_nodes<T>(
        &self,
        mut options: Options,
        then: impl AsyncFnOnce(OutcomeOf<Self>) -> T,
    ) -> T {
        if let Nodes::Children { pin } = &mut options.nodes {
            // Work and packets of a node would be in each other's way on one core.
            *pin = false;
        }
        process::run(self, options, then).await
    }

    fn judged(&self, valid: bool) {
        if let Some(metrics) = self.board.metrics() {
            metrics.run.judged(valid);
        }
    }

    fn summary(&self, collector: &P::Collector, facts: RunFacts<'_>) -> P::Summary {
        self.problem.summary(collector, facts)
    }

    fn write(&self, collector: &P::Collector, dir: &ResultsDir) -> Result<(), ResultsError> {
        self.problem.write(collector, dir)
    }

    fn table(summary: &P::Summary, dir: &Path) -> String {
        P::table(summary, dir)
    }

    fn report(dir: &Path, manifest: Manifest) -> Result<String, ReportError> {
        P::report(dir, manifest)
    }
}
