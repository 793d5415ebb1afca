//! `report.html`: one page that needs nothing but itself, made from a results directory alone, and
//! the same bytes every time.

pub(crate) mod axis;
pub(crate) mod beyond;
mod choices;
pub(crate) mod figures;
mod intervals;
pub(crate) mod links;
pub(crate) mod markup;
pub(crate) mod pairs;
pub(crate) mod panel;
pub(crate) mod plot;
pub(crate) mod policies;
pub(crate) mod ranking;
pub mod sweep;
pub(crate) mod tables;
pub(crate) mod words;

use std::path::Path;

use beyond::Mark;
use markup::{escape, grouped, parameters, put, seed_ranges};
use policies::Policies;

use crate::harness::{ProblemSummary, RunHead, TrialSummary};
use crate::plan::{Curve, Status};
use crate::results::read::{self, CurvePoint, ReadError};
use crate::results::summary::{PolicySummary, Summary};
use crate::results::{Manifest, RunStatus};

const STYLE: &str = include_str!("report.css");
/// How many colours the style sheet has for policies; further ones come again with dashes.
pub(crate) const COLOURS: usize = 6;
/// Of more events than these only the first are listed; all are drawn.
const MOST_MARKS: usize = 20;

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The results cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// Makes the report of the results directory `dir`, as HTML.
///
/// # Errors
/// If `manifest.json`, `summary.json` or a curve file is missing or is something else.
pub fn render(dir: &Path) -> Result<String, ReportError> {
    render_with(dir, read::manifest(dir)?)
}

/// As [`render`], with a manifest that is not written yet: it is the last file of a run.
///
/// # Errors
/// As [`render`].
pub fn render_with(dir: &Path, manifest: Manifest) -> Result<String, ReportError> {
    let data = Data::read(dir, manifest)?;
    let run = &data.summary.run;
    let mut out = page(&format!("{} – Fogbit", run.topology), "");
    out.push_str(&head(&data));
    let (policies, trials) = (data.summary.policies.len(), &data.summary.trials);
    out.push_str(&banner(&data.summary.head(), &data.manifest, policies, trials));
    if run.own_path {
        out.push_str(
            "<p class='note'>Queues here remember the tasks they were sent, so each policy makes \
             its own future. Regret is measured on each policy’s own path, against the best choice \
             for the queues it has itself brought about; compare the total reward beside it.</p>\n",
        );
    }
    out.push_str("<h2>Policies</h2>\n");
    out.push_str(&tables::policies(&data));
    out.push_str(&ranks(&data));
    out.push_str(&differences(&data));
    out.push_str(&links::section(data.links.as_ref()));
    out.push_str(&tables::verdicts(&data.summary.expectations));
    out.push_str(&tables::unfinished(&data.summary.trials));
    out.push_str("<h2>Figures</h2>\n");
    out.push_str(&figures::all(&data));
    out.push_str(&footer(&data));
    out.push_str("</body>\n</html>\n");
    Ok(out)
}

/// How every page begins; `style` is what it needs beyond the common style sheet.
pub(crate) fn page(title: &str, style: &str) -> String {
    format!(
        "<!DOCTYPE html>\n<html lang='en'>\n<head>\n<meta charset='utf-8'>\n\
         <meta name='viewport' content='width=device-width, initial-scale=1'>\n\
         <title>{}</title>\n<style>\n{STYLE}{style}</style>\n</head>\n<body>\n",
        escape(title)
    )
}

/// A results directory, read.
struct Data {
    summary: Summary,
    manifest: Manifest,
    policies: Policies,
    curves: Vec<Vec<CurvePoint>>,
    /// What the topology has beyond the model, in a few words each.
    beyond: Vec<String>,
    /// When something changes by schedule.
    marks: Vec<Mark>,
    /// Links as configured and as measured, where they were.
    links: Option<serde_json::Value>,
}

