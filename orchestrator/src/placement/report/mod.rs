//! `report.html` of the problem `placement`: one page that needs nothing but itself, made from a
//! results directory alone, and the same bytes every time.

mod break_even;
mod figures;
mod spread;
mod tables;

use std::path::Path;

use fogbit_scenario::TopologyFile;
use fogbit_scenario::placement::PlacementScenario;

use super::files::Curve;
use super::read;
use super::summary::PlacementSummary;
use crate::harness::ProblemSummary;
use crate::report::beyond::Mark;
use crate::report::policies::Policies;
use crate::report::{
    ReportError, banner, details, end, events, head_of, links, looks, page, tables as common,
};
use crate::results::Manifest;
use crate::results::read as results;
use crate::results::read::CurvePoint;

/// Makes the report of the results directory `dir`, as HTML.
///
/// # Errors
/// If `manifest.json`, `summary.json` or a curve file is missing or is something else.
pub fn render(dir: &Path) -> Result<String, ReportError> {
    render_with(dir, results::manifest(dir)?)
}

/// As [`render`], with a manifest that is not written yet: it is the last file of a run.
///
/// # Errors
/// As [`render`].
pub fn render_with(dir: &Path, manifest: Manifest) -> Result<String, ReportError> {
    let data = Data::read(dir, manifest)?;
    let mut out = page(&format!("{} – Fogbit", data.summary.run.topology), "");
    out.push_str(&head(&data));
    let (head, trials) = (data.summary.head(), &data.summary.trials);
    out.push_str(&banner(&head, &data.manifest, data.summary.policies.len(), trials));
    out.push_str(&tables::degenerate(&data));
    out.push_str(&tables::policies(&data));
    out.push_str(&tables::decisions(&data));
    out.push_str(&break_even::section(&data));
    out.push_str(&links::section(data.links.as_ref()));
    out.push_str(&ranks(&data));
    out.push_str(&differences(&data));
    out.push_str(&common::verdicts(&data.summary.expectations));
    out.push_str(&common::unfinished(trials));
    out.push_str("<h2>Figures</h2>\n");
    out.push_str(&figures::all(&data));
    out.push_str(&spread::figure(&data));
    out.push_str(&end(&data.manifest, &head));
    Ok(out)
}

/// A results directory, read.
struct Data {
    summary: PlacementSummary,
    manifest: Manifest,
    policies: Policies,
    curves: Vec<Vec<CurvePoint>>,
    /// When links change.
    marks: Vec<Mark>,
    links: Option<serde_json::Value>,
    /// None where the topology cannot be read any more.
    scenario: Option<PlacementScenario>,
}

impl Data {
    fn read(dir: &Path, manifest: Manifest) -> Result<Data, ReportError> {
        let summary = read::summary(dir)?;
        let curves =
            Curve::ALL.into_iter().map(|c| read::curve(dir, c)).collect::<Result<_, _>>()?;
        let file = TopologyFile::read(&dir.join("topology.toml")).ok();
        let scenario = file.and_then(|file| PlacementScenario::from_file(&file).ok());
        let segments = summary.run.segments.iter().skip(1);
        let mark = |s: &super::plan::Segment| Mark { slot: s.from, what: s.profile.clone() };
        Ok(Data {
            policies: Policies::new(
                summary.policies.iter().map(|policy| &policy.name),
                looks(summary.policies.iter().map(|policy| policy.kind.as_str())),
            ),
            curves,
            marks: segments.map(mark).collect(),
            links: crate::links::read(dir)?,
            scenario,
            summary,
            manifest,
        })
    }

    fn curve(&self, curve: Curve) -> &[CurvePoint] {
        let index = Curve::ALL.iter().position(|c| *c == curve).expect("it is one of all");
        &self.curves[index]
    }

    /// Kind and parameters of a policy, as far as they say more than its name.
    fn details(&self, index: usize) -> String {
        let policy = &self.summary.policies[index];
        details(&policy.name, &policy.kind, &policy.parameters)
    }
}

fn head(data: &Data) -> String {
    let facts = ("problem <b>placement</b>".into(), String::new());
    head_of(&data.summary.head(), &data.manifest, facts, &[]) + &events(&data.marks)
}

/// Who usually comes first.
fn ranks(data: &Data) -> String {
    let columns = [("latency", "mean_latency_ms"), ("regret", "mean_regret_ms")];
    data.policies.ranks(&data.summary.ranks, &columns)
}

/// Paired differences to the policy of reference.
fn differences(data: &Data) -> String {
    let metrics = &["mean_latency_ms", "mean_regret_ms", "accuracy"];
    data.policies.differences(&data.summary.pairs, metrics, "")
}

#[cfg(test)]
mod tests;
