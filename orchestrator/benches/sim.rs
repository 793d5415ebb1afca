//! Slots a second of one TOOF trial in `sim` on the paper's topology, on one core: draws, policy,
//! helper nodes and regret included, decision files off.
//!
//! `cargo bench -p fogbit --bench sim`

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use fogbit::backend::{Context, sim};
use fogbit::board::Board;
use fogbit::plan::Plan;
use fogbit_scenario::{Scenario, TopologyFile};

const SLOTS: u64 = 100_000;

fn trial(criterion: &mut Criterion) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../topologies/paper.toml");
    let mut file = TopologyFile::read(&path).unwrap();
    file.set(&format!("slots={SLOTS}")).unwrap();
    let mut scenario = Scenario::from_file(&file).unwrap();
    scenario.keep_policies(|name| name == "toof");
    let plan = Arc::new(Plan::new(scenario));
    let context = Context {
        board: Arc::new(Board::new(&plan, "sim", &prometheus::Registry::new()).unwrap()),
        pace: None,
        plan: Arc::clone(&plan),
        decisions: None,
        contexts: None,
        stop: Arc::new(AtomicBool::new(false)),
    };
    let instance = plan.scenario.instance(1);
    let mut group = criterion.benchmark_group("sim");
    group.throughput(Throughput::Elements(SLOTS)).sample_size(20);
    group.bench_function("toof on paper.toml", |bencher| {
        bencher.iter(|| sim::play(&context, 0, &instance).unwrap());
    });
    group.finish();
}

criterion_group!(benches, trial);
criterion_main!(benches);
