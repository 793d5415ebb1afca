//! Placements of applications: search, branch and bound, greedy.

mod alike;
mod net;
mod simple;

use fogbit_policy::pipeline::{BranchAndBound, Greedy, exhaustive};
use fogbit_scenario::draw::{Key, Purpose};
use fogbit_scenario::pipeline::{
    Application, ApplicationDraws, ConditionDraws, Conditions, CostTable, Flow, Scheduler, Shape,
    SiteDraws, SiteSet, SiteState, SubTask, Way, WayDraws,
};
use fogbit_scenario::topology::Range;
use fogbit_scenario::work::{ComputeSpec, Execution};

pub(crate) fn range(min: f64, max: f64) -> Range {
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
        assert_eq!(found, Ok(best.clone()), "{application:?}");
        // Whatever it begins with.
        let device = vec![0; application.sub_tasks().len()];
        assert_eq!(search.search(&application, &table, &device), Ok(best.clone()));
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
        let best = search.search(&application, &table, &placement).unwrap();
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
        assert_eq!(search.search(&application, &table, &known), Ok(best.clone()));
    }
}

/// Sites that are alike and times of few values: there are several best placements.
#[test]
fn of_several_best_placements_it_is_the_first() {
    let (mut scheduler, mut search) = (Scheduler::default(), BranchAndBound::default());
    let mut several = 0;
    for (number, (application, _)) in drawn(7, 300).into_iter().enumerate() {
        let coarse = |value: u64| value % 3 + 1;
        let sub_tasks = application.sub_tasks().iter().enumerate().map(|(place, own)| SubTask {
            cycles: 10 * coarse(own.cycles),
            sites: match (number + place) % 5 {
                0 => SiteSet::only(place % 3),
                _ => SiteSet::all(3),
            },
        });
        let flows = application.flows().iter().map(|own| Flow { bytes: coarse(own.bytes), ..*own });
        let application = Application::new(sub_tasks.collect(), flows.collect());
        let site = |busy_ns| SiteState { compute: compute(1.0), busy_ns };
        let sites = vec![site(0), site(5 * (number as u64 % 3)), site(10)];
        let way = Way { rate_bits_s: 8_000_000_000, delay_ns: number as u64 % 4 };
        let table = CostTable::new(&application, &Conditions::new(sites, |_, _| way));
        let best = exhaustive(&application, &table, &mut scheduler);
        let last = last_sites(&application);
        assert_eq!(search.search(&application, &table, &last), Ok(best.clone()), "{application:?}");
        several += u32::from(ties(&application, &table, best.delay_ns) > 1);
    }
    assert!(several > 100, "{several} of 300 have several best placements");
}

/// Each sub-task at the last site where it may run.
fn last_sites(application: &Application) -> Vec<u8> {
    let last = |own: &SubTask| own.sites.iter().last().expect("one at least") as u8;
    application.sub_tasks().iter().map(last).collect()
}

/// How many placements have this delay.
fn ties(application: &Application, table: &CostTable, delay_ns: u64) -> usize {
    let mut scheduler = Scheduler::new(application);
    let mut placements = vec![Vec::new()];
    for own in application.sub_tasks() {
        let with = |placed: &Vec<u8>, site| [&placed[..], &[site as u8]].concat();
        placements = placements
            .iter()
            .flat_map(|placed| own.sites.iter().map(move |site| with(placed, site)))
            .collect();
    }
    placements.iter().filter(|own| scheduler.delay_ns(table, own) == delay_ns).count()
}

/// A site of so many thousand million cycles a second.
fn compute(frequency_ghz: f64) -> ComputeSpec {
    ComputeSpec {
        frequency_ghz,
        load: 0.0,
        service_overhead_ns: 0,
        workers: 1,
        queue_limit: 0,
        payload_limit: 0,
        execution: Execution::Timed,
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
    let site = SiteState { compute: compute(1.0), busy_ns: 0 };
    let conditions = Conditions::new(vec![site; 2], |_, _| Way { rate_bits_s: 1, delay_ns: 2 });
    let table = CostTable::new(&application, &conditions);
    let best = exhaustive(&application, &table, &mut Scheduler::default());
    assert_eq!((best.placement, best.delay_ns), (vec![0, 1], 14));
}
