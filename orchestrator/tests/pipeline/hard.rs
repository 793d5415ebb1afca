//! Applications whose best placement is too hard to find.

use std::fmt::Write;

use super::common;

/// A sub-task that gives to fourteen different ones, and one that takes from all of them; nine sites of
/// which none is like another. One application, and `policy` plays it.
fn hard(policy: &str) -> String {
    let sites = ["phone", "a", "b", "c", "d", "e", "f", "g", "h"];
    let mut toml = String::from(
        "problem = \"pipeline\"\napplications = 2\nseeds = 1\n[task-node]\nname = \"phone\"\n\
         cpu_frequency_ghz = 1.0\n",
    );
    for (number, site) in sites.iter().enumerate().skip(1) {
        let speed = 1.0 + 0.01 * number as f64;
        writeln!(toml, "[[node]]\nname = \"{site}\"\ncpu_frequency_ghz = {speed}").unwrap();
        for (other, from) in sites[..number].iter().enumerate() {
            let rate = 1000 + number + other;
            let range = format!("{{ min = {rate}, max = {rate} }}");
            writeln!(toml, "[[link]]\nbetween = [\"{from}\", \"{site}\"]\nmbit_s = {range}")
                .unwrap();
            writeln!(toml, "rtt_ms = {{ min = 1, max = 1 }}").unwrap();
        }
    }
    writeln!(toml, "[[graph]]\nname = \"wide\"\nsub-task = [").unwrap();
    for own in 0..16 {
        writeln!(
            toml,
            "{{ name = \"s{own}\", cycles = {} }},",
            1e8 + 1e7 * f64::from(own * own % 13)
        )
        .unwrap();
    }
    writeln!(toml, "]\nflow = [").unwrap();
    for own in 1..15 {
        for (from, to) in [(0, own), (own, 15)] {
            writeln!(toml, "{{ from = \"s{from}\", to = \"s{to}\", kb = 10 }},").unwrap();
        }
    }
    write!(toml, "]\n[policies.{policy}]\nkind = \"{policy}\"\n").unwrap();
    toml
}

/// The same, after an easy one: given graphs come in turn.
fn easy_then_hard() -> String {
    let easy = "[[graph]]\nname = \"easy\"\nsub-task = [{ name = \"only\", cycles = 1e8 }]\n";
    hard("greedy").replacen("[[graph]]", &format!("{easy}[[graph]]"), 1)
}

/// What was played before it counts, and is there to be looked at.
#[test]
fn what_came_before_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let (file, out) = (dir.path().join("second.toml"), dir.path().join("out"));
    std::fs::write(&file, easy_then_hard()).unwrap();
    let mut run = common::fogbit();
    run.args(["run", "--quiet", "--backend", "sim", "--out"]);
    let output = run.args([&out, &file]).output().expect("it runs");
    assert_eq!(output.status.code(), Some(4), "{}", common::stderr(&output));
    let summary = std::fs::read(out.join("summary.json")).unwrap();
    let summary: serde_json::Value = serde_json::from_slice(&summary).unwrap();
    let trial = &summary["trials"][0];
    assert_eq!(trial["status"], "failed");
    assert_eq!(trial["slots"], 1);
    assert!(trial["failure"].as_str().unwrap().starts_with("application 2: its best"), "{trial}");
    let rows = std::fs::read_to_string(out.join("decisions/greedy-1.csv")).unwrap();
    assert_eq!(rows.lines().count(), 1 + 1);
    let verified = common::fogbit().arg("verify").arg(&out).output().expect("it runs");
    assert_eq!(verified.status.code(), Some(0), "{}", common::stderr(&verified));
}

#[test]
fn where_the_best_placement_is_too_hard_to_find_the_run_says_so() {
    let dir = tempfile::tempdir().unwrap();
    for (policy, backend) in [("greedy", "sim"), ("greedy", "process"), ("search", "process")] {
        let file = dir.path().join(format!("{policy}.toml"));
        std::fs::write(&file, hard(policy)).unwrap();
        let out = dir.path().join(format!("{policy}-{backend}"));
        let output = common::fogbit()
            .args(["run", "--quiet", "--backend", backend, "--out"])
            .args([&out, &file])
            .output()
            .expect("it runs");
        let told = common::stderr(&output);
        let words: Vec<&str> = told.split_whitespace().filter(|word| *word != "│").collect();
        let told = words.join(" ");
        assert_eq!(output.status.code(), Some(4), "{told}");
        let why = "application 1: its best placement was not found among 10000000 partial ones";
        assert!(told.contains(why), "{told}");
        assert!(!told.contains("is gone"), "the nodes waited: {told}");
    }
}
