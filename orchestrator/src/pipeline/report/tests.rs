//! The page, of runs that are known.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use fogbit_policy::pipeline::{Greedy, PipelinePolicy, Sight, build};
use fogbit_scenario::pipeline::{
    Application, ApplicationFate, ApplicationStep, CostTable, Measured, PipelineInstance,
    Scheduler, Span,
};
use fogbit_task_node::TrialError;
use fogbit_task_node::pipeline::{PipelineRecorder, PipelineTrial as TrialLoop, SimSites};
use serde_json::Value;

use super::*;
use crate::backend::sim::now;
use crate::harness::{ProblemLedger, RunFacts, Told};
use crate::pipeline::collect::{PipelineCollector, PipelineTrial};
use crate::pipeline::files;
use crate::pipeline::labels::Labels;
use crate::pipeline::ledger::PipelineLedger;
use crate::pipeline::plan::PipelinePlan;
use crate::pipeline::timing::{DecisionTimes, RunTimes};
use crate::plan::Status;
use crate::report::markup::well_formed;
use crate::results::{ResultsDir, RunStatus};

/// Applications of three to five sub-tasks on three sites.
const SMALL: &str = r#"about = "A <small> one"
problem = "pipeline"
applications = 40
seeds = 3
label_sweep = "sweep.csv"
[application]
sub_tasks = { min = 3, max = 5 }
[task-node]
name = "phone"
cpu_frequency_ghz = 1.5
load = { min = 0, max = 0.5 }
[[node]]
name = "edge"
cpu_frequency_ghz = 8
busy_ms = { min = 0, max = 60 }
[[node]]
name = "cloud"
cpu_frequency_ghz = 30
busy_ms = { min = 0, max = 200 }
[[link]]
between = ["phone", "edge"]
mbit_s = { min = 20, max = 100 }
rtt_ms = { min = 2, max = 15 }
[[link]]
between = ["phone", "cloud"]
mbit_s = { min = 2, max = 20 }
rtt_ms = { min = 30, max = 120 }
[[link]]
between = ["edge", "cloud"]
mbit_s = { min = 50, max = 500 }
rtt_ms = { min = 15, max = 60 }
[policies]
best = { kind = "search" }
greedy = { kind = "greedy" }
local = { kind = "fixed", site = "phone" }
dice = { kind = "random" }
"#;

/// In the place of a network: greedy, but every third application stays on the phone.
struct Lazy(Greedy);

impl PipelinePolicy for Lazy {
    fn place(&mut self, sight: &Sight<'_>, placement: &mut Vec<u8>) {
        self.0.place(
            sight.application,
            &CostTable::new(sight.application, sight.conditions),
            placement,
        );
        if sight.number.is_multiple_of(3) {
            placement.fill(0);
        }
    }
}

/// The ledger, and what a task node in real time would tell: everything takes a tenth more than the model
/// says, every eleventh application is refused and every thirteenth times out.
struct Recorder<'i> {
    ledger: PipelineLedger,
    measured: Option<&'i PipelineInstance>,
}

impl PipelineRecorder for Recorder<'_> {
    async fn record(&mut self, mut step: ApplicationStep) -> Result<(), TrialError> {
        let number = step.application;
        if let Some(instance) = self.measured {
            let application = instance.application(number);
            let table = CostTable::new(&application, &instance.conditions(number));
            let mut schedule = Scheduler::new(&application).schedule(&table, &step.placement);
            for span in schedule.sub_tasks.iter_mut().chain(&mut schedule.flows) {
                for ns in [&mut span.ready_ns, &mut span.start_ns, &mut span.end_ns] {
                    *ns += *ns / 10;
                }
            }
            begin_behind_others(&mut schedule.flows, &application, &table, &step.placement);
            let delay_ns = schedule.delay_ns();
            step.measured = Some(Measured { delay_ns, schedule });
            if number.is_multiple_of(11) {
                step.fate = ApplicationFate::Refused(7);
            } else if number.is_multiple_of(13) {
                step.fate = ApplicationFate::TimedOut;
            }
            if step.fate != ApplicationFate::Done {
                step.measured = None;
            }
        }
        self.ledger.record(&step).unwrap();
        Ok(())
    }
}

