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
use crate::report::pairs::Named;
use crate::report::{
    ReportError, banner, details, events, footer_of, head_of, links, looks, page, pairs,
    policy_name, ranking, tables as common,
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
    let (run, policies, trials) =
        (&data.summary.run, data.summary.policies.len(), &data.summary.trials);
    out.push_str(&banner(&data.summary.head(), &data.manifest, policies, trials));
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
    let checks = "computes every figure anew from the decision files, by a separate path";
    out.push_str(&footer_of(&data.manifest, &run.backend, run.seconds, checks));
    out.push_str("</body>\n</html>\n");
    Ok(out)
}

/// A results directory, read.
struct Data {
    summary: PlacementSummary,
    manifest: Manifest,
    /// The classes of each policy: its colour and dashes in every figure.
    looks: Vec<String>,
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
            looks: looks(summary.policies.iter().map(|policy| policy.kind.as_str())),
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

    fn index_of(&self, policy: &str) -> Option<usize> {
        self.summary.policies.iter().position(|p| p.name == policy)
    }

    /// The name behind a patch of its colour, as HTML.
    fn policy_name(&self, index: usize) -> String {
        policy_name(&self.looks[index], &self.summary.policies[index].name)
    }

    fn named(&self, policy: &str) -> Named {
        Named::of(self.index_of(policy).map(|index| self.looks[index].as_str()), policy)
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
    let (ranks, policies) = (&data.summary.ranks, data.summary.policies.len());
    ranking::section(ranks, &columns, policies, |policy| data.named(policy).name)
}

/// Paired differences to the policy of reference.
fn differences(data: &Data) -> String {
    let pairs = &data.summary.pairs;
    pairs::section(&pairs::Section {
        pairs,
        metrics: &["mean_latency_ms", "mean_regret_ms", "accuracy"],
        versus: pairs.first().map_or("", |pair| pair.versus.as_str()),
        endless: false,
        named: |policy: &str| data.named(policy),
        note: "",
    })
}

#[cfg(test)]
mod tests;
