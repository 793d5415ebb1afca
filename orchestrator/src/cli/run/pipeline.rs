//! `run` for the problem `pipeline`.

use std::path::Path;
use std::sync::Arc;

use fogbit_scenario::TopologyFile;
use fogbit_scenario::topology::Problem;

use super::play::compare_with;
use super::prepared::Prepared;
use super::shown::{self, ShownProblem};
use super::{BackendKind, RunArgs};
use crate::cli::pipeline::render;
use crate::cli::train::until_stopped;
use crate::exit::{Exit, Failure, tell};
use crate::harness::RunFacts;
use crate::pipeline::backend::Pipeline;
use crate::pipeline::collect::PipelineCollector;
use crate::pipeline::labels::Labels;
use crate::pipeline::plan::PipelinePlan;
use crate::pipeline::policies::Policies;
use crate::pipeline::summary::PipelineSummary;
use crate::pipeline::{files, report};
use crate::report::ReportError;
use crate::results::{Manifest, ResultsDir, ResultsError};

/// Plays a topology of the problem `pipeline`.
pub(super) fn run(args: &RunArgs, file: &TopologyFile) -> Result<Exit, Failure> {
    let scenario = args.topology.pipeline(file)?;
    args.without_logs(Problem::Pipeline)?;
    if args.backend == BackendKind::Sim && scenario.is_wall() {
        tell(format_args!("note: in `sim` time is virtual, and all delays come from the model"));
    }
    let prepared = Prepared::new(args)?;
    let mut plan = PipelinePlan::new(scenario);
    compare_with(&mut plan, args.versus.as_deref())?;
    let plan = Arc::new(plan);
    let policies = until_stopped(|stop| Policies::prepare(&plan, args.quiet, stop))??;
    let times = Arc::new(until_stopped(|_| policies.times())?);
    let problem = Pipeline { plan, policies, times, labels: Labels::default() };
    shown::run(args, prepared, problem)
}

impl ShownProblem for Pipeline {
    type Summary = PipelineSummary;

    fn resolved_toml(&self) -> String {
        self.plan.scenario.resolved_toml()
    }

    fn keep(&self, dir: &ResultsDir) -> Result<(), ResultsError> {
        files::keep_label_sweep(dir, &self.plan).and_then(|()| self.policies.keep(dir))
    }

    fn summary(&self, collector: &PipelineCollector, facts: RunFacts<'_>) -> PipelineSummary {
        PipelineSummary::new(&self.plan, collector, facts, &self.times)
    }

    fn write(&self, collector: &PipelineCollector, dir: &ResultsDir) -> Result<(), ResultsError> {
        files::write(dir, &self.plan, collector)
    }

    fn table(summary: &PipelineSummary, dir: &Path) -> String {
        render(summary, dir)
    }

    fn report(dir: &Path, manifest: Manifest) -> Result<String, ReportError> {
        report::render_with(dir, manifest)
    }
}
