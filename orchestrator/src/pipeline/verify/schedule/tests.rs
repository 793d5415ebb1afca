//! Schedules by hand, right and wrong.

use fogbit_scenario::pipeline::{Conditions, Flow, Schedule, SiteSet, SiteState, SubTask, Way};
use fogbit_scenario::work::{ComputeSpec, Execution};

use super::*;

const MS: u64 = 1_000_000;

fn span([ready, start, end]: [u64; 3]) -> Span {
    Span { ready_ns: ready * MS, start_ns: start * MS, end_ns: end * MS }
}

/// A camera on the device gives 100 KB each to two sub-tasks at the edge, which give as much to a
/// fourth on the device. Work takes 100 ms on the device and 200 ms at the edge; 100 KB occupy the way
/// for 100 ms and are there 50 ms later.
fn application() -> Application {
    let cycles = [100, 200, 200, 100].map(|ms| ms * MS);
    let sites = SiteSet::all(2);
    let flow = |from, to, bytes| Flow { from, to, bytes };
    Application::new(
        cycles.map(|cycles| SubTask { cycles, sites }).to_vec(),
        vec![
            flow(None, Some(0), 10),
            flow(Some(0), Some(1), 100_000),
            flow(Some(0), Some(2), 100_000),
            flow(Some(1), Some(3), 100_000),
            flow(Some(2), Some(3), 100_000),
            flow(Some(3), None, 10),
        ],
    )
}

fn table(busy_ms: u64) -> CostTable {
    let site = |busy_ms: u64| SiteState {
        compute: ComputeSpec {
            frequency_ghz: 1.0,
            load: 0.0,
            service_overhead_ns: 0,
            workers: 1,
            queue_limit: 0,
            payload_limit: 0,
            execution: Execution::Timed,
        },
        busy_ns: busy_ms * MS,
    };
    let way = Way { rate_bits_s: 8_000_000, delay_ns: 50 * MS };
    let conditions = Conditions::new(vec![site(0), site(busy_ms)], |_, _| way);
    CostTable::new(&application(), &conditions)
}

/// What happens, worked out by hand.
fn by_hand() -> Measured {
    let sub_tasks = [[0, 0, 100], [250, 250, 450], [350, 450, 650], [800, 800, 900]];
    let flows = [
        [0, 0, 0],
        [100, 100, 250],
        // Behind the one before: its way is free when that has left, at 250 - 50.
        [100, 200, 350],
        [450, 450, 600],
        [650, 650, 800],
        [900, 900, 900],
    ];
    let schedule =
        Schedule { sub_tasks: sub_tasks.map(span).to_vec(), flows: flows.map(span).to_vec() };
    Measured { delay_ns: 900 * MS, schedule }
}

fn check(measured: &Measured, busy_ms: u64, held_up_ns: u64) -> Result<(), String> {
    let (application, table) = (application(), table(busy_ms));
    let placement = &[0, 1, 1, 0];
    Told { application: &application, table: &table, placement, measured, held_up_ns }.check()
}

#[track_caller]
fn refused(measured: &Measured, told: &str) {
    let why = check(measured, 200, 0).expect_err(told);
    assert!(why.contains(told), "{why}");
}

#[test]
fn what_happens_is_believed() {
    assert_eq!(check(&by_hand(), 200, 0), Ok(()));
    // The edge saw the end of the first of its sub-tasks 5 ms late.
    let mut late = by_hand();
    late.schedule.sub_tasks[2].start_ns -= 5 * MS;
    assert_eq!(check(&late, 200, 5 * MS), Ok(()));
    // Its clock is behind by more than a flow to it took.
    let mut behind = by_hand();
    behind.schedule.flows[4] = span([650, 650, 650]);
    behind.schedule.flows[3] = span([450, 450, 600]);
    behind.schedule.sub_tasks[3] = span([600, 800, 900]);
    assert_eq!(check(&behind, 200, 0), Ok(()));
}

#[test]
fn what_cannot_have_happened_is_not() {
    let sub_tasks: [(usize, [u64; 3], &str); 6] = [
        (1, [250, 460, 450], "sub-task 1 was ready, began and ended in another order"),
        (0, [0, 70, 100], "sub-task 0 took less than its work does"),
        (2, [240, 450, 650], "sub-task 2 was ready before its data was there"),
        (3, [850, 850, 900], "sub-task 3 was ready at 850000000, and all of its data was there"),
        (2, [350, 380, 650], "sub-tasks 1 and 2 ran at one time on a site"),
        (1, [250, 240, 450], "sub-task 1 was ready, began and ended in another order"),
    ];
    for (number, put, told) in sub_tasks {
        let mut measured = by_hand();
        measured.schedule.sub_tasks[number] = span(put);
        refused(&measured, told);
    }
    let flows: [(usize, [u64; 3], &str); 6] = [
        (4, [650, 650, 950], "its last end is"),
        (3, [440, 450, 600], "flow 3 was ready at 440000000, not at 450000000"),
        (0, [0, 0, 5], "flow 0 took time within a site"),
        (2, [100, 150, 350], "flow 2 began at 150000000, not at 200000000"),
        (1, [100, 120, 250], "flow 1 began at 120000000, not at 100000000"),
        (3, [450, 750, 820], "flow 4 overtook flow 3"),
    ];
    for (number, put, told) in flows {
        let mut measured = by_hand();
        measured.schedule.flows[number] = span(put);
        refused(&measured, told);
    }
    let mut short = by_hand();
    short.schedule.flows.pop();
    refused(&short, "(sub-tasks, flows) = (4, 5), it has (4, 6)");
}

#[test]
fn a_site_serves_first_come_first_served() {
    let mut other = by_hand();
    other.delay_ns = 1000 * MS;
    let Schedule { sub_tasks, flows } = &mut other.schedule;
    (sub_tasks[2], sub_tasks[1]) = (span([350, 350, 550]), span([250, 550, 750]));
    (flows[4], flows[3]) = (span([550, 550, 700]), span([750, 750, 900]));
    (sub_tasks[3], flows[5]) = (span([900, 900, 1000]), span([1000, 1000, 1000]));
    refused(&other, "sub-task 2 was done before 1, which came first");
    let busy = check(&by_hand(), 400, 0).expect_err("the edge is busy until 400 ms");
    assert!(busy.contains("sub-task 1 began while its site was busy"), "{busy}");
    let held_up = check(&by_hand(), 200, 1).expect_err("nothing was held up");
    assert_eq!(held_up, "it was held up for 0 ns, not 1");
}