/// A task node is told when flows have arrived: the one before had left the way as long before that as
/// the way delays, and then the next one begins.
fn begin_behind_others(
    flows: &mut [Span],
    application: &Application,
    table: &CostTable,
    placement: &[u8],
) {
    let site = |end: Option<u32>| end.map_or(0, |own| usize::from(placement[own as usize]));
    let ways: Vec<[usize; 2]> =
        application.flows().iter().map(|flow| [site(flow.from), site(flow.to)]).collect();
    let mut order: Vec<usize> = (0..flows.len()).collect();
    order.sort_by_key(|at| flows[*at].end_ns);
    for (place, behind) in order.iter().enumerate() {
        let [from, to] = ways[*behind];
        let before = order[..place].iter().rev().find(|at| ways[**at] == [from, to]);
        flows[*behind].start_ns = flows[*behind].ready_ns;
        if let (Some(before), true) = (before, from != to) {
            let left_ns = flows[*before].end_ns - table.delay_ns(from, to);
            let span = &mut flows[*behind];
            span.start_ns = left_ns.clamp(span.ready_ns, span.end_ns);
        }
    }
}

fn collected(plan: &PipelinePlan, out: &ResultsDir, real: bool) -> PipelineCollector {
    let (mut collector, labels) = (PipelineCollector::new(plan), Labels::default());
    for seed in plan.seeds.clone() {
        for (policy, planned) in plan.policies.iter().enumerate() {
            let instance = plan.scenario.instance(seed);
            let made = build(&planned.spec, plan.scenario.sites(), instance.keys.random);
            let mut decider = made.unwrap_or_else(|| Box::new(Lazy(Greedy::default())));
            let file: Box<dyn std::io::Write + Send> =
                Box::new(out.decisions(&planned.name, seed).unwrap());
            let told = if real { Told::ByTaskNode } else { Told::Here };
            let ledger =
                PipelineLedger::new(instance.clone(), labels.of(&instance), told, Some(file));
            let measured = real.then_some(&instance);
            let mut recorder = Recorder { ledger: ledger.unwrap(), measured };
            let (trial, stop) = (TrialLoop { instance: &instance }, AtomicBool::new(false));
            now(trial.play(&mut SimSites, &mut *decider, &mut recorder, &stop)).unwrap();
            let account = recorder.ledger.close().unwrap();
            let (status, failure, seconds) = (Status::Complete, None, 0.5);
            collector.add(plan, PipelineTrial { policy, seed, status, account, seconds, failure });
        }
    }
    collector
}

