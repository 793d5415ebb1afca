//! The command line: bad input, exit codes, and what the commands print.

mod common;

use std::io::Write;
use std::path::Path;
use std::process::{Output, Stdio};

use common::{fogbit, run, stderr, stdout, topology};
use serde_json::Value;

const SMALLEST: &str = "slots = 50\n[nodes]\ncount = 2\n\
                        weights = { kind = \"sphere\" }\n[policies.toof]\nkind = \"toof\"\n";

/// Runs `fogbit run` on the text of a topology; it must be refused with exit code 2 before anything
/// is written, and `validate` must say the same.
fn refused(text: &str, arguments: &[&str]) -> String {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("bad.toml");
    std::fs::write(&file, text).unwrap();
    let told = |subcommand: &str| {
        let output = fogbit()
            .arg(subcommand)
            .arg("bad.toml")
            .args(arguments)
            .current_dir(dir.path())
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2), "{subcommand}: {}", stderr(&output));
        assert!(output.stdout.is_empty());
        stderr(&output)
    };
    let (ran, validated) = (told("run"), told("validate"));
    assert_eq!(ran, validated);
    let left = common::files_and_folders(dir.path());
    assert_eq!(left, [file], "something was written");
    ran
}

/// Each kind of bad input is shown with its line and what would be right.
#[test]
fn bad_topologies_are_underlined() {
    let cases: &[(&str, &str, &[&str])] = &[
        ("slots = 50", "slots = 0", &["bad.toml:1:", "0 slots"]),
        ("slots = 50", "slots = \"many\"", &["bad.toml:1:", "wrong value", "endless"]),
        ("slots = 50", "slotz = 50", &["bad.toml:1:", "slotz", "did you mean `slots`"]),
        ("count = 2", "count = 0", &["bad.toml:3:", "0 helper nodes"]),
        ("count = 2", "count = -2", &["bad.toml:3:"]),
        ("kind = \"sphere\"", "kind = \"cube\"", &["bad.toml:4:", "cube", "sphere"]),
        (
            "{ kind = \"sphere\" }",
            "{ kind = \"given\", values = [0.5, 0.5] }",
            &["bad.toml:4:", "2 weights for 5 features"],
        ),
        (
            "{ kind = \"sphere\" }",
            "{ kind = \"given\", values = [0.9, 0.9, 0.0, 0.0, 0.0] }",
            &["bad.toml:4:", "above 1"],
        ),
        (
            "{ kind = \"sphere\" }",
            "{ kind = \"given\", values = [nan, 0.0, 0.0, 0.0, 0.0] }",
            &["bad.toml:4:", "finite"],
        ),
        ("[policies.toof]\nkind = \"toof\"\n", "[policies]\n", &["no policy"]),
        (
            "kind = \"toof\"",
            "kind = \"toof\"\nlamda = 2",
            &["bad.toml:7:", "did you mean `lambda`"],
        ),
        ("kind = \"toof\"", "kind = \"toof\"\nlambda = -1", &["bad.toml:7:", "lambda"]),
        (
            "[policies.toof]",
            "[policies.toof]\nkind = \"random\"\n[policies.toof]",
            &["bad.toml:7:", "given twice"],
        ),
        ("count = 2", "features = 1\ncount = 2", &["bad.toml:3:", "features"]),
    ];
    for (from, to, expected) in cases {
        assert!(SMALLEST.contains(from), "{from}");
        let told = refused(&SMALLEST.replace(from, to), &[]);
        for part in *expected {
            assert!(told.contains(part), "{to}: no `{part}` in\n{told}");
        }
    }
}

#[test]
fn bad_overrides_are_underlined_in_the_argument() {
    let told = refused(SMALLEST, &["--set", "policies.toof.gamma.c=-3"]);
    assert!(told.contains("--set policies.toof.gamma.c=-3") && told.contains("out of range"));
    let told = refused(SMALLEST, &["--set", "nodes.count"]);
    assert!(told.contains("no `=`"), "{told}");
    let told = refused(SMALLEST, &["--policy", "tooth"]);
    assert!(told.contains("tooth") && told.contains("policies here: toof"), "{told}");
    let told = refused(SMALLEST, &["--seeds", "0"]);
    assert!(told.contains("0 seeds"), "{told}");
}

