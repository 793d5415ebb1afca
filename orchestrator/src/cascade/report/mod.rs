//! `report.html` of the problem `cascade`: one page that needs nothing but itself, made from a
//! results directory alone, and the same bytes every time.

mod curve;
mod levels;
mod losses;
mod offloads;
mod tables;
mod trace;

use std::path::Path;

use fogbit_scenario::TopologyFile;
use fogbit_scenario::cascade::CascadeScenario;
use fogbit_scenario::topology::{CascadeMetric, CascadePolicySpec};

use super::read::{self, Decision, LevelRow};
use super::summary::CascadeSummary;
use crate::harness::metric::names;
use crate::harness::{PolicyKind, ProblemSummary};
use crate::plan::Status;
use crate::report::policies::Policies;
use crate::report::{
    COLOURS, ReportError, banner, end, links, look, not_drawn, page, tables as common,
};
use crate::results::Manifest;
use crate::results::read as results;

/// What the page needs beyond the common style sheet: points without an outline, one path for all of
/// a colour, the dashes of those that are told more, and the bars of times, which are no policies.
const STYLE: &str = "svg .points { fill: none; stroke: var(--c); stroke-width: 4; stroke-linecap: \
                     round; }\nsvg .points.small { stroke-width: 2.2; }\nsvg .area { fill: \
                     var(--c); }\nsvg .window { fill: var(--grid); }\nsvg .line.told { stroke-dasharray: 7 \
                     4; }\n.both { --c: currentColor; }\n.s0 { --c: #7b3294; }\n.s1 { --c: #c2a5cf; }\n\
                     .s2 { --c: #008837; }\n.s3 { --c: #b8860b; }\n.s4 { --c: #a6dba0; }\n";

/// Makes the report of the results directory `dir`, as HTML.
///
/// # Errors
/// If `manifest.json`, `summary.json` or `levels.csv` is missing or is something else.
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
    out.push_str(&tables::degenerate(&data));
    out.push_str(&tables::policies(&data));
    out.push_str(&tables::times(&data));
    out.push_str(&links::section(data.links.as_ref()));
    out.push_str(&ranks(&data));
    out.push_str(&differences(&data));
    out.push_str(&common::verdicts(&data.summary.expectations));
    out.push_str(&common::unfinished(trials));
    out.push_str("<h2>Figures</h2>\n");
    out.push_str(&losses::figure(&data));
    out.push_str(&trace::figure(&data));
    out.push_str(&offloads::figures(&data));
    out.push_str(&levels::figure(&data));
    out.push_str(&curve::figure(&data));
    out.push_str(&end(&data.manifest, &head));
    Ok(out)
}

/// A results directory, read.
struct Data<'d> {
    dir: &'d Path,
    summary: CascadeSummary,
    manifest: Manifest,
    policies: Policies,
    levels: Vec<LevelRow>,
    links: Option<serde_json::Value>,
    /// None where the topology cannot be read any more.
    scenario: Option<CascadeScenario>,
}

impl Data<'_> {
    fn read(dir: &Path, manifest: Manifest) -> Result<Data<'_>, ReportError> {
        let summary = read::summary(dir)?;
        let file = TopologyFile::read(&dir.join("topology.toml")).ok();
        Ok(Data {
            dir,
            policies: Policies::new(
                summary.policies.iter().map(|policy| &policy.name),
                looks(&summary),
            ),
            levels: read::levels(dir)?,
            links: crate::links::read(dir)?,
            scenario: file.and_then(|file| CascadeScenario::from_file(&file).ok()),
            summary,
            manifest,
        })
    }

    /// The first seed with which all of these policies played an image.
    fn common_seed(&self, policies: &[usize]) -> Option<u64> {
        let played = |policy: &usize, seed: u64| {
            let name = &self.summary.policies[*policy].name;
            self.summary.trials.iter().any(|trial| {
                trial.policy == *name
                    && trial.seed == seed
                    && trial.slots > 0
                    && trial.status != Status::Failed
            })
        };
        let all = |seed: &&u64| policies.iter().all(|policy| played(policy, **seed));
        self.manifest.seeds.iter().find(all).copied()
    }

    /// The first decisions of a trial; none where they were not kept.
    fn decisions(&self, policy: usize, seed: u64, most: usize) -> Vec<Decision> {
        let rows = read::decisions(self.dir, &self.summary.policies[policy].name, seed);
        rows.into_iter().flatten().take(most).map_while(Result::ok).collect()
    }

    /// Policies in the order in which their decisions say most, those that see no more than a task
    /// node before the others.
    fn by_interest(&self) -> Vec<usize> {
        const KINDS: [&str; 7] =
            ["dqn", "belief", "mdp", "threshold", "hidden-state", "clairvoyant", "lower-bound"];
        let place = |index: &usize| {
            let kind = &self.summary.policies[*index].kind;
            KINDS.iter().position(|known| known == kind).unwrap_or(KINDS.len())
        };
        let mut order: Vec<usize> = (0..self.summary.policies.len()).collect();
        order.sort_by_key(place);
        order
    }
}

