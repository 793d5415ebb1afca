//! What `summary.json` says of a run as a whole.

use std::path::Path;

use fogbit_scenario::cascade::{CascadeScenario, ImageRow};

use super::super::record::KEPT_IN_SIM;
use super::super::summary::CascadeSummary;
use super::close;
use crate::exit::Failure;
use crate::harness::ProblemSummary;
use crate::verify::{Compared, beside};

/// Compares what is said beside the figures.
///
/// # Errors
/// If a file of the directory cannot be read.
pub(super) fn check_beside(
    dir: &Path,
    summary: &CascadeSummary,
    scenario: &CascadeScenario,
    compared: &mut Compared,
) -> Result<(), Failure> {
    let run = &summary.run;
    let policies = summary.policies.iter();
    let policies =
        policies.map(|p| ((p.name.as_str(), p.kind.as_str(), p.parameters.clone()), p.seeds));
    let head = ProblemSummary::head(summary);
    let told = beside::Told::of(&head, &run.version, policies, &summary.trials);
    let about = scenario.topology().about.as_deref();
    let measured = (dir, run.late_share);
    let due = beside::Due::of(about, scenario.policies(), scenario.seeds(), measured)?;
    beside::check(dir, &told, &due, compared)
}

/// Holds what is said of the run as a whole against topology and trace.
pub(super) fn check_head(
    summary: &CascadeSummary,
    scenario: &CascadeScenario,
    compared: &mut Compared,
) {
    let run = &summary.run;
    let (topology, bucket) = (scenario.topology(), scenario.bucket());
    let mean = |of: &dyn Fn(&ImageRow) -> f64| {
        let rows = scenario.test().rows();
        rows.iter().map(of).sum::<f64>() / rows.len() as f64
    };
    let weak = mean(&|row| f64::from(row.weak_loss));
    let strong = mean(&|row| f64::from(row.weak_loss) - f64::from(row.reward));
    let price = f64::from(bucket.price);
    let kept = (run.backend == "sim" && scenario.images() > KEPT_IN_SIM).then_some(KEPT_IN_SIM);
    let right = [
        ("problem", run.problem == "cascade"),
        ("images", run.images == scenario.images()),
        ("clock", run.clock == topology.clock.kind()),
        ("task_node", run.task_node == topology.task_node.name),
        ("nodes", run.nodes == [topology.edge.name.as_str()]),
        ("bucket.rate", run.bucket.rate == f64::from(bucket.refill) / price),
        ("bucket.depth", run.bucket.depth == f64::from(bucket.depth) / price),
        ("bucket.levels_per_token", run.bucket.levels_per_token == bucket.price),
        ("stream", run.stream == topology.stream),
        ("arrivals", run.arrivals == topology.arrivals),
        ("weak_loss", close(run.weak_loss, weak, 1e-3)),
        // Losses are differences of single precision, or of double.
        ("strong_loss", (run.strong_loss - strong).abs() < 1e-6),
        ("kept_images", run.kept_images == kept),
    ];
    for (key, _) in right.iter().filter(|(_, right)| !right) {
        compared
            .find(format!("summary.json: run.{key}"), "not what topology.toml and its trace say");
    }
}
