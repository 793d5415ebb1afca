//! `report.html` of a suite: one page that needs nothing but itself, made from the summary alone.

mod figures;
mod tables;

use super::summary::{BenchSummary, NEAR};
use crate::report::markup::{escape, fixed, percent, put};
use crate::report::{count, page, status_word};
use crate::results::{Manifest, RunStatus};

/// The page; `manifest` is not written yet: it is the last file of a suite.
pub fn render(summary: &BenchSummary, manifest: &Manifest) -> String {
    let bench = &summary.bench;
    let mut out = page(&format!("{}: network – Fogbit", bench.topology), "");
    out.push_str(&head(summary));
    out.push_str(&banner(summary, manifest));
    let (measured, near) = summary.near();
    out.push_str("<h2>Break-even round trip</h2>\n");
    if measured > 0 {
        put!(
            out,
            "<p>With a shorter round trip than this, offloading is faster. Measured, it lies within \
             {} of the formula on <b>{near} of {measured}</b> profiles.</p>\n",
            percent(NEAR)
        );
    }
    out.push_str(&tables::break_even(summary));
    out.push_str(&figures::break_even(summary));
    out.push_str("<h2>Loss</h2>\n");
    out.push_str(&tables::loss(summary));
    out.push_str(&figures::success(summary));
    out.push_str(&figures::loss(summary));
    out.push_str("<h2>The least rate</h2>\n");
    out.push_str(&tables::rate(summary));
    out.push_str(&figures::rate(summary));
    out.push_str("<h2>Profiles, loads and payloads</h2>\n");
    out.push_str(&tables::decisions(summary));
    out.push_str(&tables::grid(summary));
    out.push_str(&figures::payloads(summary));
    out.push_str(&links(summary));
    out.push_str(&footer(summary, manifest));
    out.push_str("</body>\n</html>\n");
    out
}

fn head(summary: &BenchSummary) -> String {
    let bench = &summary.bench;
    let mut out = format!("<h1>{}: the network under stress</h1>\n", escape(&bench.topology));
    if let Some(about) = &bench.about {
        put!(out, "<p class='about'>{}</p>\n", escape(about));
    }
    let [task, helper] = &bench.nodes;
    let valid = if bench.valid { "" } else { ", invalid" };
    let facts = [
        format!("<b>{}</b> to <b>{}</b>", escape(task), escape(helper)),
        format!("{} million cycles a task", fixed(bench.cycles as f64 / 1e6, 0)),
        count(bench.profiles.len() as u64, "profile", "profiles"),
        count(bench.experiments, "experiment", "experiments"),
        format!("seed {}", bench.seed),
        format!("backend <b>{}</b>", escape(&bench.backend)),
        format!("status <b>{}{valid}</b>", status_word(bench.status)),
    ];
    out.push_str("<p class='facts'>");
    for fact in facts {
        put!(out, "<span>{fact}</span> ");
    }
    out.push_str("</p>\n");
    out
}

fn banner(summary: &BenchSummary, manifest: &Manifest) -> String {
    let bench = &summary.bench;
    let (title, text) = match bench.status {
        RunStatus::Complete if !bench.valid => (
            "This suite is invalid.",
            "The host delivered too many packets late, so what it shows is about the host, not \
             about the links.",
        ),
        RunStatus::Complete if bench.links_wrong => (
            "A link was not what it was configured to be.",
            "The experiments’ <code>links.json</code> say which.",
        ),
        RunStatus::Complete => return String::new(),
        RunStatus::Failed => ("This suite failed.", "What is shown covers only what came before."),
        RunStatus::Partial | RunStatus::Running => (
            "This suite is partial.",
            "It was stopped before its end; what is missing was not measured.",
        ),
    };
    let mut out = format!("<div class='banner' role='alert'><strong>{title}</strong> {text}");
    if let Some(reason) = &manifest.reason {
        put!(out, " Reason: {}.", escape(reason.trim_end_matches('.')));
    }
    put!(out, " Complete experiments: {} of {}.</div>\n", bench.complete, bench.experiments);
    out
}

fn links(summary: &BenchSummary) -> String {
    let links = &summary.links;
    if links.verdicts == 0 {
        return String::new();
    }
    format!(
        "<h2>Links</h2>\n<p>Every link was probed in each of its states. {} findings agree with what \
         is configured, {} contradict it, {} come from samples too small to tell; of the packets \
         {} were delivered more than 5 ms late. Each is in <code>experiments/*/links.json</code>.</p>\n",
        links.verdicts - links.wrong - links.wrong_loss,
        links.wrong + links.wrong_loss,
        links.not_resolved,
        percent(links.late_share())
    )
}

fn footer(summary: &BenchSummary, manifest: &Manifest) -> String {
    let (bench, host) = (&summary.bench, &manifest.host);
    let rows = [
        ("Version", format!("Fogbit {}", escape(&bench.version))),
        ("Host", escape(&format!("{} {}, {} processors", host.os, host.arch, host.cpus))),
        ("Command", format!("<code>{}</code>", escape(&manifest.command.join(" ")))),
        ("Started", escape(&manifest.started)),
        ("Finished", escape(manifest.finished.as_deref().unwrap_or("not finished"))),
        ("Wall time", format!("{} s", fixed(bench.seconds, 1))),
        (
            "In this folder",
            "<code>experiments/</code>each experiment as a results directory of its own, for \
             <code>fogbit report</code> and <code>fogbit verify</code>"
                .to_owned(),
        ),
    ];
    let mut out = String::from("<footer>\n<dl>\n");
    for (term, content) in rows {
        put!(out, "<dt>{term}</dt><dd>{content}</dd>\n");
    }
    out.push_str("</dl>\n</footer>\n");
    out
}