#[test]
fn traces_that_are_wrong_are_told_by_line() {
    let text = "slots = 2\nnodes = {}\nfeatures = { kind = \"trace\", path = \"t.jsonl\" }\n\
                policies.toof.kind = \"toof\"\n";
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("bad.toml"), text).unwrap();
    let header = "{\"kind\":\"env\",\"w_true\":[[0.5,0.5]]}\n";
    let good = "{\"t\":1,\"task\":[0.1],\"node\":[[0.2]]}\n";
    for (second, part) in [
        ("{\"t\":7,\"task\":[0.1],\"node\":[[0.2]]}", "7"),
        ("{\"t\":2,\"task\":[0.1],\"node\":[[0.2,0.3]]}", "features"),
        ("{\"t\":2,\"task\":[0.9],\"node\":[[0.9]]}", "above 1"),
        ("not JSON", "line 3"),
    ] {
        let trace = format!("{header}{good}{second}\n");
        std::fs::write(dir.path().join("t.jsonl"), trace).unwrap();
        let output =
            fogbit().args(["validate", "bad.toml"]).current_dir(dir.path()).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        let told = stderr(&output);
        assert!(told.contains("t.jsonl") && told.contains("line 3"), "{told}");
        assert!(told.contains(part), "{told}");
    }
}

