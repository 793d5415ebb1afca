//! What placing an application of eight sub-tasks takes: all 6,561 placements, branch and bound, greedy.

use criterion::{Criterion, criterion_group, criterion_main};
use fogbit_policy::pipeline::{BranchAndBound, Greedy, exhaustive};
use fogbit_scenario::draw::{Key, Purpose};
use fogbit_scenario::pipeline::{
    Application, ApplicationDraws, ConditionDraws, CostTable, Scheduler, Shape, SiteDraws, WayDraws,
};
use fogbit_scenario::topology::Range;

const APPLICATIONS: usize = 256;

/// Applications of eight sub-tasks, with what they cost.
fn drawn() -> Vec<(Application, CostTable)> {
    let range = |min, max| Range { min, max };
    let applications = ApplicationDraws {
        shapes: vec![Shape::Chain, Shape::ForkJoin, Shape::Layered],
        sub_tasks: [8, 8],
        cycles: range(2e7, 2e9),
        bytes: range(2.5e3, 5e5),
        sites: 3,
    };
    let site = |frequency_ghz| SiteDraws {
        frequency_ghz,
        load: range(0.0, 0.8),
        busy_ms: range(0.0, 0.0),
        overhead_ns: 0,
    };
    let way = |between, rtt_ms| WayDraws { between, mbit_s: range(1.0, 100.0), rtt_ms };
    let conditions = ConditionDraws {
        sites: vec![site(2.0), site(10.0), site(20.0)],
        ways: vec![
            way([0, 1], range(2.0, 20.0)),
            way([0, 2], range(20.0, 150.0)),
            way([1, 2], range(20.0, 150.0)),
        ],
    };
    let key = Key::derive(1, Purpose::TrainingTasks, 0);
    let one = |number| {
        let application = applications.application(&key.child(0), number);
        let table = CostTable::new(&application, &conditions.conditions(&key.child(1), number));
        (application, table)
    };
    (1..=APPLICATIONS as u64).map(one).collect()
}

fn place(criterion: &mut Criterion) {
    let drawn = drawn();
    let mut group = criterion.benchmark_group("eight_sub_tasks");
    let mut scheduler = Scheduler::default();
    let mut each = drawn.iter().cycle();
    group.bench_function("exhaustive", |bencher| {
        bencher.iter(|| {
            let (application, table) = each.next().expect("it goes round");
            exhaustive(application, table, &mut scheduler).delay_ns
        });
    });
    let (mut search, mut greedy, mut known) =
        (BranchAndBound::default(), Greedy::default(), Vec::new());
    group.bench_function("branch_and_bound", |bencher| {
        bencher.iter(|| {
            let (application, table) = each.next().expect("it goes round");
            greedy.place(application, table, &mut known);
            search.search(application, table, &known).delay_ns
        });
    });
    group.bench_function("greedy", |bencher| {
        bencher.iter(|| {
            let (application, table) = each.next().expect("it goes round");
            greedy.place(application, table, &mut known);
        });
    });
    group.finish();
}

criterion_group!(benches, place);
criterion_main!(benches);