/// Plays [`SMALL`] with `from` replaced by `to` and writes its results; gives the folder and the page.
fn played(from: &str, to: &str) -> (tempfile::TempDir, String) {
    let dir = tempfile::tempdir().unwrap();
    let mut sweep = String::from("labels,seed,model,delay_ratio,label_accuracy,exact_match\n");
    for labels in [500, 2000, 10000] {
        for seed in 1..=4 {
            let more = f64::from(labels).log10() / 20.0 + f64::from(seed) * 1e-3;
            for (model, own) in [("teacher", 0.02), ("alone", 0.0), ("distilled", 0.01)] {
                let accuracy = 0.6 + more + own;
                sweep += &format!("{labels},{seed},{model},{},{accuracy},0.4\n", 2.0 - accuracy);
            }
        }
    }
    std::fs::write(dir.path().join("sweep.csv"), sweep).unwrap();
    let file = TopologyFile::from_text(&dir.path().join("small.toml"), SMALL.replace(from, to));
    let scenario = PipelineScenario::from_file(&file).expect("a right topology");
    let (resolved, real) = (scenario.resolved_toml(), scenario.is_wall());
    let plan = Arc::new(PipelinePlan::new(scenario));
    let out = ResultsDir::create(&dir.path().join("out")).unwrap();
    let collector = collected(&plan, &out, real);
    let backend = if real { "process" } else { "sim" };
    let facts = RunFacts { backend, status: RunStatus::Complete, links: None, seconds: 1.0 };
    let took = |ns: f64| DecisionTimes { median_ns: ns, p95_ns: 1.5 * ns, applications: 512 };
    let times = RunTimes {
        policies: (0..plan.policies.len()).map(|index| took(400.0 * (index + 1) as f64)).collect(),
        exhaustive: Some(took(3.2e6)),
        placements: 243.0,
    };
    let summary = PipelineSummary::new(&plan, &collector, facts, &times);
    let mut manifest = Manifest::begin(backend, &plan.seeds);
    manifest.end(RunStatus::Complete, None, summary.run.valid);
    out.write("topology.toml", resolved.as_bytes()).unwrap();
    files::keep_label_sweep(&out, &plan).unwrap();
    files::write(&out, &plan, &collector).unwrap();
    out.write("summary.json", summary.to_json().as_bytes()).unwrap();
    out.write("manifest.json", &manifest.to_json()).unwrap();
    let html = render(out.path()).unwrap();
    if let Ok(kept) = std::env::var("FOGBIT_KEEP_PAGES") {
        std::fs::write(std::path::Path::new(&kept).join(format!("{backend}.html")), &html).unwrap();
    }
    (dir, html)
}

fn assert_well_formed(html: &str) {
    let body = &html[html.find("<body>").unwrap()..html.find("</html>").unwrap()];
    let body = body.replace("<br>", "<br/>");
    well_formed(&body).unwrap_or_else(|error| panic!("{error}\n{body}"));
    for absent in ["NaN", "inf", "not drawn"] {
        assert!(!body.contains(absent), "{absent}");
    }
}

#[test]
fn the_page_is_whole_and_the_same_every_time() {
    let lazy = "\"random\" }\nsmall = { kind = \"distilled\" }";
    let (dir, html) = played("\"random\" }", lazy);
    assert_well_formed(&html);
    assert_eq!(html, render(&dir.path().join("out")).unwrap());
    for part in [
        "A &lt;small&gt; one",
        "problem <b>pipeline</b>",
        "sites phone, edge, cloud",
        "Paired differences to greedy",
        "3.20 ms for up to 243 placements",
        "small decides 1,600 times faster",
        "id='spread-ratio'",
        "id='spread-delay'",
        "id='speed'",
        "exhaustive search",
        "id='labels'",
        "it helps with 500, 2,000 and 10,000 labels",
        "id='gantt'",
        "the delays of best and small differ most in it",
        "edge → cloud",
        "the work of others",
    ] {
        assert!(html.contains(part), "no {part}");
    }
    assert!(!html.contains("Measured and modelled"));
}

#[test]
fn measured_times_are_told_and_verified() {
    let (dir, html) = played("seeds = 3", "seeds = 2\nclock = { kind = \"wall\" }");
    assert_well_formed(&html);
    for part in ["Measured and modelled", "timed out", "refused", ", measured: ", ", modelled: "] {
        assert!(html.contains(part), "no {part}");
    }
    let summary = read::summary(&dir.path().join("out")).unwrap();
    for policy in &summary.policies {
        let measured = policy.whole.measured.as_ref().unwrap();
        assert!((measured.ratio.p50 - 1.1).abs() < 1e-6, "{measured:?}");
        // Numbers 11, 22, 33 are refused, 13, 26 and 39 time out, under each of two seeds.
        let counts = policy.whole.counts;
        assert_eq!((counts.refused, counts.timed_out, measured.ratio.count), (6, 6, 68));
    }
    let compared = crate::pipeline::verify::verify(&dir.path().join("out")).unwrap();
    assert_eq!(compared.findings, []);
    assert_eq!((compared.trials, compared.slots), (8, 8 * 40));
    // A schedule whose end is another one, and one with a part too few.
    let path = dir.path().join("out/applications.json");
    let right: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let schedule = "/policies/greedy/4/measured/schedule";
    for part in ["/flows/0/end_ns", "/sub_tasks/1/start_ns", "/flows", "/sub_tasks"] {
        let mut changed = right.clone();
        let value = changed.pointer_mut(&format!("{schedule}{part}")).unwrap();
        match value {
            Value::Array(spans) => drop(spans.pop()),
            number => *number = Value::from(99_000_000_000_u64),
        }
        std::fs::write(&path, changed.to_string()).unwrap();
        let compared = crate::pipeline::verify::verify(&dir.path().join("out")).unwrap();
        let told = "applications.json: application 5 of greedy: schedule";
        let found = compared.findings.iter();
        let found = found.map(|own| format!("{}: {}", own.place, own.difference));
        assert!(found.clone().any(|own| own.starts_with(told)), "{part}: {:?}", compared.findings);
    }
}