#[test]
fn files_and_ports_that_cannot_be_had() {
    let dir = tempfile::tempdir().unwrap();
    let small = topology("small.toml");
    let run = |arguments: &[&str]| -> Output {
        fogbit().arg("run").args(arguments).current_dir(dir.path()).output().unwrap()
    };
    let small = small.to_str().unwrap();

    let output = run(&["missing.toml"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("missing.toml"));

    std::fs::create_dir(dir.path().join("taken")).unwrap();
    let output = run(&[small, "--out", "taken"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("exists already"));

    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap().to_string();
    let output = run(&[small, "--listen", &address, "--out", "new"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains(&address), "{}", stderr(&output));

    let output = run(&[small, "--backend", "join", "--tokens", "nowhere", "--out", "new"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("fogbit token create"));

    let output = run(&[small, "--backend", "fog"]);
    assert_eq!(output.status.code(), Some(2));

    let left = common::files_and_folders(dir.path());
    assert_eq!(left, [dir.path().join("taken")], "something was written");
}

#[test]
fn tokens_that_are_none() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("token");
    std::fs::write(&file, "FOGBIT-1-123-456\n").unwrap();
    let output = fogbit()
        .args(["node", "--join", "127.0.0.1:9", "--token-file"])
        .arg(&file)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("not a join token"), "{}", stderr(&output));

    let tokens = dir.path().join("tokens");
    common::create_tokens(&tokens);
    let again = fogbit().args(["token", "create", "--out"]).arg(&tokens).output().unwrap();
    assert_eq!(again.status.code(), Some(2), "tokens are never overwritten");
    for file in common::files_and_folders(&tokens) {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{}: others can read it", file.display());
    }
}

/// `--format json` prints what `summary.json` holds, in the documented form.
#[test]
fn the_summary_is_as_documented() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let summary = run(&topology("small.toml"), &["--backend", "sim", "--set", "expect=[]"], &out);
    let file: Value =
        serde_json::from_slice(&std::fs::read(out.join("summary.json")).unwrap()).unwrap();
    assert_eq!(summary, file);
    let run = &summary["run"];
    assert_eq!(run["backend"], "sim");
    assert_eq!(run["valid"], true);
    assert!(run["slots"].is_u64() && run["topology"] == "small");
    let policy = &summary["policies"][0];
    assert_eq!(policy["name"], "toof");
    for name in ["regret_linear", "regret_happiness", "reward", "optimal_reward"] {
        assert!(policy[name]["mean"].is_number(), "{name}");
        assert!(policy[name]["sd"].is_null(), "{name}: one seed has no deviation");
    }
    assert!(policy["average_regret"]["100"].is_number());
    assert!(policy["average_regret"]["10000"].is_null(), "the run is shorter");
    let trial = &summary["trials"][0];
    assert_eq!((&trial["policy"], &trial["seed"]), (&"toof".into(), &1.into()));
    assert_eq!(trial["status"], "complete");
    let pair = &summary["pairs"][0];
    assert_eq!(pair["versus"], "toof");
    assert!(pair["mean"].is_number() && pair["low"].is_null() && pair["seeds"] == 1);
    for name in ["manifest.json", "topology.toml", "curves.csv", "report.html", "decisions"] {
        assert!(out.join(name).exists(), "{name}");
    }
    let decisions = std::fs::read_to_string(out.join("decisions/toof-1.csv")).unwrap();
    assert_eq!(decisions.lines().next(), Some("slot,node,bit,regret_linear,regret_happiness"));
    assert!(
        std::fs::read_to_string(out.join("curves.csv"))
            .unwrap()
            .starts_with("policy,slot,mean,sd,n\n")
    );
}

/// `verify` finds every kind of tampering, `diff` the first slot that differs.
#[test]
fn verify_and_diff_find_what_was_changed() {
    let dir = tempfile::tempdir().unwrap();
    let (a, b) = (dir.path().join("a"), dir.path().join("b"));
    for out in [&a, &b] {
        run(
            &topology("fifo.toml"),
            &["--backend", "sim", "--set", "slots=300", "--set", "expect=[]"],
            out,
        );
    }
    let code = |arguments: &[&Path], subcommand: &str| {
        let output = fogbit().arg(subcommand).args(arguments).output().unwrap();
        (output.status.code().unwrap(), stdout(&output))
    };
    assert_eq!(code(&[&a], "verify").0, 0);
    assert_eq!(code(&[&a, &b], "diff").0, 0);

    let file = b.join("decisions/toof-1.csv");
    let original = std::fs::read_to_string(&file).unwrap();
    let row = original.lines().nth(123).unwrap();
    let cells: Vec<&str> = row.split(',').collect();
    let other_node = if cells[1] == "0" { "1" } else { "0" };
    let other_bit = if cells[2] == "1" { "-1" } else { "1" };
    for (cell, value) in [(1, other_node), (2, other_bit), (3, "0.125"), (4, "0.0625")] {
        let mut changed = cells.clone();
        changed[cell] = value;
        std::fs::write(&file, original.replace(row, &changed.join(","))).unwrap();
        let (exit, told) = code(&[&b], "verify");
        assert_eq!(exit, 1, "column {cell}: {told}");
        assert!(told.contains("slot 123"), "column {cell}: {told}");
        let (exit, told) = code(&[&a, &b], "diff");
        assert_eq!(exit, 1);
        assert!(told.contains("toof with seed 1: slot 123"), "{told}");
    }
    std::fs::write(&file, original.lines().take(200).map(|l| format!("{l}\n")).collect::<String>())
        .unwrap();
    assert_eq!(code(&[&b], "verify").0, 1, "missing rows");
    assert_eq!(code(&[&a, &b], "diff").0, 1, "missing rows");
    std::fs::write(&file, &original).unwrap();
    assert_eq!(code(&[&b], "verify").0, 0);

    let summary = std::fs::read_to_string(b.join("summary.json")).unwrap();
    let mut parsed: Value = serde_json::from_str(&summary).unwrap();
    let regret = parsed["trials"][0]["regret_linear"].as_f64().unwrap();
    parsed["trials"][0]["regret_linear"] = (regret * (1.0 + 1e-8)).into();
    std::fs::write(b.join("summary.json"), parsed.to_string()).unwrap();
    assert_eq!(code(&[&b], "verify").0, 1, "a sum that is off by 1e-8");
    for path in [
        "/policies/0/average_regret/100",
        "/policies/1/happy_share",
        "/pairs/0/mean",
        "/policies/0/tasks/answered",
        "/policies/0/chosen_share/1",
        "/run/slots",
    ] {
        let mut parsed: Value = serde_json::from_str(&summary).unwrap();
        let value = parsed.pointer_mut(path).unwrap();
        *value = match value.as_u64() {
            Some(number) => (number + 1).into(),
            None => (value.as_f64().unwrap() + 0.01).into(),
        };
        std::fs::write(b.join("summary.json"), parsed.to_string()).unwrap();
        assert_eq!(code(&[&b], "verify").0, 1, "{path}");
    }
    std::fs::write(b.join("summary.json"), &summary).unwrap();
    std::fs::write(b.join("curves.csv"), "policy,slot,mean,sd,n\n").unwrap();
    assert_eq!(code(&[&b], "verify").0, 1, "an emptied curve");
    assert_eq!(code(&[dir.path()], "verify").0, 2, "no results at all");
}

/// An expectation that fails ends the run with exit code 1; one that cannot be told does not.
#[test]
fn expectations() {
    let dir = tempfile::tempdir().unwrap();
    let expect = |bound: &str, slot: u64, seeds: u64| {
        format!(
            "{SMALLEST}[[expect]]\npolicy = \"toof\"\nmetric = \"average_regret\"\n\
             {bound}\nslot = {slot}\nseeds = {seeds}\n"
        )
    };
    let cases = [
        ("below = 2", 50, 1, 0, "expectation met"),
        ("below = -2", 50, 1, 1, "expectation FAILED"),
        ("above = 2", 50, 1, 1, "expectation FAILED"),
        ("below = -2", 51, 1, 0, "not evaluated"),
        ("below = -2", 50, 2, 0, "not evaluated"),
    ];
    for (number, (bound, slot, seeds, code, part)) in cases.into_iter().enumerate() {
        let file = dir.path().join("expect.toml");
        std::fs::write(&file, expect(bound, slot, seeds)).unwrap();
        let output = fogbit()
            .arg("run")
            .arg(&file)
            .args(["--backend", "sim", "--out"])
            .arg(dir.path().join(format!("out{number}")))
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(code), "{bound}: {}", stderr(&output));
        assert!(stdout(&output).contains(part), "{bound}: {}", stdout(&output));
    }
}

