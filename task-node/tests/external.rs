//! External policies by themselves: what they are told, and who may go on while they think.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use fogbit_scenario::draw::{Key, Purpose};
use fogbit_scenario::topology::{ExternalProgram, TimeSpan};
use fogbit_scenario::{Bit, Contexts};
use fogbit_task_node::{ExternalPolicy, ExternalTrial, Waiting};

/// A policy in shell that writes down what it is told, and answers each question by `answer`.
fn start(folder: &Path, answer: &str, waiting: Waiting) -> ExternalPolicy {
    let script = format!(
        "while read line; do echo \"$line\" >> told; case \"$line\" in\n\
         *decide*) {answer};; *learn*) echo '{{}}';; esac; done"
    );
    let span = |seconds| TimeSpan(Duration::from_secs(seconds));
    let program = ExternalProgram {
        command: vec!["sh".into(), "-c".into(), script],
        files: Vec::new(),
        timeout: span(20),
        start_timeout: span(20),
    };
    let key = Key::derive(3, Purpose::Policy("mine"), 0);
    let trial = ExternalTrial { name: "mine", folder, nodes: 2, features: 1, slots: 9, key: &key };
    ExternalPolicy::start(&program, &trial, waiting).expect("a shell")
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

fn contexts(values: [f64; 2]) -> Contexts {
    let mut contexts = Contexts::new(2, 1);
    values.iter().enumerate().for_each(|(node, value)| contexts.set_state(node, &[*value]));
    contexts
}

/// In real time nodes are absent, slots are missing, and bits come late and in another order.
#[test]
fn absent_nodes_and_late_bits_are_told() {
    for waiting in [Waiting::Shared, Waiting::Blocking(Arc::new(AtomicBool::new(false)))] {
        let folder = tempfile::tempdir().unwrap();
        let answer = "echo '{\"node\":1,\"scores\":[0.5,null],\"propensity\":0.25}'";
        let mut policy = start(folder.path(), answer, waiting);
        let (first, mut second) = (contexts([0.5, 0.25]), contexts([0.125, 0.75]));
        second.set_present(0, false);
        runtime().block_on(async {
            assert_eq!(policy.decide(1, &first).await.unwrap(), Some(1));
            assert_eq!(policy.decide(4, &second).await.unwrap(), Some(1));
            assert_eq!((policy.scores()[0], policy.propensity()), (0.5, Some(0.25)));
            policy.learn(4, &second, 1, Bit::Happy);
            policy.learn(1, &first, 1, Bit::Unhappy);
            assert_eq!(policy.decide(5, &first).await.unwrap(), Some(1));
            policy.finish().await;
        });
        let told = std::fs::read_to_string(folder.path().join("told")).unwrap();
        let told: Vec<&str> = told.lines().collect();
        assert!(told[0].starts_with("{\"start\":{\"nodes\":2,\"features\":1,\"policy\":\"mine\""));
        assert_eq!(
            told[1..],
            [
                "{\"decide\":{\"slot\":1,\"contexts\":[[0.5],[0.25]]}}",
                "{\"decide\":{\"slot\":4,\"contexts\":[[0.125],[0.75]],\"present\":[1]}}",
                "{\"learn\":{\"slot\":4,\"node\":1,\"bit\":1,\"context\":[0.75]}}",
                "{\"learn\":{\"slot\":1,\"node\":1,\"bit\":-1,\"context\":[0.25]}}",
                "{\"decide\":{\"slot\":5,\"contexts\":[[0.5],[0.25]]}}",
            ]
        );
    }
}

/// A task node has connections to look after, however long a policy thinks.
#[test]
fn a_thread_that_is_shared_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let mut policy = start(folder.path(), "sleep 0.5; echo '{\"node\":0}'", Waiting::Shared);
    runtime().block_on(async {
        let ticks = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&ticks);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(Duration::from_millis(2)).await;
                counted.fetch_add(1, Ordering::Relaxed);
            }
        });
        assert_eq!(policy.decide(1, &contexts([0.1, 0.2])).await.unwrap(), Some(0));
        // 250 if nothing else happens on this machine, and hardly any if the thread was blocked.
        let ticks = ticks.load(Ordering::Relaxed);
        assert!(ticks > 20, "only {ticks} ticks while the policy thought");
    });
}

/// A run that is stopped does not wait for its policies.
#[test]
fn a_thread_that_blocks_looks_whether_it_is_to_stop() {
    let folder = tempfile::tempdir().unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let mut policy = start(folder.path(), "sleep 15", Waiting::Blocking(Arc::clone(&stop)));
    let stopper = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(200));
        stop.store(true, Ordering::Relaxed);
    });
    let began = Instant::now();
    let decided = runtime().block_on(policy.decide(1, &contexts([0.1, 0.2])));
    assert_eq!(decided.unwrap(), None);
    drop(policy);
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    stopper.join().unwrap();
}
