//! What placing an application of eight sub-tasks takes: all 6,561 placements, branch and bound, greedy,
//! and networks of several sizes.

use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use fogbit_neural::{Metadata, Network};
use fogbit_policy::pipeline::{
    BranchAndBound, Encoder, Encoding, Greedy, NetPolicy, PipelineNet, exhaustive,
};
use fogbit_scenario::draw::{Key, Purpose};
use fogbit_scenario::pipeline::{
    Application, ApplicationDraws, ApplicationSource, ConditionDraws, Conditions, CostTable,
    Scheduler, Shape, SiteDraws, WayDraws,
};
use fogbit_scenario::topology::Range;

const APPLICATIONS: usize = 256;

/// How applications of eight sub-tasks are drawn, and what they meet.
fn draws() -> (ApplicationDraws, ConditionDraws) {
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
    (applications, conditions)
}

/// Applications of eight sub-tasks, what they meet, and what they cost.
fn drawn() -> Vec<(Application, Conditions, CostTable)> {
    let (applications, conditions) = draws();
    let key = Key::derive(1, Purpose::TrainingTasks, 0);
    let one = |number| {
        let application = applications.application(&key.child(0), number);
        let conditions = conditions.conditions(&key.child(1), number);
        let table = CostTable::new(&application, &conditions);
        (application, conditions, table)
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
            let (application, _, table) = each.next().expect("it goes round");
            exhaustive(application, table, &mut scheduler).delay_ns
        });
    });
    let (mut search, mut greedy, mut known) =
        (BranchAndBound::default(), Greedy::default(), Vec::new());
    group.bench_function("branch_and_bound", |bencher| {
        bencher.iter(|| {
            let (application, _, table) = each.next().expect("it goes round");
            greedy.place(application, table, &mut known);
            search.search(application, table, &known).map(|best| best.delay_ns)
        });
    });
    group.bench_function("greedy", |bencher| {
        bencher.iter(|| {
            let (application, _, table) = each.next().expect("it goes round");
            greedy.place(application, table, &mut known);
        });
    });
    group.finish();
}

/// A decision by a network: what it sees, and with all. How good the network is makes no difference.
fn decide(criterion: &mut Criterion) {
    let drawn = drawn();
    let (applications, conditions) = draws();
    let encoding = Encoding::of(&ApplicationSource::Drawn(applications), &conditions);
    let mut group = criterion.benchmark_group("networks_for_eight_sub_tasks");
    let mut each = drawn.iter().cycle();
    let (encoder, mut row) = (Encoder::new(&encoding), Vec::new());
    group.bench_function("encode", |bencher| {
        bencher.iter(|| {
            let (application, conditions, _) = each.next().expect("it goes round");
            encoder.encode(application, conditions, &mut row);
        });
    });
    for hidden in [&[64, 32][..], &[96, 48], &[256, 256, 256]] {
        let ends = [&[encoding.inputs()], hidden, &[encoding.outputs()]].concat();
        let network = Network::new(&ends, &Key::derive(1, Purpose::NetworkWeights, 0));
        let net = PipelineNet::new(network, encoding.clone(), Metadata::new());
        let mut policy = NetPolicy::new(Arc::new(net.expect("the same ends")));
        let mut placement = Vec::new();
        group.bench_function(format!("decide {hidden:?}"), |bencher| {
            bencher.iter(|| {
                let (application, conditions, _) = each.next().expect("it goes round");
                policy.decide(application, conditions, &mut placement);
            });
        });
    }
    group.finish();
}

criterion_group!(benches, place, decide);
criterion_main!(benches);
