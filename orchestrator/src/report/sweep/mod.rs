//! `report.html` of a sweep: one page, made from its directory alone, and the same bytes every time:
//! it holds no times.

mod differences;
mod grid;
mod heat;
mod lines;
mod slots;
mod tables;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::beyond::{self, Mark};
use super::markup::{escape, grouped, put, seed_ranges, shortened};
use super::{ReportError, count, looks, page};
use crate::harness::metric::Known;
use crate::results::read::ReadError;
use crate::sweep::environment::Environment;
use crate::sweep::plan::{PolicyPlan, SweepPlan};
use crate::sweep::summary::{PointSummary, SweepSummary};
use grid::Varying;

const SWEEP_STYLE: &str = include_str!("sweep.css");

/// Makes the report of the sweep in `dir`, as HTML.
///
/// # Errors
/// If `sweep.json`, `summary.json` or `curves.csv` is missing or is something else.
pub fn render(dir: &Path) -> Result<String, ReportError> {
    let data = Data::read(dir)?;
    let head = &data.summary.sweep;
    let mut out = page(&format!("{} – Fogbit sweep", head.topology), SWEEP_STYLE);
    out.push_str(&intro(&data));
    let sections: [fn(&Data) -> String; 6] = match data.has_curves() {
        true => [
            tables::ranking,
            tables::best,
            heat::section,
            lines::over_axes,
            slots::section,
            differences::section,
        ],
        // Where trials are told as a whole, what is over parameters is what a sweep is for.
        false => [
            lines::over_axes,
            tables::best,
            heat::section,
            tables::ranking,
            slots::section,
            differences::section,
        ],
    };
    for section in sections {
        out.push_str(&section(&data));
    }
    out.push_str(&footer(&data));
    out.push_str("</body>\n</html>\n");
    Ok(out)
}

/// One row of `curves.csv`.
#[derive(Debug, Clone, Deserialize)]
struct CurveRow {
    point: String,
    policy: String,
    slot: u64,
    mean: f64,
    sd: Option<f64>,
}

/// A sweep's directory, read.
struct Data {
    dir: PathBuf,
    plan: SweepPlan,
    summary: SweepSummary,
    /// All policies by name, in the order in which they come first, with their colours.
    policies: Vec<(String, String)>,
    varying: Vec<Varying>,
    /// The average regret by point and policy.
    curves: BTreeMap<(String, String), Vec<CurveRow>>,
}

fn file<T>(
    dir: &Path,
    name: &str,
    parse: impl FnOnce(&[u8]) -> Result<T, String>,
) -> Result<T, ReadError> {
    let path = dir.join(name);
    let bytes =
        std::fs::read(&path).map_err(|error| ReadError::File { path: path.clone(), error })?;
    parse(&bytes).map_err(|reason| ReadError::Content { path, reason })
}

fn json<T: for<'de> Deserialize<'de>>(bytes: &[u8]) -> Result<T, String> {
    serde_json::from_slice(bytes).map_err(|error| error.to_string())
}

/// The rows of `curves.csv`.
fn rows(dir: &Path) -> Result<Vec<CurveRow>, ReadError> {
    file(dir, "curves.csv", |bytes| {
        let rows = csv::Reader::from_reader(bytes).into_deserialize().collect();
        let rows: Result<_, csv::Error> = rows;
        rows.map_err(|error| error.to_string())
    })
}

impl Data {
    fn read(dir: &Path) -> Result<Data, ReadError> {
        let plan: SweepPlan = file(dir, "sweep.json", json)?;
        let summary: SweepSummary = file(dir, "summary.json", json)?;
        let rows = if plan.played.said().curves().is_empty() { Vec::new() } else { rows(dir)? };
        let mut curves: BTreeMap<(String, String), Vec<CurveRow>> = BTreeMap::new();
        for row in rows {
            curves.entry((row.point.clone(), row.policy.clone())).or_default().push(row);
        }
        let mut policies: Vec<&PolicyPlan> = Vec::new();
        for policy in plan.played.points.iter().flat_map(|point| &point.policies) {
            if !policies.iter().any(|known| known.name == policy.name) {
                policies.push(policy);
            }
        }
        let looks = looks(policies.iter().map(|policy| policy.kind.as_str()));
        let policies = policies.iter().map(|policy| policy.name.clone()).zip(looks).collect();
        let varying = grid::varying(&summary);
        Ok(Data { dir: dir.to_owned(), plan, policies, varying, curves, summary })
    }

    fn metric(&self) -> Known {
        self.summary.sweep.rank_by
    }

    /// Whether there are curves over the slots of trials.
    fn has_curves(&self) -> bool {
        !self.plan.played.said().curves().is_empty()
    }

    /// Whether a policy is told more than a task node can see, wherever it is.
    fn told_more(&self, policy: &str) -> bool {
        let all = self.plan.played.points.iter().flat_map(|point| &point.policies);
        all.into_iter().any(|own| own.name == policy && own.told_more)
    }

    fn look(&self, policy: &str) -> &str {
        let found = self.policies.iter().find(|(name, _)| name == policy);
        found.map_or("best", |(_, look)| look.as_str())
    }

    /// A policy's name behind a patch of its colour, as HTML.
    fn policy_name(&self, policy: &str) -> String {
        format!("<span class='key {}'></span>{}", self.look(policy), escape(policy))
    }

    fn point(&self, name: &str) -> Option<&PointSummary> {
        self.summary.points.iter().find(|point| point.point == name)
    }

