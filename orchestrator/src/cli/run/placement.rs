//! `run` for the problem `placement`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use fogbit_scenario::TopologyFile;
use fogbit_scenario::placement::PlacementScenario;

use tokio::sync::watch;

use super::{BackendKind, Format, RunArgs, results_dir, runtime, signal, unwritten};
use crate::backend::process::{Nodes, Targets};
use crate::cli::network::Network;
use crate::cli::train::until_stopped;
use crate::cli::{placement as shown, print};
use crate::exit::{Exit, Failure, tell};
use crate::expect::Judgement;
use crate::placement::backend::{PlacementContext, PlacementOutcome};
use crate::placement::board::PlacementBoard;
use crate::placement::models::Models;
use crate::placement::plan::PlacementPlan;
use crate::placement::summary::{PlacementSummary, RunFacts};
use crate::placement::{files, process, report, sim};
use crate::progress::Display;
use crate::results::{Manifest, ResultsDir, ResultsError, RunStatus};

/// Plays a topology of the problem `placement`.
pub(super) fn run(args: &RunArgs, file: &TopologyFile) -> Result<Exit, Failure> {
    let scenario = args.topology.placement(file)?;
    refuse(args)?;
    if args.backend == BackendKind::Sim && scenario.is_wall() {
        tell(format_args!("note: in `sim` time is virtual, and all tasks are timed by the model"));
    }
    let runtime = runtime()?;
    let network = Network::prepare(args, &runtime)?;
    let plan = Arc::new(plan(args, scenario)?);
    let models = Arc::new(until_stopped(|_| Models::prepare(&plan, args.quiet))??);
    let dir = results_dir(args, &plan.scenario.name())?;
    let manifest = Manifest::begin(args.backend.name(), &plan.seeds);
    describe(&dir, &plan.scenario, &models, &manifest).map_err(unwritten)?;
    let board = Arc::new(PlacementBoard::new(&plan));
    let context = PlacementContext {
        plan,
        models,
        decisions: (!args.no_decisions).then(|| dir.clone()),
        board: Arc::clone(&board),
        stop: Arc::new(AtomicBool::new(false)),
        watch: None,
    };
    let display = Display::start(board, args.quiet);
    let (backend, format) = (args.backend, args.format);
    let ending =
        Ending { display: Some(display), started: Instant::now(), dir, manifest, backend, format };
    let played = runtime.block_on(play(args, context, network, ending));
    // Trials may still be under way where the user asked twice; nobody wants them any more.
    runtime.shutdown_background();
    played
}

/// Refuses what there is for `one-bit` alone.
fn refuse(args: &RunArgs) -> Result<(), Failure> {
    let given = [
        ("--log", !args.log.is_empty()),
        ("--pace", args.pace.is_some()),
        ("--metrics", args.metrics.is_some()),
        ("--linger", args.linger),
    ];
    if let Some((flag, _)) = given.into_iter().find(|(_, given)| *given) {
        let message = format!("{flag} is for the problem `one-bit` so far, this is `placement`");
        return Err(Failure::usage(message).help("leave it out"));
    }
    Ok(())
}

/// The plan, with the policy that the user wants the others compared with.
fn plan(args: &RunArgs, scenario: PlacementScenario) -> Result<PlacementPlan, Failure> {
    let mut plan = PlacementPlan::new(scenario);
    if let Some(name) = &args.versus {
        let names: Vec<&str> = plan.policies.iter().map(|p| p.name.as_str()).collect();
        plan.versus = names.iter().position(|known| known == name).ok_or_else(|| {
            Failure::usage(format!("--versus {name}: no policy of this run is called so"))
                .help(format!("policies here: {}", names.join(", ")))
        })?;
    }
    Ok(plan)
}

/// Writes what explains the results, before there are any.
fn describe(
    dir: &ResultsDir,
    scenario: &PlacementScenario,
    models: &Models,
    manifest: &Manifest,
) -> Result<(), ResultsError> {
    dir.write("manifest.json", &manifest.to_json())?;
    dir.write("topology.toml", scenario.resolved_toml().as_bytes())?;
    models.keep(dir)
}

