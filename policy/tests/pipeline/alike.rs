//! Branch and bound where sub-tasks or sites are alike, and where there is too much to try.

use fogbit_policy::pipeline::{BranchAndBound, Greedy, TooHard, exhaustive};
use fogbit_scenario::pipeline::{
    Application, Conditions, CostTable, Flow, Scheduler, SiteSet, SiteState, SubTask, Way,
};

use super::{compute, drawn, last_sites};

/// The application, with the numbers of its sub-tasks and flows made so coarse that neighbours are
/// often alike, at four sites of which some are alike.
fn coarse(application: &Application, number: u64) -> (Application, CostTable) {
    let own = |own: &SubTask| SubTask {
        cycles: 10 + 10 * (own.cycles % (1 + number % 2)),
        sites: match own.cycles % 7 {
            0 => SiteSet::all(4 - (number % 2) as usize),
            _ => SiteSet::all(4),
        },
    };
    let bytes = |flow: &Flow| 1 + flow.bytes % (1 + number % 3);
    let flows = application.flows().iter().map(|flow| Flow { bytes: bytes(flow), ..*flow });
    let sub_tasks = application.sub_tasks().iter().map(own);
    let application = Application::new(sub_tasks.collect(), flows.collect());
    let site = |place: u64| SiteState {
        compute: compute([1.0, 2.0, 2.0, 2.0][place as usize]),
        busy_ns: 3 * (place % (1 + number % 3)),
    };
    let way = |from: usize, to: usize| Way {
        rate_bits_s: 8_000_000_000,
        // Where the number is a multiple of 5 the last site is farther from all others, and where it is
        // one of 7 the way to a later site is longer than the way back.
        delay_ns: 2
            + u64::from(number.is_multiple_of(5) && from.max(to) == 3)
            + u64::from(number.is_multiple_of(7) && from < to),
    };
    let table = CostTable::new(&application, &Conditions::new((0..4).map(site).collect(), way));
    (application, table)
}

#[test]
fn nothing_is_lost_where_sub_tasks_and_sites_are_alike() {
    let (mut scheduler, mut search) = (Scheduler::default(), BranchAndBound::default());
    let (mut greedy, mut known) = (Greedy::default(), Vec::new());
    let (mut neighbours, mut offloaded) = (0, 0);
    for (number, (application, _)) in drawn(7, 1000).into_iter().enumerate() {
        let (application, table) = coarse(&application, number as u64);
        let best = exhaustive(&application, &table, &mut scheduler);
        greedy.place(&application, &table, &mut known);
        assert_eq!(
            search.search(&application, &table, &known),
            Ok(best.clone()),
            "{application:?}"
        );
        let last = last_sites(&application);
        assert_eq!(search.search(&application, &table, &last), Ok(best.clone()), "{application:?}");
        let last = application.sub_tasks().len() as u32 - 1;
        neighbours += usize::from((0..last).any(|own| has_like_neighbour(&application, own)));
        offloaded += usize::from(best.placement.iter().any(|site| *site > 1));
    }
    assert!(neighbours > 50, "{neighbours} of 1000 have neighbours that are alike");
    assert!(offloaded > 100, "{offloaded} of 1000 use sites that are alike");
}

/// Whether sub-task `own` and the next one are the same, take the same from the same ones and give the
/// same to the same ones.
fn has_like_neighbour(application: &Application, own: u32) -> bool {
    let sub_tasks = application.sub_tasks();
    let flows = |number: u32| {
        let taken = application.flows().iter().filter(move |flow| flow.to == Some(number));
        let given = application.flows().iter().filter(move |flow| flow.from == Some(number));
        let taken: Vec<_> = taken.map(|flow| (flow.from, flow.bytes)).collect();
        (taken, given.map(|flow| (flow.to, flow.bytes)).collect::<Vec<_>>())
    };
    sub_tasks[own as usize] == sub_tasks[own as usize + 1] && flows(own) == flows(own + 1)
}

/// A sub-task that gives to fourteen others, and one that takes from all of them, at the device and
/// `helpers` sites that are busy for `busy` times their number; what is sent takes no time but its delay
/// of 10.
fn fork_join(helpers: usize, busy: u64, cycles: impl Fn(u32) -> u64) -> (Application, CostTable) {
    let sites = SiteSet::all(helpers + 1);
    let sub_tasks = (0..16).map(|own| SubTask { cycles: cycles(own), sites }).collect();
    let flow = |from, to| Flow { from, to, bytes: 0 };
    let flows = (1..15)
        .flat_map(|own| [flow(Some(0), Some(own)), flow(Some(own), Some(15))])
        .chain([flow(None, Some(0)), flow(Some(15), None)]);
    let application = Application::new(sub_tasks, flows.collect());
    let site = |number| SiteState { compute: compute(1.0), busy_ns: busy * number };
    let sites = (0..=helpers as u64).map(site).collect();
    let conditions = Conditions::new(sites, |_, _| Way { rate_bits_s: 1, delay_ns: 10 });
    let table = CostTable::new(&application, &conditions);
    (application, table)
}

/// Found by hand: the first and the last of them stay on the device. Of the fourteen a helper brings one
/// back after 120 and two after 220; the device itself does two in 200. With one at each of 8 helpers
/// and two on the device four are left, so that some helper has two: 220, and that is enough.
#[test]
fn sixteen_equal_sub_tasks_at_nine_sites_are_no_matter() {
    let (application, table) = fork_join(8, 0, |_| 100);
    let mut known = Vec::new();
    Greedy::default().place(&application, &table, &mut known);
    let best = BranchAndBound::default().search(&application, &table, &known).unwrap();
    assert_eq!(best.delay_ns, 100 + 220 + 100);
    let mut scheduler = Scheduler::new(&application);
    assert_eq!(scheduler.delay_ns(&table, &best.placement), best.delay_ns);
}

/// Fourteen sub-tasks of different sizes for nine sites of which none is like another.
#[test]
fn what_has_too_much_to_try_is_given_up() {
    let (application, table) =
        fork_join(8, 37, |own| 1000 + u64::from(own) * u64::from(own) * 7919 % 613);
    let mut known = Vec::new();
    Greedy::default().place(&application, &table, &mut known);
    let found = BranchAndBound::default().search(&application, &table, &known);
    assert_eq!(found, Err(TooHard));
}
