//! `run` for the problem `placement`.

use std::path::Path;
use std::sync::Arc;

use fogbit_scenario::TopologyFile;
use fogbit_scenario::topology::Problem;

use super::play::compare_with;
use super::prepared::Prepared;
use super::shown::{self, ShownProblem};
use super::{BackendKind, RunArgs};
use crate::cli::placement::render;
use crate::cli::train::until_stopped;
use crate::exit::{Exit, Failure, tell};
use crate::harness::RunFacts;
use crate::placement::backend::Placement;
use crate::placement::collect::PlacementCollector;
use crate::placement::models::Models;
use crate::placement::plan::PlacementPlan;
use crate::placement::summary::PlacementSummary;
use crate::placement::{files, report};
use crate::report::ReportError;
use crate::results::{Manifest, ResultsDir, ResultsError};

/// Plays a topology of the problem `placement`.
pub(super) fn run(args: &RunArgs, file: &TopologyFile) -> Result<Exit, Failure> {
    let scenario = args.topology.placement(file)?;
    args.without_logs(Problem::Placement)?;
    if args.backend == BackendKind::Sim && scenario.is_wall() {
        tell(format_args!("note: in `sim` time is virtual, and all tasks are timed by the model"));
    }
    let prepared = Prepared::new(args)?;
    let mut plan = PlacementPlan::new(scenario);
    compare_with(&mut plan, args.versus.as_deref())?;
    let models = Arc::new(until_stopped(|stop| Models::prepare(&plan, args.quiet, stop))??);
    shown::run(args, prepared, Placement { plan: Arc::new(plan), models })
}

impl ShownProblem for Placement {
    type Summary = PlacementSummary;

    fn resolved_toml(&self) -> String {
        self.plan.scenario.resolved_toml()
    }

    fn keep(&self, dir: &ResultsDir) -> Result<(), ResultsError> {
        self.models.keep(dir)
    }

    fn summary(&self, collector: &PlacementCollector, facts: RunFacts<'_>) -> PlacementSummary {
        PlacementSummary::new(&self.plan, collector, facts)
    }

    fn write(&self, collector: &PlacementCollector, dir: &ResultsDir) -> Result<(), ResultsError> {
        files::write(dir, &self.plan, collector)
    }

    fn table(summary: &PlacementSummary, dir: &Path) -> String {
        render(summary, dir)
    }

    fn report(dir: &Path, manifest: Manifest) -> Result<String, ReportError> {
        report::render_with(dir, manifest)
    }
}