/// Plays the plan on the backend; a signal stops it, and a second one ends it with no outcome.
async fn play(
    args: &RunArgs,
    context: PlacementContext,
    network: Option<Network>,
    ending: Ending,
) -> Result<Exit, Failure> {
    let stop = Arc::clone(&context.stop);
    let (tell, stopped) = watch::channel(false);
    let played = async {
        let Some(network) = network else {
            let played = context.clone();
            let joined = tokio::task::spawn_blocking(move || sim::run(&played)).await;
            let outcome = joined.map_err(|error| Failure::new(Exit::Internal, error))?;
            return ending.end(&context, outcome);
        };
        let targets = Targets::new(false);
        let (mut options, _made) = network.options(args, ending.dir.path(), targets, stopped)?;
        if let Nodes::Children { pin } = &mut options.nodes {
            // Work and packets of a node would be in each other's way on one core.
            *pin = false;
        }
        process::run(&context, options, async |outcome| ending.end(&context, outcome)).await
    };
    let mut played = std::pin::pin!(played);
    tokio::select! {
        biased;
        played = &mut played => return played,
        () = signal() => {}
    }
    stop.store(true, Ordering::Relaxed);
    let _ = tell.send(true);
    tokio::select! {
        biased;
        played = &mut played => played,
        // Whoever asks twice does not want to wait.
        () = signal() => Ok(Exit::Interrupted),
    }
}

/// What is made of the outcome.
struct Ending {
    display: Option<Display>,
    started: Instant,
    dir: ResultsDir,
    manifest: Manifest,
    backend: BackendKind,
    format: Format,
}

impl Ending {
    /// Writes and shows the results.
    fn end(
        mut self,
        context: &PlacementContext,
        mut outcome: PlacementOutcome,
    ) -> Result<Exit, Failure> {
        let seconds = self.started.elapsed().as_secs_f64();
        drop(self.display.take());
        let plan = &context.plan;
        outcome.collector.add_unplayed(plan);
        let status = outcome.status(plan);
        let interrupted = context.stop.load(Ordering::Relaxed) && status == RunStatus::Partial;
        let facts = RunFacts {
            backend: self.backend.name(),
            status,
            links: outcome.links.summary(),
            seconds,
        };
        let summary = PlacementSummary::new(plan, &outcome.collector, facts);
        let reason = outcome.failure.as_ref().map(|failure| failure.message.clone());
        self.manifest.end(status, reason, summary.run.valid);
        if let Err(failure) = self.write(plan, &outcome, &summary) {
            // It must not look as if the run were still going on.
            let reason = "the results could not be written".to_owned();
            self.manifest.end(RunStatus::Failed, Some(reason), summary.run.valid);
            self.dir.overwrite("manifest.json", &self.manifest.to_json());
            return Err(failure);
        }
        match self.format {
            Format::Json => print(&summary.to_json())?,
            Format::Table => print(&shown::render(&summary, self.dir.path()))?,
        }
        self.exit(outcome, &summary, interrupted)
    }

    /// Writes the results; the manifest last, because it says that the others are there.
    fn write(
        &self,
        plan: &PlacementPlan,
        outcome: &PlacementOutcome,
        summary: &PlacementSummary,
    ) -> Result<(), Failure> {
        let dir = &self.dir;
        files::write(dir, plan, &outcome.collector).map_err(unwritten)?;
        outcome.links.write(dir).map_err(unwritten)?;
        dir.write("summary.json", summary.to_json().as_bytes()).map_err(unwritten)?;
        let html = report::render_with(dir.path(), self.manifest.clone())
            .map_err(|error| Failure::new(Exit::Internal, error))?;
        dir.write("report.html", html.as_bytes()).map_err(unwritten)?;
        dir.write("manifest.json", &self.manifest.to_json()).map_err(unwritten)
    }

    fn exit(
        &self,
        outcome: PlacementOutcome,
        summary: &PlacementSummary,
        interrupted: bool,
    ) -> Result<Exit, Failure> {
        if let Some(failure) = outcome.failure {
            let shown = Failure::new(Exit::Failed, failure.message);
            return Err(match failure.help {
                Some(help) => shown.help(help),
                None => shown,
            });
        }
        if summary.run.status == RunStatus::Failed {
            let failed = outcome.collector.rows.iter().find_map(|row| row.failure.as_ref());
            return Err(Failure::new(
                Exit::Failed,
                failed.map_or("a trial failed", |f| f.as_str()),
            ));
        }
        if interrupted {
            let dir = self.dir.path().display();
            tell(format_args!("interrupted: the results in {dir} are partial"));
            return Ok(Exit::Interrupted);
        }
        if !summary.run.valid {
            return Ok(Exit::Invalid);
        }
        let failed = summary.expectations.iter().any(|v| v.judgement == Judgement::Failed);
        Ok(if failed { Exit::Difference } else { Exit::Well })
    }
}
