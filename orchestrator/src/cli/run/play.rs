//! How the trials of any problem are played, from the results directory to the end.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::watch;

use super::RunArgs;
use super::ending::Ending;
use crate::backend::process::{Options, Targets};
use crate::cli::network::Network;
use crate::cli::results::{results_dir, unwritten};
use crate::cli::stopping::until_asked_twice;
use crate::exit::{Exit, Failure};
use crate::harness::{Outcome, ProblemCollector, ProblemPlan, ProblemSummary, RunFacts};
use crate::report::ReportError;
use crate::results::{Manifest, ResultsDir, ResultsError};

/// What a problem's backends come to.
pub(super) type OutcomeOf<R> = Outcome<<R as ProblemRun>::Collector>;
/// What a problem's backends are given to do.
pub(super) type PlanOf<R> = <<R as ProblemRun>::Collector as ProblemCollector>::Plan;

/// A run of some problem: how its trials are played, and what is made of them.
pub(super) trait ProblemRun: Sized {
    /// What its trials are gathered in.
    type Collector: ProblemCollector + Send + 'static;
    /// What they come to.
    type Summary: ProblemSummary;

    /// What to do.
    fn plan(&self) -> &PlanOf<Self>;

    /// What is set for an end as soon as possible.
    fn stop(&self) -> &AtomicBool;

    /// Does what must be done before the first trial; an outcome is the end of the run.
    async fn begin(&self, _dir: &ResultsDir) -> Option<OutcomeOf<Self>> {
        None
    }

    /// Everything that plays the trials in virtual time, to be called in a thread that may block.
    fn in_virtual_time(&self) -> Box<dyn FnOnce() -> OutcomeOf<Self> + Send>;

    /// Plays them over nodes, and has `then` make something of the outcome while these are still
    /// there.
    async fn over_nodes<T>(
        &self,
        options: Options,
        then: impl AsyncFnOnce(OutcomeOf<Self>) -> T,
    ) -> T;

    /// Has Prometheus told whether the run, which is over, is to be believed.
    fn judged(&self, valid: bool);

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

/// Has the policies of a plan compared with the one that the user wants.
pub(super) fn compare_with(
    plan: &mut impl ProblemPlan,
    versus: Option<&str>,
) -> Result<(), Failure> {
    let Some(name) = versus else { return Ok(()) };
    let names: Vec<&str> = plan.policies().iter().map(|policy| policy.name.as_str()).collect();
    let policy = names.iter().position(|known| *known == name).ok_or_else(|| {
        Failure::usage(format!("--versus {name}: no policy of this run is called so"))
            .help(format!("policies here: {}", names.join(", ")))
    })?;
    plan.compare_with(policy);
    Ok(())
}

/// Makes the results directory, and writes what explains the results before there are any; the
/// problem keeps its own files beside it.
pub(super) fn begin(
    args: &RunArgs,
    plan: &impl ProblemPlan,
    topology: &str,
    resolved_toml: &str,
) -> Result<(ResultsDir, Manifest), Failure> {
    let dir = results_dir(args.out.as_deref(), topology)?;
    let manifest = Manifest::begin(args.backend.name(), plan.seeds());
    dir.write("manifest.json", &manifest.to_json())
        .and_then(|()| dir.write("topology.toml", resolved_toml.as_bytes()))
        .map_err(unwritten)?;
    Ok((dir, manifest))
}

/// Plays the plan on the backend; a signal stops it, and a second one ends it with no outcome.
pub(super) async fn play<R: ProblemRun>(
    args: &RunArgs,
    run: &R,
    network: Option<Network>,
    targets: Targets,
    ending: Ending,
) -> Result<Exit, Failure> {
    let (tell, stopped) = watch::channel(false);
    let played = async {
        let told = stopped.clone();
        if let Some(outcome) = run.begin(ending.dir()).await {
            return ending.end(run, outcome, told).await;
        }
        let Some(network) = network else {
            let joined = tokio::task::spawn_blocking(run.in_virtual_time()).await;
            let outcome = joined.map_err(|error| Failure::new(Exit::Internal, error))?;
            return ending.end(run, outcome, told).await;
        };
        let (options, _made) = network.options(args, ending.dir().path(), targets, stopped)?;
        run.over_nodes(options, async |outcome| ending.end(run, outcome, told).await).await
    };
    let stop = || {
        run.stop().store(true, Ordering::Relaxed);
        let _ = tell.send(true);
    };
    // Whoever asks twice does not want to wait; what must not be left is removed all the same.
    until_asked_twice(played, stop).await.unwrap_or(Ok(Exit::Interrupted))
}