/// Every figure of the summary that is not measured is computed anew, and whatever was changed is found.
#[test]
fn what_was_forged_is_found() {
    let (dir, _) = played("seeds = 3", "seeds = 3");
    let out = dir.path().join("out");
    let findings = || crate::pipeline::verify::verify(&out).map(|found| found.findings);
    assert_eq!(findings().unwrap(), []);
    let path = out.join("summary.json");
    let told = std::fs::read_to_string(&path).unwrap();
    let told: Value = serde_json::from_str(&told).unwrap();
    let mut forged = 0;
    for pointer in numbers(&told) {
        let unchecked = ["/decision/", "seconds", "/parameters/", "seeds_needed"];
        let is_time = pointer.starts_with("/exhaustive/") && !pointer.ends_with("/placements");
        if is_time || unchecked.iter().any(|part| pointer.contains(part)) {
            continue;
        }
        let mut changed = told.clone();
        let value = changed.pointer_mut(&pointer).unwrap();
        *value = match value.as_u64() {
            Some(count) => Value::from(count + 1),
            None => Value::from(value.as_f64().unwrap() * 1.001 + 1e-5),
        };
        std::fs::write(&path, changed.to_string()).unwrap();
        assert_ne!(findings().unwrap_or_default(), [], "{pointer}");
        forged += 1;
    }
    assert!(forged > 500, "{forged}");
    // Times of decisions are never the same, but some cannot be.
    for timed in ["/exhaustive", "/policies/0/decision"] {
        for (key, value) in [("median_ns", -1.0), ("p95_ns", 1.0), ("applications", 0.0)] {
            let mut changed = told.clone();
            let number = if key == "applications" { Value::from(0) } else { Value::from(value) };
            *changed.pointer_mut(&format!("{timed}/{key}")).unwrap() = number;
            std::fs::write(&path, changed.to_string()).unwrap();
            let found = findings().unwrap();
            assert_eq!(found.len(), 1, "{timed}/{key}: {found:?}");
            assert_eq!(found[0].difference, "these cannot be times of decisions");
        }
    }
    std::fs::write(&path, told.to_string()).unwrap();
    for (file, from, to) in [
        ("decisions/greedy-2.csv", ",done,,\n", ",timed-out,,\n"),
        ("decisions/dice-1.csv", ",done,,\n", ",done,17,\n"),
        ("decisions/dice-1.csv", ",done,,\n", ",done,,17\n"),
        ("applications.json", "\"placement\":\"0", "\"placement\":\"1"),
        ("applications.json", "\"seed\":1", "\"seed\":2"),
        ("applications.json", "\"application\":7,", "\"application\":107,"),
        ("distributions.csv", "local,ratio,0.5,", "local,ratio,0.5,1"),
        ("distributions.csv", "best,delay_ms,0.995,", "best,delay_ms,0.996,"),
        ("distributions.csv", "dice,ratio,0.25,", "other,ratio,0.25,"),
        ("label-sweep.csv", "500,1,teacher,", "500,2,teacher,"),
        ("label-sweep.csv", "500,1,teacher,", "501,1,teacher,"),
        ("label-sweep.csv", "500,1,alone,", "500,1,alones,"),
        ("label-sweep.csv", ",0.4\n", ",1.4\n"),
        ("label-sweep.csv", ",0.4\n", ",NaN\n"),
        ("label-sweep.csv", ",0.4\n", "\n"),
        ("topology.toml", "label-sweep.csv", "other.csv"),
        ("topology.toml", "label_sweep = \"label-sweep.csv\"\n", ""),
    ] {
        let path = out.join(file);
        let right = std::fs::read_to_string(&path).unwrap();
        assert!(right.contains(from), "{file}: {from}");
        std::fs::write(&path, right.replacen(from, to, 1)).unwrap();
        assert_ne!(findings().unwrap_or_default(), [], "{file}: {to}");
        std::fs::write(&path, right).unwrap();
    }
    forged_rows(&out);
    assert_eq!(findings().unwrap(), []);
}

