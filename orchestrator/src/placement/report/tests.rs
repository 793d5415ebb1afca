//! Reports of runs that were played for the purpose.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use fogbit_scenario::TopologyFile;
use fogbit_scenario::placement::PlacementScenario;

use super::*;
use crate::harness::{ProblemCollector, ProblemSummary, RunFacts, sim};
use crate::placement::backend::{Placement, PlacementContext};
use crate::placement::files;
use crate::placement::models::Models;
use crate::placement::plan::PlacementPlan;
use crate::report::markup::well_formed;
use crate::results::ResultsDir;

const HEAD: &str = "about = \"a <b> & 'c'\"\nproblem = \"placement\"\nslots = 60\nseeds = 2\n";
const POLICIES: &str = "[policies.always-local]\nkind = \"always-local\"\n\
                        [policies.rule]\nkind = \"rule\"\n[policies.online]\nkind = \"online\"\n\
                        [policies.oracle]\nkind = \"oracle\"\nshadow = true\n";

/// The page of a run of a topology; `stopped` before its first slot.
fn report(middle: &str, stopped: bool) -> String {
    let text = format!("{HEAD}{middle}\n{POLICIES}");
    let file = TopologyFile::from_text(Path::new("t.toml"), text);
    let scenario = PlacementScenario::from_file(&file).unwrap_or_else(|error| panic!("{error}"));
    let plan = Arc::new(PlacementPlan::new(scenario));
    let folder = tempfile::tempdir().unwrap();
    let dir = ResultsDir::create(&folder.path().join("out")).unwrap();
    let models = Arc::new(Models::prepare(&plan, true, &AtomicBool::new(false)).unwrap());
    let context = PlacementContext {
        stop: Arc::new(AtomicBool::new(stopped)),
        ..PlacementContext::new(Placement { plan: Arc::clone(&plan), models })
    };
    let mut outcome = sim::run(&context);
    outcome.collector.add_unplayed(&plan);
    let status = outcome.status(&plan);
    let facts = RunFacts { backend: "sim", status, links: None, seconds: 1.5 };
    let summary = PlacementSummary::new(&plan, &outcome.collector, facts);
    files::write(&dir, &plan, &outcome.collector).unwrap();
    dir.write("summary.json", summary.to_json().as_bytes()).unwrap();
    dir.write("topology.toml", plan.scenario.resolved_toml().as_bytes()).unwrap();
    let links = r#"[{"link": "<edge>", "configured": 70.0, "measured": 70.31}]"#;
    dir.write(crate::links::LINKS_FILE, links.as_bytes()).unwrap();
    let html = render_with(dir.path(), Manifest::begin("sim", &plan.seeds)).unwrap();
    check(&html);
    html
}

/// What holds for every report: one page, no script, nothing from elsewhere, sound drawings.
fn check(html: &str) {
    assert!(html.starts_with("<!DOCTYPE html>") && html.ends_with("</html>\n"));
    for banned in ["<script", "http:", "https:", "url(http", "@import", "NaN", ">inf", "src="] {
        assert!(!html.contains(banned), "{banned}");
    }
    let body = &html[html.find("<body>").unwrap()..html.find("</html>").unwrap()];
    let body = body.replace("<br>", "<br/>");
    well_formed(&body).unwrap_or_else(|error| panic!("{error}\n{body}"));
}

#[test]
fn a_run_over_a_link_that_changes() {
    let html = report(
        "[nodes]\ncount = 2\n[links]\nprofile = \"5g\"\n[[link]]\nto = \"h1\"\nprofile = \"lte\"\n\
         [[event]]\nat = 31\nprofile = \"3g\"\n",
        false,
    );
    for part in [
        "a &lt;b&gt; &amp; &#39;c&#39;",
        "5g+lte",
        "Events by slot, dotted in the figures: 31 3g.",
        "Degenerate, one answer to every task: <b>always-local</b> (local).",
        "Links: configured and measured",
        "&lt;edge&gt;",
        "id='break-even'",
        "id='latency'",
        "id='regret'",
        "id='offloaded'",
        "id='accuracy'",
        "id='spread'",
    ] {
        assert!(html.contains(part), "no {part}");
    }
    assert!(!html.contains("This run is"), "it is complete");
    // The node h0 over 5g and 3g, h1 over lte and 3g, which is the same; and the task node.
    let chart = html.split("id='break-even'").nth(1).unwrap();
    let chart = &chart[..chart.find("</svg>").unwrap()];
    assert_eq!(chart.matches("class='end'").count(), 4, "{chart}");
}

#[test]
fn nothing_was_played() {
    let html = report("[nodes]\ncount = 1\n[links]\nprofile = \"lte\"\n", true);
    assert!(html.contains("This run is partial."));
    assert!(html.contains("Complete trials: 0 of 8."));
    assert!(html.contains("<b>Latency over slots</b> is not drawn: no trial has played a slot."));
    assert!(html.contains("<b>How latencies are spread</b> is not drawn: no trial is complete."));
}

#[test]
fn without_links_and_with_very_many_changes() {
    let html = report("[nodes]\ncount = 3\n", false);
    assert!(html.contains("none <span class='sub'>slots 1–60</span>"));
    let event = |at: u64| format!("[[event]]\nat = {at}\nprofile = {{ rtt_ms = {at} }}\n");
    let many: String = (2..=40).map(event).collect();
    let html = report(&format!("[nodes]\ncount = 1\n[links]\nprofile = \"lte\"\n{many}"), false);
    assert!(!html.contains("slots 2–2"), "the whole run alone is shown");
    assert!(html.contains("whole run"));
}
