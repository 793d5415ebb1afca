//! `report.html` of the problem `pipeline`: one page that needs nothing but itself, made from a
//! results directory alone, and the same bytes every time.

mod chart;
mod gantt;
mod labels;
mod speed;
mod spread;
mod tables;

use std::path::Path;

use fogbit_scenario::TopologyFile;
use fogbit_scenario::pipeline::PipelineScenario;

use super::files::{FirstApplications, LABEL_SWEEP_FILE};
use super::read::{self, QuantileRow};
use super::summary::{PipelineSummary, PolicySummary};
use crate::harness::ProblemSummary;
use crate::report::policies::Policies;
use crate::report::{ReportError, banner, details, end, look, not_drawn, page, tables as common};
use crate::results::Manifest;
use crate::results::read as results;
use crate::train::pipeline::{LabelRow, read_rows};

/// What the page needs beyond the common style sheet: bars of what runs, waits and travels, and dots
/// that stand for what lies beyond an axis.
const STYLE: &str = "svg .busy { fill: var(--rule); }\nsvg .run { fill: var(--c); fill-opacity: .85; \
                     }\nsvg .send { fill: var(--c); fill-opacity: .6; }\nsvg .wait { fill: var(--c); \
                     fill-opacity: .22; }\nsvg .fly { stroke: var(--c); stroke-width: 1; \
                     stroke-dasharray: 2 2; fill: none; }\nsvg .run, svg .send { stroke: var(--page); stroke-width: .8; }\nsvg .faint { stroke-opacity: .3; }\nsvg .row { stroke: var(--grid); stroke-width: 1; \
                     fill: none; }\nsvg .inside { fill: var(--page); font-size: 11px; font-weight: 600; }\n\
                     svg .whisker { stroke: var(--c); stroke-width: 1.4; fill: none; }\nsvg .points { \
                     fill: none; stroke: var(--c); stroke-width: 7; stroke-linecap: round; }\n";

/// Makes the report of the results directory `dir`, as HTML.
///
/// # Errors
/// If `manifest.json`, `summary.json`, `distributions.csv` or `applications.json` is missing or is
/// something else.
pub fn render(dir: &Path) -> Result<String, ReportError> {
    render_with(dir, results::manifest(dir)?)
}

/// As [`render`], with a manifest that is not written yet: it is the last file of a run.
///
/// # Errors
/// As [`render`].
pub fn render_with(dir: &Path, manifest: Manifest) -> Result<String, ReportError> {
    let data = Data::read(dir, manifest)?;
    let mut out = page(&format!("{} – Fogbit", data.summary.run.topology), STYLE);
    out.push_str(&tables::head(&data));
    let (head, trials) = (data.summary.head(), &data.summary.trials);
    out.push_str(&banner(&head, &data.manifest, data.summary.policies.len(), trials));
    out.push_str(&tables::policies(&data));
    out.push_str(&tables::measured(&data));
    out.push_str(&ranks(&data));
    out.push_str(&differences(&data));
    out.push_str(&common::verdicts(&data.summary.expectations));
    out.push_str(&common::unfinished(trials));
    out.push_str("<h2>Figures</h2>\n");
    out.push_str(&spread::figures(&data));
    out.push_str(&speed::figure(&data));
    out.push_str(&labels::figure(&data));
    out.push_str(&gantt::figure(&data));
    out.push_str(&end(&data.manifest, &head));
    Ok(out)
}

/// A results directory, read.
struct Data {
    summary: PipelineSummary,
    manifest: Manifest,
    policies: Policies,
    distributions: Vec<QuantileRow>,
    first: FirstApplications,
    /// None where the topology names no label sweep; an error where it cannot be read.
    labels: Option<Result<Vec<LabelRow>, String>>,
    /// None where the topology cannot be read any more.
    scenario: Option<PipelineScenario>,
}

impl Data {
    fn read(dir: &Path, manifest: Manifest) -> Result<Data, ReportError> {
        let summary = read::summary(dir)?;
        let file = TopologyFile::read(&dir.join("topology.toml")).ok();
        let labels = dir.join(LABEL_SWEEP_FILE);
        Ok(Data {
            policies: Policies::new(
                summary.policies.iter().map(|policy| &policy.name),
                looks(&summary.policies),
            ),
            distributions: read::distributions(dir)?,
            first: read::first_applications(dir)?,
            labels: labels.is_file().then(|| read_rows(&labels).map_err(|error| error.to_string())),
            scenario: file.and_then(|file| PipelineScenario::from_file(&file).ok()),
            summary,
            manifest,
        })
    }

    /// Kind and parameters of a policy, as far as they say more than its name; of a network the sizes of
    /// its hidden layers, where the topology gives them: all of a training would fill lines.
    fn details(&self, index: usize) -> String {
        let policy = &self.summary.policies[index];
        if !policy.is_learned() {
            return details(&policy.name, &policy.kind, &policy.parameters);
        }
        let kind = Some(policy.kind.clone()).filter(|kind| *kind != policy.name);
        let hidden = policy.parameters["train"]["hidden"].as_array();
        let hidden = hidden.map(|sizes| {
            let sizes: Vec<String> = sizes.iter().map(serde_json::Value::to_string).collect();
            format!("hidden {}", sizes.join("-"))
        });
        kind.into_iter().chain(hidden).collect::<Vec<_>>().join(", ")
    }
}

/// Colours first for those that are looked at most: networks, then greedy ones, then all others; what
/// searches for the best is grey.
fn looks(policies: &[PolicySummary]) -> Vec<String> {
    let class = |policy: &PolicySummary| match policy.kind.as_str() {
        _ if policy.is_learned() => 0,
        "greedy" => 1,
        _ => 2,
    };
    let mut order: Vec<usize> = (0..policies.len()).collect();
    order.sort_by_key(|index| class(&policies[*index]));
    let mut looks = vec![String::new(); policies.len()];
    let mut next = 0;
    for index in order {
        let searches = policies[index].kind == "search";
        looks[index] = look(if searches { "optimal" } else { "" }, &mut next);
    }
    looks
}

/// Who usually comes first.
fn ranks(data: &Data) -> String {
    let columns = [("delay", "delay_ratio"), ("exact match", "exact_match")];
    data.policies.ranks(&data.summary.ranks, &columns)
}

/// Paired differences to the policy of reference. The mean delay is the one over the optimum in other
/// units; it would only repeat the picture.
fn differences(data: &Data) -> String {
    let metrics = &["delay_ratio", "label_accuracy", "exact_match", "optimal_share"];
    data.policies.differences(
        &data.summary.pairs,
        metrics,
        "All policies meet the same applications under the same conditions. ",
    )
}

#[cfg(test)]
mod tests;
