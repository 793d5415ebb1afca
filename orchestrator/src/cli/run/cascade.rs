//! `run` for the problem `cascade`.

use std::path::Path;
use std::sync::Arc;

use fogbit_scenario::TopologyFile;
use fogbit_scenario::topology::Problem;

use super::play::compare_with;
use super::prepared::Prepared;
use super::shown::{self, ShownProblem};
use super::{BackendKind, RunArgs};
use crate::cascade::backend::Cascade;
use crate::cascade::collect::CascadeCollector;
use crate::cascade::pictures::Pictures;
use crate::cascade::plan::CascadePlan;
use crate::cascade::policies::Policies;
use crate::cascade::summary::CascadeSummary;
use crate::cascade::{files, report};
use crate::cli::cascade::render;
use crate::cli::train::until_stopped;
use crate::exit::{Exit, Failure, tell};
use crate::harness::RunFacts;
use crate::report::ReportError;
use crate::results::{Manifest, ResultsDir, ResultsError};

/// Plays a topology of the problem `cascade`.
pub(super) fn run(args: &RunArgs, file: &TopologyFile) -> Result<Exit, Failure> {
    let scenario = args.topology.cascade(file)?;
    args.without_logs(Problem::Cascade)?;
    if args.backend == BackendKind::Sim && scenario.is_wall() {
        tell(format_args!("note: in `sim` time is virtual, and every answer comes at once"));
    }
    let prepared = Prepared::new(args)?;
    let mut plan = CascadePlan::new(scenario);
    compare_with(&mut plan, args.versus.as_deref())?;
    let scenario = &plan.scenario;
    let policies = until_stopped(|stop| Policies::prepare(scenario, args.quiet, stop))??;
    // In `sim` what classifiers say is in the trace.
    let pictures = match prepared.network {
        Some(_) => until_stopped(|_| Pictures::load(scenario))??.map(Arc::new),
        None => None,
    };
    shown::run(args, prepared, Cascade { plan: Arc::new(plan), policies, pictures })
}

impl ShownProblem for Cascade {
    type Summary = CascadeSummary;

    fn resolved_toml(&self) -> String {
        self.plan.scenario.resolved_toml()
    }

    fn keep(&self, dir: &ResultsDir) -> Result<(), ResultsError> {
        files::keep_trace(dir, &self.plan).and_then(|()| self.policies.keep(dir))
    }

    fn summary(&self, collector: &CascadeCollector, facts: RunFacts<'_>) -> CascadeSummary {
        CascadeSummary::new(&self.plan, collector, facts)
    }

    fn write(&self, collector: &CascadeCollector, dir: &ResultsDir) -> Result<(), ResultsError> {
        files::write(dir, &self.plan, collector)
    }

    fn table(summary: &CascadeSummary, dir: &Path) -> String {
        render(summary, dir)
    }

    fn report(dir: &Path, manifest: Manifest) -> Result<String, ReportError> {
        report::render_with(dir, manifest)
    }
}
