//! Schedules against a second implementation (`schedules.py`), which knows nothing of this one.

use fogbit_scenario::pipeline::{
    Application, Conditions, CostTable, Flow, Scheduler, SiteSet, SiteState, Span, SubTask, Way,
};
use fogbit_scenario::work::{ComputeSpec, Execution};
use serde::Deserialize;

#[derive(Deserialize)]
struct Case {
    flows: Vec<[Option<u32>; 2]>,
    cycles: Vec<u64>,
    speed_ghz: Vec<f64>,
    bytes: Vec<u64>,
    rate_gb_s: Vec<Vec<u64>>,
    delay_ns: Vec<Vec<u64>>,
    busy_ns: Vec<u64>,
    placement: Vec<u8>,
    sub_tasks: Vec<[u64; 3]>,
    moved: Vec<[u64; 3]>,
}

fn site(frequency_ghz: f64, busy_ns: u64) -> SiteState {
    let compute = ComputeSpec {
        frequency_ghz,
        load: 0.0,
        service_overhead_ns: 0,
        workers: 1,
        queue_limit: 0,
        payload_limit: 0,
        execution: Execution::Timed,
    };
    SiteState { compute, busy_ns }
}

fn span(times: &[u64; 3]) -> Span {
    Span { ready_ns: times[0], start_ns: times[1], end_ns: times[2] }
}

impl Case {
    fn application(&self) -> Application {
        let sites = SiteSet::all(self.speed_ghz.len());
        let sub_tasks = self.cycles.iter().map(|cycles| SubTask { cycles: *cycles, sites });
        let ends = self.flows.iter().zip(&self.bytes);
        let flows = ends.map(|(&[from, to], bytes)| Flow { from, to, bytes: *bytes });
        Application::new(sub_tasks.collect(), flows.collect())
    }

    fn conditions(&self) -> Conditions {
        let sites = self.speed_ghz.iter().zip(&self.busy_ns).map(|(ghz, busy)| site(*ghz, *busy));
        Conditions::new(sites.collect(), |from, to| Way {
            rate_bits_s: 8_000_000_000 * self.rate_gb_s[from][to],
            delay_ns: self.delay_ns[from][to],
        })
    }
}

#[test]
fn schedules_are_those_of_the_second_implementation() {
    let cases: Vec<Case> = serde_json::from_str(include_str!("schedules.json")).unwrap();
    assert_eq!(cases.len(), 100);
    let mut scheduler = Scheduler::default();
    for (number, case) in cases.iter().enumerate() {
        let application = case.application();
        let table = CostTable::new(&application, &case.conditions());
        scheduler.take(&application);
        let schedule = scheduler.schedule(&table, &case.placement);
        let sub_tasks: Vec<Span> = case.sub_tasks.iter().map(span).collect();
        let flows: Vec<Span> = case.moved.iter().map(span).collect();
        assert_eq!(schedule.sub_tasks, sub_tasks, "sub-tasks of case {number}");
        assert_eq!(schedule.flows, flows, "flows of case {number}");
        let last = case.sub_tasks.iter().chain(&case.moved).map(|times| times[2]).max();
        assert_eq!(schedule.delay_ns(), last.unwrap(), "delay of case {number}");
        assert_eq!(scheduler.delay_ns(&table, &case.placement), last.unwrap());
    }
}

#[test]
fn a_chain_by_hand() {
    // 1000 cycles at 2 GHz, 800 bytes at 8 Gbit/s = 1 byte/ns with 50 ns, then 3000 cycles at 1 GHz,
    // and 100 bytes back.
    let sites = SiteSet::all(2);
    let sub_tasks = [1000, 3000].map(|cycles| SubTask { cycles, sites }).to_vec();
    let flow = |from, to, bytes| Flow { from, to, bytes };
    let flows =
        vec![flow(None, Some(0), 77), flow(Some(0), Some(1), 800), flow(Some(1), None, 100)];
    let application = Application::new(sub_tasks, flows);
    let way = Way { rate_bits_s: 8_000_000_000, delay_ns: 50 };
    let conditions = Conditions::new(vec![site(2.0, 0), site(1.0, 2000)], |_, _| way);
    let table = CostTable::new(&application, &conditions);
    let mut scheduler = Scheduler::new(&application);
    assert_eq!(scheduler.delay_ns(&table, &[0, 0]), 500 + 1500);
    // Data is there at 500 + 800 + 50 = 1350, but the site is busy until 2000.
    assert_eq!(scheduler.delay_ns(&table, &[0, 1]), 2000 + 3000 + 100 + 50);
    // Input: 77 + 50 = 127.
    assert_eq!(scheduler.delay_ns(&table, &[1, 1]), 2000 + 1000 + 3000 + 150);
}