impl Data {
    fn read(dir: &Path, manifest: Manifest) -> Result<Data, ReportError> {
        let summary = read::summary(dir)?;
        let curves =
            Curve::ALL.into_iter().map(|c| read::curve(dir, c)).collect::<Result<_, _>>()?;
        let scenario = beyond::scenario(dir);
        let looks = looks(summary.policies.iter().map(|policy| policy.kind.as_str()));
        let policies = Policies::new(summary.policies.iter().map(|policy| &policy.name), looks);
        let marks = scenario.as_ref().map(beyond::marks).unwrap_or_default();
        let beyond = scenario.as_ref().map(beyond::facts).unwrap_or_default();
        let links = crate::links::read(dir)?;
        Ok(Data { summary, manifest, policies, curves, beyond, marks, links })
    }

    fn curve(&self, curve: Curve) -> &[CurvePoint] {
        let index = Curve::ALL.iter().position(|c| *c == curve).expect("it is one of all");
        &self.curves[index]
    }

    /// Whether the policy called `name` has such a curve.
    fn has(&self, curve: Curve, name: &str) -> bool {
        self.curve(curve).iter().any(|point| point.policy == name)
    }

    /// The deviation at a slot, where it belongs to the trials of the policy’s summary.
    fn sd_at(&self, curve: Curve, policy: &PolicySummary, slot: u64) -> Option<f64> {
        let points = self.curve(curve).iter();
        let mut here = points.filter(|p| p.policy == policy.name && p.slot == slot);
        here.find(|p| p.n == policy.seeds).and_then(|p| p.sd)
    }

    /// The name with lambda where there is one, on which much depends, and no prior in its place.
    fn short_label(&self, index: usize) -> String {
        let policy = &self.summary.policies[index];
        let lambda = policy.parameters.get("lambda");
        let lambda = lambda.filter(|_| policy.parameters.get("prior").is_none_or(|p| p.is_null()));
        match lambda.and_then(serde_json::Value::as_f64) {
            Some(lambda) => format!("{} (λ = {lambda})", policy.name),
            None => policy.name.clone(),
        }
    }

    /// The name with kind and all parameters.
    fn long_label(&self, index: usize) -> String {
        let PolicySummary { name, kind, parameters, .. } = &self.summary.policies[index];
        match details(name, kind, parameters).as_str() {
            "" => name.clone(),
            details => format!("{name} ({details})"),
        }
    }

    fn label_of(&self, policy: &str) -> String {
        self.policies
            .index_of(policy)
            .map_or_else(|| policy.to_owned(), |index| self.short_label(index))
    }
}

/// The name of a policy behind a patch of its colour, as HTML.
pub(crate) fn policy_name(look: &str, name: &str) -> String {
    format!("<span class='key {look}'></span>{}", escape(name))
}

/// Kind and parameters of a policy, as far as they say more than its name.
pub(crate) fn details(name: &str, kind: &str, of: &serde_json::Value) -> String {
    let (kind, parameters) = (if kind == name { "" } else { kind }, parameters(of));
    let parts: Vec<&str> = [kind, &parameters].into_iter().filter(|t| !t.is_empty()).collect();
    parts.join(", ")
}

/// Who usually comes first. Average regret ranks as regret does.
fn ranks(data: &Data) -> String {
    let (regret, reward) = (("regret", "regret_linear"), ("reward", "reward"));
    let lost = ("lost happiness", "regret_happiness");
    let columns = match data.summary.run.own_path {
        true => [reward, regret, lost],
        false => [regret, lost, reward],
    };
    data.policies.ranks(&data.summary.ranks, &columns)
}