/// Each column of a decision file in turn, a row too few, and one too many.
fn forged_rows(out: &Path) {
    let path = out.join("decisions/dice-2.csv");
    let right = std::fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = right.lines().collect();
    let fields: Vec<&str> = lines[5].split(',').collect();
    let turned = |text: &str| -> String {
        // Another site for the first sub-task.
        let first = if text.starts_with('0') { '1' } else { '0' };
        std::iter::once(first).chain(text.chars().skip(1)).collect()
    };
    let mut texts = vec![lines[..20].join("\n"), format!("{right}{}", lines[9])];
    for (column, put) in [
        (0, "6".to_owned()),
        (1, turned(fields[1])),
        (2, turned(fields[2])),
        (3, format!("{}1", fields[3])),
        (4, format!("{}1", fields[4])),
        (5, format!("{}1", fields[5])),
        (6, "refused-3".to_owned()),
        (7, "12".to_owned()),
    ] {
        let mut changed = fields.clone();
        changed[column] = &put;
        let mut all: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
        all[5] = changed.join(",");
        texts.push(all.join("\n"));
    }
    for text in texts {
        std::fs::write(&path, text + "\n").unwrap();
        let found = crate::pipeline::verify::verify(out).unwrap();
        assert!(found.findings[0].place.contains("dice-2"), "{:?}", found.findings);
    }
    std::fs::write(&path, right).unwrap();
}

/// Where there are numbers in a value.
fn numbers(of: &Value) -> Vec<String> {
    let within = |key: String, value: &Value| -> Vec<String> {
        numbers(value).into_iter().map(|rest| format!("/{key}{rest}")).collect()
    };
    match of {
        Value::Number(_) => vec![String::new()],
        Value::Array(all) => {
            let all = all.iter().enumerate();
            all.flat_map(|(index, value)| within(index.to_string(), value)).collect()
        }
        Value::Object(all) => {
            all.iter().flat_map(|(key, value)| within(key.clone(), value)).collect()
        }
        _ => Vec::new(),
    }
}

#[test]
fn what_cannot_be_drawn_says_why() {
    let (dir, _) = played("label_sweep = \"sweep.csv\"\n", "");
    let out = dir.path().join("out");
    let html = render(&out).unwrap();
    assert!(html.contains("the topology names no label sweep"));
    std::fs::write(out.join("label-sweep.csv"), "labels,model\n500,<b>\n").unwrap();
    std::fs::write(out.join("topology.toml"), "about = 7").unwrap();
    let html = render(&out).unwrap();
    assert!(html.contains("label-sweep.csv"), "what is wrong with the sweep is told");
    assert!(html.contains("topology.toml cannot be read"));
}

/// Of nothing there is a page too.
#[test]
fn a_run_without_a_complete_trial_has_a_page() {
    let (dir, _) = played("seeds = 3", "seeds = 1");
    let out = dir.path().join("out");
    std::fs::write(out.join("distributions.csv"), "policy,kind,quantile,value\n").unwrap();
    std::fs::write(out.join("applications.json"), "{\"seed\":1,\"policies\":{}}").unwrap();
    let html = render(&out).unwrap();
    for reason in ["no trial is complete", "no application was placed"] {
        assert!(html.contains(reason), "no {reason}");
    }
}