/// A colour for each kind, wherever in the file it stands, and for further ones of a kind those that
/// are left over; grey and dashed for those that are told more than a task node can see.
fn looks(summary: &CascadeSummary) -> Vec<String> {
    const KINDS: [&str; 4] = ["dqn", "mdp", "belief", "threshold"];
    /// Colours that no kind has.
    const LEFT_OVER: [&str; 2] = ["c4 d0", "c5 d0"];
    let (mut seen, mut further) = (Vec::new(), 0);
    let policies = summary.policies.iter();
    policies
        .map(|policy| match policy.kind.as_str() {
            kind if !CascadePolicySpec::is_ranked(kind) => look(kind, &mut 0),
            kind if seen.contains(&kind) => {
                further += 1;
                let dashed = || look("", &mut (COLOURS + further - 1));
                LEFT_OVER.get(further - 1).map_or_else(dashed, |look| (*look).to_owned())
            }
            kind => {
                seen.push(kind);
                let colour = KINDS.iter().position(|known| *known == kind).unwrap_or(KINDS.len());
                format!("c{colour} d0")
            }
        })
        .collect()
}

/// Who usually comes first.
fn ranks(data: &Data<'_>) -> String {
    let columns = [("loss", "average_loss")];
    data.policies.ranks(&data.summary.ranks, &columns)
}

/// Paired differences to the policy of reference.
fn differences(data: &Data<'_>) -> String {
    let metrics = &names::<CascadeMetric>();
    data.policies.differences(
        &data.summary.pairs,
        metrics,
        "All policies meet the same images, in the same order and at the same times. ",
    )
}

/// A small topology with one line of it changed, and the folder that it and its trace lie in: 200
/// images whose metrics and rewards are 0, 1/200, ..., 199/200, and whose weak loss is 1/2.
#[cfg(test)]
pub(super) fn small(line: &str) -> (tempfile::TempDir, CascadeScenario) {
    const TEXT: &str = r#"about = "A <small> one"
problem = "cascade"
images = 400
seeds = 2
trace = { file = "small.csv" }
stream = { spread = 0.2, reset = 0.05 }
arrivals = { kind = "markov", gaps = [1, 3], leave = [0.01, 0.01] }
bucket = { rate = 0.1, depth = 4 }
policies.fixed = { kind = "threshold" }
policies.lower = { kind = "threshold", threshold = 0.7 }
policies.eager = { kind = "threshold", threshold = -1 }
policies.bound = { kind = "lower-bound" }
"#;
    let dir = tempfile::tempdir().expect("a folder");
    let mut csv = String::from("id,entropy,weak_loss,reward,metric\n");
    for id in 0..200 {
        let value = f64::from(id) / 200.0;
        csv += &format!("{id},{value},0.5,{value},{value}\n");
    }
    std::fs::write(dir.path().join("small.csv"), csv).expect("a trace");
    let (key, _) = line.split_once('=').expect("a line KEY = VALUE");
    let lines = TEXT.lines().map(|own| if own.starts_with(key) { line } else { own });
    let text: String = lines.flat_map(|line| [line, "\n"]).collect();
    let file = TopologyFile::from_text(&dir.path().join("small.toml"), text);
    (dir, CascadeScenario::from_file(&file).expect("a right topology"))
}

#[cfg(test)]
mod tests;