    /// Whether a policy is ranked: those that know more than a task node can are no rivals.
    fn ranked(&self, point: usize, policy: &str) -> bool {
        let point = &self.plan.played.points[point];
        point.policy(policy).is_some_and(|index| !point.policies[index].told_more)
    }

    /// The events of some points; none where they are not those of all of them.
    fn marks_of(&self, points: &[&PointSummary]) -> Vec<Mark> {
        let marks = |point: &&PointSummary| {
            let path = self.dir.join(format!("topologies/{}.toml", point.point));
            beyond::scenario_of(&path).as_ref().map(beyond::marks).unwrap_or_default()
        };
        let Some((first, others)) = points.split_first() else { return Vec::new() };
        let first = marks(first);
        if others.iter().all(|other| marks(other) == first) { first } else { Vec::new() }
    }

    /// The points of an environment.
    fn points_of(&self, environment: &Environment) -> Vec<&PointSummary> {
        environment.points.iter().filter_map(|name| self.point(name)).collect()
    }

    /// The point among `points` at which a policy did best; policies that are not ranked, too.
    fn best_of<'p>(&self, points: &[&'p PointSummary], policy: &str) -> Option<&'p PointSummary> {
        let mean = |point: &&'p PointSummary| {
            let own = point.policies.iter().find(|own| own.name == policy)?;
            Some((*point, own.metric(self.metric())?.mean))
        };
        let sign = if self.metric().higher_is_better { -1.0 } else { 1.0 };
        let best =
            points.iter().filter_map(mean).min_by(|a, b| (sign * a.1).total_cmp(&(sign * b.1)));
        best.map(|(point, _)| point)
    }
}

fn intro(data: &Data) -> String {
    let head = &data.summary.sweep;
    let mut out = format!("<h1>{}: a sweep</h1>\n", escape(&head.topology));
    if let Some(about) = &head.about {
        put!(out, "<p class='about'>Base topology: {}</p>\n", escape(about));
    }
    let seeds = escape(&shortened(&seed_ranges(&data.plan.played.seeds), 60));
    let lengths = || data.summary.points.iter().map(|point| point.slots);
    let (least, most) = (lengths().min().unwrap_or(0), lengths().max().unwrap_or(0));
    let [one, many] = data.plan.played.said().counted();
    let slots = match least == most {
        true => count(most, one, many),
        false => format!("<b>{}</b> to <b>{}</b> {many}", grouped(least), grouped(most)),
    };
    let facts = [
        slots,
        count(head.points, "point", "points"),
        count(data.policies.len() as u64, "policy", "policies"),
        format!("{} ({seeds})", count(head.seeds, "seed", "seeds")),
        count(head.trials, "trial", "trials"),
        format!("ranked by <b>{}</b>", head.rank_by.style.title()),
    ];
    out.push_str("<p class='facts'>");
    for fact in facts {
        put!(out, "<span>{fact}</span> ");
    }
    out.push_str("</p>\n");
    out.push_str(&axes(data));
    if head.failed > 0 {
        put!(
            out,
            "<div class='banner' role='alert'><strong>{} of {} trials failed.</strong> They are \
             left out of every figure here; <a href='trials.csv'><code>trials.csv</code></a> has \
             them.</div>\n",
            grouped(head.failed),
            grouped(head.trials)
        );
    }
    if data.summary.points.iter().any(|point| point.own_path) {
        out.push_str(
            "<p class='note'>Queues here remember the tasks they were sent, so each policy makes \
             its own future. Regret is measured on each policy’s own path; compare the reward \
             (<code>--rank-by reward</code>).</p>\n",
        );
    }
    out
}

/// What is varied, over which values, and what is not.
fn axes(data: &Data) -> String {
    if data.varying.is_empty() {
        return "<p>Nothing is varied: there is one point.</p>\n".into();
    }
    let axis = |key: &Varying| {
        let values = shortened(&key.values.join(", "), 80);
        format!("<code>{}</code> ({})", escape(&key.key), escape(&values))
    };
    let axes: Vec<String> = data.varying.iter().map(axis).collect();
    format!(
        "<p>Varied: {}. Everything else is the same at all points; <a href='topologies/{point}.toml'>\
         <code>topologies/{point}.toml</code></a> has it written out.</p>\n",
        axes.join("; "),
        point = escape(&data.summary.points[0].point)
    )
}

fn footer(data: &Data) -> String {
    let head = &data.summary.sweep;
    let rows = [
        ("Version", format!("Fogbit {}", escape(&head.version))),
        ("Sweep", format!("<code>{}</code>", escape(&head.digest))),
        ("Seeds", escape(&seed_ranges(&data.plan.played.seeds))),
        (
            "In this folder",
            format!(
                "<code>points.csv</code>one row for each point and policy\
                 <code>trials.csv</code>one row for each trial\
                 {}<code>fogbit report .</code>makes this page anew",
                match data.has_curves() {
                    true => "<code>curves.csv</code>average regret over slots",
                    false => "",
                }
            ),
        ),
        (
            "One point",
            "<code>fogbit run topologies/p001.toml --backend sim</code>plays it once more, with \
             every decision"
                .into(),
        ),
    ];
    let mut out = String::from("<footer>\n<dl>\n");
    for (term, content) in rows {
        put!(out, "<dt>{term}</dt><dd>{content}</dd>\n");
    }
    out.push_str("</dl>\n</footer>\n");
    out
}

#[cfg(test)]
mod tests;
