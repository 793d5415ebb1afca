//! The same topology on `sim` and on `process`: the same decisions, bits and regret, byte for byte,
//! however far helper nodes look ahead. This test is never to be weakened.

mod common;

use common::{assert_same_decisions, fogbit, run, topology};

/// Runs `file` on both backends and compares; the processes with each of the lookaheads.
fn check(file: &str, arguments: &[&str], lookaheads: &[u32]) {
    let dir = tempfile::tempdir().unwrap();
    let file = topology(file);
    let expected = dir.path().join("sim");
    run(&file, &[&["--backend", "sim", "--set", "expect=[]"], arguments].concat(), &expected);
    for lookahead in lookaheads {
        let out = dir.path().join(format!("process-{lookahead}"));
        let clock = format!("clock={{kind=\"slot\",lookahead={lookahead}}}");
        let set = ["--set", "expect=[]", "--set", clock.as_str()];
        run(&file, &[set.as_slice(), arguments].concat(), &out);
        assert_same_decisions(&expected, &out, &format!("lookahead {lookahead}"));
        let diff = fogbit().arg("diff").arg(&expected).arg(&out).output().unwrap();
        assert_eq!(diff.status.code(), Some(0), "{}", common::stdout(&diff));
    }
}

#[test]
fn paper() {
    check("paper.toml", &["--seeds", "2"], &[64]);
    check("paper.toml", &["--set", "seeds=[7, 4000000000]", "--set", "slots=1500"], &[1, 1024]);
}

#[test]
fn fifo() {
    check("fifo.toml", &["--seeds", "3", "--set", "slots=2000"], &[1, 64, 4096]);
}

#[test]
fn fifo_with_a_slow_channel_and_busy_nodes() {
    let busy = "nodes.queue={kind=\"fifo\",capacity=3,service_rate=0.3,own_rate=0.2}";
    let channel = "nodes.cqi={kind=\"ar1\",min=1,max=15,correlation=0.95}";
    let set = ["--seeds", "2", "--set", "slots=1500", "--set", busy, "--set", channel];
    check("fifo.toml", &set, &[1, 64]);
}

#[test]
fn small() {
    check("small.toml", &["--seeds", "3"], &[1, 64]);
}

#[test]
fn twice_is_the_same() {
    for backend in ["sim", "process"] {
        let dir = tempfile::tempdir().unwrap();
        let (a, b) = (dir.path().join("a"), dir.path().join("b"));
        for out in [&a, &b] {
            run(&topology("small.toml"), &["--seeds", "2", "--backend", backend], out);
        }
        assert_same_decisions(&a, &b, backend);
        let curves = |dir: &std::path::Path| std::fs::read(dir.join("curves.csv")).unwrap();
        assert!(curves(&a) == curves(&b), "{backend}: curves.csv differs");
    }
}

/// A policy added or left out changes nothing for the others.
#[test]
fn policies_do_not_meet() {
    let dir = tempfile::tempdir().unwrap();
    let (all, one) = (dir.path().join("all"), dir.path().join("one"));
    run(&topology("small.toml"), &["--backend", "sim"], &all);
    run(&topology("small.toml"), &["--backend", "sim", "--policy", "toof"], &one);
    let read = |dir: &std::path::Path| std::fs::read(dir.join("decisions/toof-1.csv")).unwrap();
    assert!(read(&all) == read(&one));
}