/// Paired differences to the policy of reference. Average regret is total regret in other units; it
/// would only repeat the picture.
fn differences(data: &Data) -> String {
    let metrics = match data.summary.run.own_path {
        true => ["reward", "regret_linear", "regret_happiness"],
        false => ["regret_linear", "regret_happiness", "reward"],
    };
    let pairs = &data.summary.pairs;
    let versus = pairs.first().map_or(String::new(), |pair| data.label_of(&pair.versus));
    pairs::section(&pairs::Section {
        pairs,
        metrics: &metrics,
        versus: &versus,
        endless: data.summary.run.slots.is_none(),
        named: |policy: &str| data.policies.named(policy),
        note: "Differences in average regret are those in regret, divided by the number of slots. ",
    })
}

/// One colour for each policy, in the order of the file; grey for those that know more than a task
/// node can: `optimal` the truth, `full-information` all bits, which is dashed.
pub(crate) fn looks<'k>(kinds: impl Iterator<Item = &'k str>) -> Vec<String> {
    let mut next = 0;
    kinds.map(|kind| look(kind, &mut next)).collect()
}

/// The classes of a policy of some kind; `next` counts the colours that are taken. Kinds that are told
/// more than a task node can see have none of their own: they are grey, and most are dashed.
pub(crate) fn look(kind: &str, next: &mut usize) -> String {
    let told_more = match kind {
        "optimal" | "oracle" => Some("best"),
        "full-information" | "clairvoyant" => Some("best d2"),
        "lower-bound" => Some("best d1"),
        "hidden-state" => Some("best told"),
        _ => None,
    };
    if let Some(look) = told_more {
        return look.to_owned();
    }
    let (colour, round) = (*next % COLOURS, (*next / COLOURS).min(2));
    *next += 1;
    format!("c{colour} d{round}")
}

pub(crate) fn count(number: u64, one: &str, many: &str) -> String {
    format!("<b>{}</b> {}", grouped(number), if number == 1 { one } else { many })
}

fn head(data: &Data) -> String {
    let features = count(data.summary.run.features as u64, "feature", "features");
    let facts = (String::new(), features);
    head_of(&data.summary.head(), &data.manifest, facts, &data.beyond) + &events(&data.marks)
}

/// How every page of a run begins: what was run. `first` and, behind the nodes, `second` are facts
/// of the problem as HTML, empty where there are none; `beyond` what else there is.
pub(crate) fn head_of(
    run: &RunHead<'_>,
    manifest: &Manifest,
    (first, second): (String, String),
    beyond: &[String],
) -> String {
    let mut out = format!("<h1>{}</h1>\n", escape(run.topology));
    if let Some(about) = run.about {
        put!(out, "<p class='about'>{}</p>\n", escape(about));
    }
    let status = status_word(run.status);
    let seeds = escape(&markup::shortened(&seed_ranges(&manifest.seeds), 60));
    let facts = [
        first,
        count(run.nodes.len() as u64, "helper node", "helper nodes"),
        second,
        run.slots.map_or("endless".into(), |slots| {
            count(slots, run.counted, &format!("{}s", run.counted))
        }),
        format!("clock <b>{}</b>", escape(run.clock)),
        format!("{} ({seeds})", count(run.seeds, "seed", "seeds")),
        format!("backend <b>{}</b>", escape(run.backend)),
        format!("status <b>{status}{}</b>", if run.valid { "" } else { ", invalid" }),
    ];
    out.push_str("<p class='facts'>");
    let beyond = beyond.iter().map(|fact| escape(fact));
    for fact in facts.into_iter().filter(|fact| !fact.is_empty()).chain(beyond) {
        put!(out, "<span>{fact}</span> ");
    }
    out + "</p>\n"
}

pub(crate) fn status_word(status: RunStatus) -> &'static str {
    match status {
        RunStatus::Running => "not finished",
        RunStatus::Complete => "complete",
        RunStatus::Partial => "partial",
        RunStatus::Failed => "failed",
    }
}

