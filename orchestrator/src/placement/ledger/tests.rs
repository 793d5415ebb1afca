use std::path::Path;
use std::sync::Mutex;

use fogbit_scenario::TopologyFile;
use fogbit_scenario::placement::{Execution, Fate, PlacementScenario};

use super::*;

const TEXT: &str = "problem = \"placement\"\nslots = 3\n[nodes]\ncount = 2\n\
                    [links]\nprofile = \"lte\"\n[[event]]\nat = 3\nprofile = \"5g\"\n\
                    [policies.rule]\nkind = \"rule\"\n";

fn plan() -> PlacementPlan {
    let file = TopologyFile::from_text(Path::new("t.toml"), TEXT.into());
    PlacementPlan::new(PlacementScenario::from_file(&file).unwrap())
}

/// An honest step of a slot.
fn honest(plan: &PlacementPlan, slot: u64) -> Step {
    let mut instance = plan.scenario.instance(1);
    let sights = (0..3).map(|site| instance.truth(slot, Site::at(site))).collect();
    Step {
        slot,
        task: instance.task(slot),
        sights,
        predicted_s: Vec::new(),
        execution: execution(Site::Helper(1), 200),
        shadows: Vec::new(),
    }
}

fn execution(site: Site, ms: u64) -> Execution {
    let latency_ns = ms * 1_000_000;
    Execution { site, fate: Fate::Done, latency_ns, queued_ns: 0, executed_ns: 0 }
}

#[test]
fn a_task_node_that_lies_is_not_believed() {
    let plan = plan();
    type Lie = fn(&mut Step);
    let lies: [(Lie, &str); 10] = [
        (|step| step.slot = 2, "slot 2"),
        (|step| step.task.cycles += 1, "the task is"),
        (|step| step.task.input_bytes = 0, "the task is"),
        (|step| _ = step.sights.pop(), "2 sites of 3"),
        (|step| step.sights[1].rtt_s = f64::NAN, "round-trip"),
        (|step| step.sights[2].rtt_s = -0.1, "round-trip"),
        (|step| step.predicted_s = vec![1.0], "1 sites of 3"),
        (|step| step.predicted_s = vec![1.0, f64::NAN, 1.0], "no number"),
        (|step| step.execution.site = Site::Helper(2), "site 3 of 3"),
        (|step| step.shadows = vec![step.execution], "two executions on site 2"),
    ];
    for (lie, part) in lies {
        let mut ledger = PlacementLedger::new(&plan, plan.scenario.instance(1), None).unwrap();
        let mut step = honest(&plan, 1);
        lie(&mut step);
        let told = ledger.record(&step).unwrap_err().to_string();
        assert!(told.starts_with("slot 1: ") && told.contains(part), "{part}: {told}");
        assert_eq!(ledger.booked(), 0);
        ledger.record(&honest(&plan, 1)).unwrap();
    }
}

#[test]
fn slots_are_booked_in_their_segments_and_no_more_than_there_are() {
    let plan = plan();
    let mut ledger = PlacementLedger::new(&plan, plan.scenario.instance(1), None).unwrap();
    for slot in 1..=3 {
        ledger.record(&honest(&plan, slot)).unwrap();
    }
    let told = ledger.record(&honest(&plan, 4)).unwrap_err().to_string();
    assert!(told.contains("slot 4 of 3"), "{told}");
    let account = ledger.close().unwrap();
    let tasks: Vec<u64> = account.segments.iter().map(|s| s.counts.tasks).collect();
    assert_eq!((account.slots, tasks), (3, vec![2, 1]));
    assert_eq!(account.whole().kpis().mean_latency_ms, Some(200.0));
    assert_eq!(account.windows.iter().map(|w| w.tasks).collect::<Vec<_>>(), [2, 1]);
}

/// What is measured at the link's own round trip, and takes 7 ms more than the model says,
/// leads to a break-even that is 7 ms shorter: `lte` has no loss, so k is 1.
#[test]
fn a_pair_is_carried_to_the_break_even() {
    let plan = plan();
    let mut instance = plan.scenario.instance(1);
    let mut step = honest(&plan, 1);
    let expected = instance.expected_s(1, &step.task);
    let ns = |seconds: f64| (seconds * 1e9).round() as u64;
    step.execution.latency_ns = ns(expected[2] + 0.007);
    let mut local = execution(Site::Local, 0);
    local.latency_ns = ns(expected[0]);
    step.shadows = vec![local];
    let found = pairs(&mut instance, &step);
    assert_eq!(found.len(), 1);
    let TaskPair { node, measured_ms, formula_ms } = found[0];
    assert_eq!(node, 1);
    assert!((formula_ms - (70.0 + (expected[0] - expected[2]) * 1e3)).abs() < 1e-6);
    assert!((measured_ms - (formula_ms - 7.0)).abs() < 1e-5, "{found:?}");
}

/// A file that its owner can look at afterwards.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn decisions_are_rows() {
    let plan = plan();
    let file = Shared::default();
    let instance = plan.scenario.instance(1);
    let mut ledger = PlacementLedger::new(&plan, instance, Some(Box::new(file.clone()))).unwrap();
    let mut step = honest(&plan, 1);
    step.predicted_s = vec![0.5, f64::INFINITY, 0.25];
    step.execution.fate = Fate::Refused(3);
    step.shadows = vec![execution(Site::Local, 300)];
    ledger.record(&step).unwrap();
    ledger.close().unwrap();
    let text = String::from_utf8(file.0.lock().unwrap().clone()).unwrap();
    let rows: Vec<Vec<&str>> = text.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!(rows.len(), 2);
    let value = |name: &str| rows[1][rows[0].iter().position(|n| *n == name).unwrap()];
    for (name, right) in [
        ("slot", "1"),
        ("site", "2"),
        ("fate", "refused-3"),
        ("latency_ms", "200.0"),
        ("task.predicted_ms", "500.0"),
        ("h0.predicted_ms", "inf"),
        ("h1.predicted_ms", "250.0"),
        ("h1.rtt_ms", "70.0"),
        ("task.shadow_ms", "300.0"),
        ("h1.shadow_ms", ""),
    ] {
        assert_eq!(value(name), right, "{name}");
    }
}
