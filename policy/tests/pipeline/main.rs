//! Placements of applications: search, branch and bound, greedy.

mod simple;

use fogbit_policy::pipeline::{BranchAndBound, Greedy, exhaustive};
use fogbit_scenario::draw::{Key, Purpose};
use fogbit_scenario::pipeline::{
    Application, ApplicationDraws, ConditionDraws, Conditions, CostTable, Flow, Scheduler, Shape,
    SiteDraws, SiteSet, SiteState, SubTask, Way, WayDraws,
};
use fogbit_scenario::topology::Range;
use fogbit_scenario::work::{ComputeSpec, Execution};

fn range(min: f64, max: f64) -> Range {
    Range { min, max }
}

/// Applications of up to `most` sub-tasks, with what they cost.
fn drawn(most: u32, count: u64) -> Vec<(Application, CostTable)> {
    let applications = ApplicationDraws {
        shapes: vec![Shape::Chain, Shape::ForkJoin, Shape::Layered],
        sub_tasks: [2, most],
        cycles: range(2e7, 2e9),
        bytes: range(2.5e3, 5e5),
        sites: 3,
    };
    let site = |frequency_ghz, busy| SiteDraws {
        frequency_ghz,
        load: range(0.0, 0.8),
        busy_ms: range(0.0, busy),
        overhead_ns: 0,
    };
    let way = |between, rtt_ms| WayDraws { between, mbit_s: range(1.0, 100.0), rtt_ms };
    let conditions = ConditionDraws {
        sites: vec![site(2.0, 0.0), site(8.0, 100.0), site(20.0, 200.0)],
        ways: vec![
            way([0, 1], range(2.0, 20.0)),
            way([0, 2], range(20.0, 150.0)),
            way([1, 2], range(20.0, 150.0)),
        ],
    };
    let key = Key::derive(3, Purpose::TrainingTasks, 0);
    let one = |number| {
        let application = applications.application(&key.child(0), number);
        let table = CostTable::new(&application, &conditions.conditions(&key.child(1), number));
        (application, table)
    };
    (1..=count).map(one).collect()
}

/// The least delay over all placements, by plain recursion.
fn least(application: &Application, table: &CostTable, placed: &mut Vec<u8>) -> u64 {
    let Some(own) = application.sub_tasks().get(placed.len()) else {
        return Scheduler::new(application).delay_ns(table, placed);
    };
    let mut best = u64::MAX;
    for site in own.sites.iter() {
        placed.push(site as u8);
        best = best.min(least(application, table, placed));
        placed.pop();
    }
    best
}

#[test]
fn exhaustive_search_finds_what_plain_recursion_finds() {
    let mut scheduler = Scheduler::default();
    for (application, table) in drawn(5, 60) {
        let best = exhaustive(&application, &table, &mut scheduler);
        assert_eq!(best.delay_ns, least(&application, &table, &mut Vec::new()));
        assert!(application.allows(&best.placement));
        scheduler.take(&application);
        assert_eq!(scheduler.delay_ns(&table, &best.placement), best.delay_ns);
    }
}

#[test]
fn branch_and_bound_is_exact() {
    let (mut scheduler, mut search) = (Scheduler::default(), BranchAndBound::default());
    let mut greedy = Greedy::default();
    let mut known = Vec::new();
    for (application, table) in drawn(8, 600) {
        let best = exhaustive(&application, &table, &mut scheduler);
        greedy.place(&application, &table, &mut known);
        let found = search.search(&application, &table, &known);
        assert_eq!(found.delay_ns, best.delay_ns, "{application:?}");
        scheduler.take(&application);
        assert_eq!(scheduler.delay_ns(&table, &found.placement), best.delay_ns);
        // Whatever it begins with.
        let device = vec![0; application.sub_tasks().len()];
        assert_eq!(search.search(&application, &table, &device).delay_ns, best.delay_ns);
    }
}

#[test]
fn greedy_is_allowed_and_never_better_than_the_best() {
    let mut greedy = Greedy::default();
    let (mut placement, mut search) = (Vec::new(), BranchAndBound::default());
    let mut worse = 0;
    for (application, table) in drawn(12, 300) {
        greedy.place(&application, &table, &mut placement);
        assert!(application.allows(&placement));
        let delay = Scheduler::new(&application).delay_ns(&table, &placement);
        let best = search.search(&application, &table, &placement);
        assert!(best.delay_ns <= delay);
        worse += u32::from(best.delay_ns < delay);
    }
    assert!(worse > 100, "greedy was worse than the best {worse} times of 300");
}

#[test]
fn sub_tasks_stay_where_they_must() {
    let (mut scheduler, mut search) = (Scheduler::default(), BranchAndBound::default());
    let (mut greedy, mut known) = (Greedy::default(), Vec::new());
    for (number, (application, table)) in drawn(7, 100).into_iter().enumerate() {
        let mut sub_tasks = application.sub_tasks().to_vec();
        let count = sub_tasks.len();
        sub_tasks[0].sites = SiteSet::only(0);
        sub_tasks[number % count].sites = SiteSet::only(number % 3);
        let application = Application::new(sub_tasks, application.flows().to_vec());
        let best = exhaustive(&application, &table, &mut scheduler);
        assert!(application.allows(&best.placement));
        assert_eq!(best.delay_ns, least(&application, &table, &mut Vec::new()));
        greedy.place(&application, &table, &mut known);
        assert!(application.allows(&known));
        assert_eq!(search.search(&application, &table, &known).delay_ns, best.delay_ns);
    }
}

#[test]
fn the_best_of_a_case_by_hand() {
    // Two sub-tasks side by side, each 10 at either site; data takes 2 there and 2 back. One at each
    // site is done after 14, both on the device after 20.
    let sites = SiteSet::all(2);
    let flow = |from, to| Flow { from, to, bytes: 0 };
    let application = Application::new(
        vec![SubTask { cycles: 10, sites }; 2],
        vec![flow(None, Some(0)), flow(None, Some(1)), flow(Some(0), None), flow(Some(1), None)],
    );
    let compute = ComputeSpec {
        frequency_ghz: 1.0,
        load: 0.0,
        service_overhead_ns: 0,
        workers: 1,
        queue_limit: 0,
        payload_limit: 0,
        execution: Execution::Timed,
    };
    let site = SiteState { compute, busy_ns: 0 };
    let conditions = Conditions::new(vec![site; 2], |_, _| Way { rate_bits_s: 1, delay_ns: 2 });
    let table = CostTable::new(&application, &conditions);
    let best = exhaustive(&application, &table, &mut Scheduler::default());
    assert_eq!((best.placement, best.delay_ns), (vec![0, 1], 14));
}