/// What happens when, in a sentence; nothing where nothing does.
pub(crate) fn events(marks: &[Mark]) -> String {
    if marks.is_empty() {
        return String::new();
    }
    let mark = |mark: &Mark| format!("{} {}", grouped(mark.slot), escape(&mark.what));
    let shown: Vec<String> = marks.iter().take(MOST_MARKS).map(mark).collect();
    let more = if marks.len() > MOST_MARKS { "; ..." } else { "" };
    format!(
        "<p class='small'>Events by slot, dotted in the figures: {}{more}.</p>\n",
        shown.join("; ")
    )
}

/// Says loudly when not to believe a run of so many policies.
pub(crate) fn banner<F>(
    run: &RunHead<'_>,
    manifest: &Manifest,
    policies: usize,
    trials: &[TrialSummary<F>],
) -> String {
    let (status, valid) = (run.status, run.valid && manifest.valid);
    let all = policies as u64 * run.seeds;
    let complete = trials.iter().filter(|trial| trial.status == Status::Complete).count();
    let (title, text) = match status {
        RunStatus::Complete if valid => return String::new(),
        RunStatus::Complete => (
            "This run is invalid.",
            "The host could not keep up with the schedule of the run, so what it shows is about \
             the host, not about the policies.",
        ),
        RunStatus::Failed => ("This run failed.", "What is shown covers only what came before."),
        RunStatus::Partial => (
            "This run is partial.",
            "It was stopped before its end; what is shown covers only what came before.",
        ),
        RunStatus::Running => (
            "This run is not finished.",
            "It is still going on, or was ended without a chance to say so.",
        ),
    };
    let mut out = format!("<div class='banner' role='alert'><strong>{title}</strong> {text}");
    if let Some(reason) = &manifest.reason {
        put!(out, " Reason: {}.", escape(reason.trim_end_matches('.')));
    }
    put!(
        out,
        " Complete trials: {complete} of {}. Totals and averages are over complete trials; curves \
         also have the others as far as they got.</div>\n",
        grouped(all)
    );
    out
}

/// A word of a command line, quoted where a shell would need it.
fn shell_word(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@%".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

fn footer(data: &Data) -> String {
    let run = &data.summary.run;
    let checks = "computes every regret anew, by a separate path";
    footer_of(&data.manifest, &run.backend, run.seconds, checks)
}

/// How the page of a run of any problem but `one-bit` ends.
pub(crate) fn end(manifest: &Manifest, head: &RunHead<'_>) -> String {
    let checks = "computes every figure anew from the decision files, by a separate path";
    footer_of(manifest, head.backend, head.seconds, checks) + "</body>\n</html>\n"
}

/// What stands in the place of a figure that cannot be drawn.
pub(crate) fn not_drawn(title: &str, reason: &str) -> String {
    format!("<p class='small'><b>{title}</b> is not drawn: {}.</p>\n", escape(reason))
}

/// How every page of a run ends; `checks` is what `fogbit verify` does.
pub(crate) fn footer_of(manifest: &Manifest, backend: &str, seconds: f64, checks: &str) -> String {
    let host = &manifest.host;
    let command: Vec<String> = manifest.command.iter().map(|word| shell_word(word)).collect();
    let finished = manifest.finished.as_deref().unwrap_or("not finished");
    let rows = [
        ("Version", format!("Fogbit {}", escape(&manifest.fogbit))),
        ("Host", escape(&format!("{} {}, {} processors", host.os, host.arch, host.cpus))),
        ("Command", format!("<code>{}</code>", escape(&command.join(" ")))),
        ("Started", escape(&manifest.started)),
        ("Finished", escape(finished)),
        ("Wall time", format!("{} s", markup::fixed(seconds, 2))),
        ("Seeds", escape(&seed_ranges(&manifest.seeds))),
        (
            "In this folder",
            format!(
                "<code>fogbit verify .</code>{checks}\
                 <code>fogbit report .</code>makes this page anew"
            ),
        ),
        (
            "Once more",
            format!(
                "<code>fogbit run topology.toml --backend {}</code>the file here has every default \
                 and override written out",
                escape(backend)
            ),
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
