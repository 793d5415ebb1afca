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
use super::read::{self, CurvePoint};
use super::summary::PlacementSummary;
use crate::plan::Status;
use crate::report::beyond::Mark;
use crate::report::markup::{escape, parameters, put, seed_ranges, shortened};
use crate::report::pairs::{HEAD, Named, forest};
use crate::report::{
    ReportError, banner_of, count, events, footer_of, links, looks, page, status_word,
    tables as common,
};
use crate::results::Manifest;
use crate::results::read as results;
use crate::results::summary::Pair;

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
    let trials = &data.summary.trials;
    let complete = trials.iter().filter(|trial| trial.status == Status::Complete).count();
    let (run, all) =
        (&data.summary.run, data.summary.policies.len() as u64 * data.summary.run.seeds);
    let valid = run.valid && data.manifest.valid;
    out.push_str(&banner_of(run.status, valid, &data.manifest, (complete, all)));
    out.push_str(&tables::degenerate(&data));
    out.push_str(&tables::policies(&data));
    out.push_str(&tables::decisions(&data));
    out.push_str(&break_even::section(&data));
    out.push_str(&links::section(data.links.as_ref()));
    out.push_str(&pairs(&data));
    out.push_str(&common::verdicts(&data.summary.expectations));
    out.push_str(&tables::unfinished(&data));
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
        let (look, name) = (&self.looks[index], escape(&self.summary.policies[index].name));
        format!("<span class='key {look}'></span>{name}")
    }

    /// Kind and parameters of a policy, as far as they say more than its name.
    fn details(&self, index: usize) -> String {
        let policy = &self.summary.policies[index];
        let kind = if policy.kind == policy.name { "" } else { policy.kind.as_str() };
        let parameters = parameters(&policy.parameters);
        let parts: Vec<&str> = [kind, &parameters].into_iter().filter(|t| !t.is_empty()).collect();
        parts.join(", ")
    }
}

fn head(data: &Data) -> String {
    let run = &data.summary.run;
    let mut out = format!("<h1>{}</h1>\n", escape(&run.topology));
    if let Some(about) = &run.about {
        put!(out, "<p class='about'>{}</p>\n", escape(about));
    }
    let seeds = escape(&shortened(&seed_ranges(&data.manifest.seeds), 60));
    let valid = if run.valid { "" } else { ", invalid" };
    let facts = [
        "problem <b>placement</b>".into(),
        count(run.nodes.len() as u64, "helper node", "helper nodes"),
        count(run.slots, "slot", "slots"),
        format!("clock <b>{}</b>", escape(&run.clock)),
        format!("{} ({seeds})", count(run.seeds, "seed", "seeds")),
        format!("backend <b>{}</b>", escape(&run.backend)),
        format!("status <b>{}{valid}</b>", status_word(run.status)),
    ];
    out.push_str("<p class='facts'>");
    for fact in facts {
        put!(out, "<span>{fact}</span> ");
    }
    out.push_str("</p>\n");
    out + &events(&data.marks)
}

/// Paired differences to the policy of reference.
fn pairs(data: &Data) -> String {
    let pairs = &data.summary.pairs;
    let Some(versus) = pairs.first().map(|pair| pair.versus.as_str()) else {
        return String::new();
    };
    let mut out = format!("<h2>Paired differences to {}</h2>\n", escape(versus));
    out.push_str(match pairs.iter().all(|pair| pair.low.is_none()) {
        true => {
            "<p>Policy minus reference, over the whole run. With one seed there is no interval, \
             so nothing here tells skill from luck: run it with \
             <code class='word'>--seeds 20</code>.</p>\n"
        }
        false => {
            "<p>Policy minus reference, over the whole run, seed by seed: all policies meet the \
             same tasks, loads and links. Intervals are 95 % confidence intervals of the mean \
             (Student; beside it one by the bootstrap, BCa); a filled dot has one without 0, a \
             hollow one leaves the question open.</p>\n"
        }
    });
    let named = |policy: &str| match data.index_of(policy) {
        Some(index) => Named { look: data.looks[index].clone(), name: data.policy_name(index) },
        None => Named { look: "best".into(), name: escape(policy) },
    };
    out.push_str(HEAD);
    for metric in ["mean_latency_ms", "mean_regret_ms", "accuracy"] {
        let rows: Vec<&Pair> = pairs.iter().filter(|pair| pair.metric == metric).collect();
        forest(&mut out, &rows, &named);
    }
    out.push_str(
        "</table></div>\n<p class='small'>Drawn from <a href='summary.json'><code>summary.json\
         </code></a> (<code>pairs</code>).</p>\n",
    );
    out
}

#[cfg(test)]
mod tests;
