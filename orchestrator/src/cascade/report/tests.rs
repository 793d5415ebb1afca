//! The page, of runs that are known.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use fogbit_scenario::cascade::{Fate, ImageStep, Stages};
use fogbit_task_node::TrialError;
use fogbit_task_node::cascade::{CascadeRecorder, CascadeTrial as TrialLoop, SimCamera};

use super::*;
use crate::backend::sim::now;
use crate::cascade::backend::{Cascade, CascadeContext};
use crate::cascade::collect::{CascadeCollector, CascadeTrial};
use crate::cascade::files;
use crate::cascade::ledger::CascadeLedger;
use crate::cascade::plan::CascadePlan;
use crate::cascade::policies::Policies;
use crate::harness::{ProblemLedger, RunFacts, Told, sim};
use crate::report::markup::well_formed;
use crate::results::{ResultsDir, RunStatus};

/// What a task node over processes would tell: every stage takes its time, and now and then no answer
/// comes.
struct Measured(CascadeLedger);

impl CascadeRecorder for Measured {
    async fn record(&mut self, step: &ImageStep) -> Result<(), TrialError> {
        let sent = step.offloaded();
        let away = |ns| if sent { ns } else { 0 };
        let stages = Stages {
            weak_ns: 1_000_000 + step.image * 1000,
            decision_ns: 2_000,
            transmission_ns: away(4_000_000),
            queued_ns: away(10_000),
            strong_ns: away(700_000),
        };
        let fate = if sent && step.image.is_multiple_of(7) { Fate::TimedOut } else { step.fate };
        self.0.record(&ImageStep { stages, fate, ..*step }).unwrap();
        Ok(())
    }
}

fn measured(context: &CascadeContext) -> CascadeCollector {
    let plan = &context.problem.plan;
    let mut collector = CascadeCollector::new(plan);
    for seed in plan.seeds.clone() {
        for policy in 0..plan.policies.len() {
            let instance = plan.scenario.instance(seed);
            let mut decider = context.problem.policies.of(policy, &instance);
            let ledger = context.ledger((policy, seed), instance.clone(), Told::ByTaskNode);
            let mut recorder = Measured(ledger.unwrap());
            let mut camera = SimCamera::new(&instance.table);
            let trial = TrialLoop { instance: &instance };
            let stop = AtomicBool::new(false);
            now(trial.play(&mut camera, &mut *decider, &mut recorder, &stop)).unwrap();
            let account = recorder.0.close().unwrap();
            let (status, failure) = (Status::Complete, None);
            let seconds = 0.5;
            collector.add(plan, CascadeTrial { policy, seed, status, account, seconds, failure });
        }
    }
    collector
}

/// Plays a small topology and writes its results; gives the folder and the page.
fn played(change: &str, timed: bool) -> (tempfile::TempDir, String) {
    let (dir, scenario) = small(change);
    let resolved = scenario.resolved_toml();
    let plan = Arc::new(CascadePlan::new(scenario));
    let out = ResultsDir::create(&dir.path().join("out")).unwrap();
    let policies = Policies::prepare(&plan.scenario, true, &AtomicBool::new(false)).unwrap();
    let context = CascadeContext {
        decisions: Some(out.clone()),
        ..CascadeContext::new(Cascade { plan: Arc::clone(&plan), policies, pictures: None })
    };
    let collector = if timed { measured(&context) } else { sim::run(&context).collector };
    let backend = if timed { "process" } else { "sim" };
    let facts = RunFacts { backend, status: RunStatus::Complete, links: None, seconds: 1.0 };
    let summary = CascadeSummary::new(&plan, &collector, facts);
    let mut manifest = Manifest::begin(backend, &plan.seeds);
    manifest.end(RunStatus::Complete, None, true);
    out.write("topology.toml", resolved.as_bytes()).unwrap();
    files::keep_trace(&out, &plan).unwrap();
    files::write(&out, &plan, &collector).unwrap();
    out.write("summary.json", summary.to_json().as_bytes()).unwrap();
    out.write("manifest.json", &manifest.to_json()).unwrap();
    let html = render(out.path()).unwrap();
    (dir, html)
}

#[test]
fn the_page_is_whole_and_the_same_every_time() {
    let (dir, html) = played("seeds = 3", false);
    let body = &html[html.find("<body>").unwrap()..html.find("</html>").unwrap()];
    let body = body.replace("<br>", "<br/>");
    well_formed(&body).unwrap_or_else(|error| panic!("{error}\n{body}"));
    assert_eq!(html, render(&dir.path().join("out")).unwrap());
    for part in [
        "A &lt;small&gt; one",
        "gain over<br>fixed",
        "told more, not ranked",
        "Paired differences to fixed",
        "id='losses'",
        "id='trace'",
        "id='offloads-0'",
        "id='levels'",
        "id='metric'",
        "class='window'",
        "Dotted: changes of the arrivals",
        "Degenerate, one answer to every image: <b>eager</b> (send)",
    ] {
        assert!(html.contains(part), "no {part}");
    }
    // The colour of its kind in tables and figures alike, whatever stands before it in the file.
    assert!(html.contains("class='line c3 d0'") && html.contains("class='points c3 d0'"));
    // There is no way from `mdp` to `hidden-state` without them.
    for absent in ["mdp to", "Where the time went", "time (ms)", "not drawn", "NaN"] {
        assert!(!html.contains(absent), "{absent}");
    }
}

#[test]
fn measured_times_are_told_and_verified() {
    let (dir, html) = played("seeds = 2", true);
    for part in [
        "Where the time went",
        "time (ms)",
        "transmission",
        "timed out",
        "4.000 (0.000)",
        "<details>",
    ] {
        assert!(html.contains(part), "no {part}");
    }
    let compared = crate::cascade::verify::verify(&dir.path().join("out")).unwrap();
    assert_eq!(compared.findings, []);
    assert_eq!((compared.trials, compared.slots), (8, 8 * 400));
}

#[test]
fn what_cannot_be_drawn_says_why() {
    let (dir, _) = played("seeds = 1", false);
    let out = dir.path().join("out");
    std::fs::remove_dir_all(out.join("decisions")).unwrap();
    std::fs::remove_file(out.join("trace.csv")).unwrap();
    let html = render(&out).unwrap();
    for reason in ["no decisions were kept", "its trace cannot be read"] {
        assert!(html.contains(reason), "no {reason}");
    }
}
