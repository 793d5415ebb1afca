//! What an external policy costs a decision more than a built-in one, in `sim` on the paper's
//! topology: the program is `fogbit policy serve round-robin`, which answers at once. The two are
//! measured in turn, because machines are shared and noisy.
//!
//! `cargo bench -p fogbit --bench external`

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use fogbit::backend::{Context, sim};
use fogbit::board::Board;
use fogbit::plan::{Plan, Status};
use fogbit_scenario::{Scenario, TopologyFile};

const ROUNDS: usize = 9;
const SLOTS: u64 = 20_000;

fn main() {
    let context = context();
    println!("{SLOTS} slots, {ROUNDS} rounds in turn");
    let mut extra = Vec::new();
    for round in 1..=ROUNDS {
        let (built_in, external) = (micros(&context, "round-robin"), micros(&context, "served"));
        extra.push(external - built_in);
        println!(
            "round {round}: built in {built_in:.2} us, external {external:.2} us a decision, {:.2} us more",
            external - built_in
        );
    }
    extra.sort_by(f64::total_cmp);
    println!("median: {:.2} us a decision more", extra[ROUNDS / 2]);
}

fn context() -> Context {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../topologies/paper.toml");
    let mut file = TopologyFile::read(&path).unwrap();
    let program = env!("CARGO_BIN_EXE_fogbit");
    let command = format!("[{program:?}, \"policy\", \"serve\", \"round-robin\"]");
    file.set(&format!("slots={SLOTS}")).unwrap();
    file.set("expect=[]").unwrap();
    file.set(&format!("policies.served={{kind=\"external\",command={command}}}")).unwrap();
    let mut scenario = Scenario::from_file(&file).unwrap();
    scenario.keep_policies(|name| name == "round-robin" || name == "served");
    let plan = Arc::new(Plan::new(scenario));
    Context {
        board: Arc::new(Board::new(&plan, "sim", &prometheus::Registry::new()).unwrap()),
        pace: None,
        plan,
        decisions: None,
        contexts: None,
        stop: Arc::new(AtomicBool::new(false)),
    }
}

/// Microseconds a slot of one trial, all included.
fn micros(context: &Context, policy: &str) -> f64 {
    let index = context.plan.policies.iter().position(|p| p.name == policy).unwrap();
    let result = sim::play(context, index, &context.plan.scenario.instance(1)).unwrap();
    assert_eq!(result.status, Status::Complete, "{:?}", result.failure);
    result.seconds * 1e6 / SLOTS as f64
}