#[test]
fn a_served_policy_answers_nonsense_with_errors_and_goes_on() {
    let mut child = fogbit()
        .args(["policy", "serve", "round-robin"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let input = [
        "{\"decide\":{\"slot\":1,\"contexts\":[[0.1]]}}",
        "garbage",
        "{\"start\":{\"nodes\":0,\"features\":1}}",
        "{\"start\":{\"nodes\":2,\"features\":1}}",
        "{\"decide\":{\"slot\":1,\"contexts\":[[0.1]]}}",
        "{\"decide\":{\"slot\":1,\"contexts\":[[0.1],[2.0]]}}",
        "{\"decide\":{\"slot\":2,\"contexts\":[[0.1],[0.2]]}}",
        "{\"learn\":{\"slot\":2,\"node\":1,\"bit\":3}}",
        "{\"learn\":{\"slot\":2,\"node\":5,\"bit\":1}}",
        "{\"learn\":{\"slot\":2,\"node\":1,\"bit\":1}}",
    ];
    child.stdin.take().unwrap().write_all(input.join("\n").as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let answers: Vec<Value> =
        stdout(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let errors: Vec<bool> = answers.iter().map(|a| a["error"].is_string()).collect();
    assert_eq!(errors, [true, true, true, true, true, false, true, true, false], "{answers:?}");
    assert_eq!(answers[5]["node"], 1);
    assert!(answers[8]["estimate"].is_null());

    for (arguments, part) in
        [(["serve", "optimal"], "told the truth"), (["serve", "nobody"], "no policy is called")]
    {
        let output = fogbit().arg("policy").args(arguments).stdin(Stdio::null()).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        assert!(stderr(&output).contains(part), "{}", stderr(&output));
    }
}

#[test]
fn every_command_has_help_with_an_example() {
    let help = |arguments: &[&str]| {
        let output = fogbit().args(arguments).arg("--help").output().unwrap();
        assert!(output.status.success(), "{arguments:?}");
        stdout(&output)
    };
    assert!(help(&[]).contains("Exit codes"));
    for command in [
        &["run"][..],
        &["validate"],
        &["graph"],
        &["report"],
        &["verify"],
        &["diff"],
        &["schema"],
        &["policy", "serve"],
        &["token", "create"],
        &["node"],
        &["task-node"],
        &["completions"],
    ] {
        let text = help(command);
        assert!(text.contains("Example"), "{command:?} has no example");
    }
    let list = stdout(&fogbit().args(["policy", "list"]).output().unwrap());
    for kind in ["toof", "greedy", "round-robin", "random", "optimal"] {
        assert!(list.contains(kind), "{kind}");
    }
    for shell in ["bash", "zsh", "fish"] {
        let output = fogbit().args(["completions", shell]).output().unwrap();
        assert!(stdout(&output).contains("task-node"), "{shell}");
    }
}

/// The committed schema is what the program prints.
#[test]
fn the_schema_is_the_committed_one() {
    let output = fogbit().arg("schema").output().unwrap();
    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/topology.schema.json");
    assert!(
        stdout(&output) == std::fs::read_to_string(committed).unwrap(),
        "run `fogbit schema > docs/topology.schema.json`"
    );
}

/// Whoever reads only the first lines of what a command prints gets no error for it.
#[test]
fn a_reader_may_go_away() {
    let mut child =
        fogbit().arg("schema").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
}
