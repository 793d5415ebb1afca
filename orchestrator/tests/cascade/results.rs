//! Tables, files, and what can be done with them.

use std::path::Path;

use serde_json::Value;

use super::common::{files, fogbit, stderr, stdout};
use super::problem::{assert_repeats, verify};
use super::{play, policy, topology};

#[test]
fn two_runs_are_the_same_on_any_number_of_cores() {
    let dir = tempfile::tempdir().unwrap();
    let file = topology(dir.path(), "about", "about");
    let kept: (&[&str], &[&str]) = (&["decisions"], &["levels.csv", "topology.toml", "trace.csv"]);
    assert_repeats(
        dir.path(),
        &file,
        kept,
        Some("images_per_second"),
        "the same: 18 trials, 9000 images",
    );
}

#[test]
fn the_table_says_what_there_is_to_say() {
    let dir = tempfile::tempdir().unwrap();
    let expect = "[[expect]]\npolicy = \"seer\"\nmetric = \"average_loss\"\nbelow = \"fixed\"\n\
                  seeds = 3\n[[expect]]\npolicy = \"fixed\"\nmetric = \"offloaded_share\"\n\
                  above = 0.9\nseeds = 1\n[policies.fixed]";
    let file = topology(dir.path(), "[policies.fixed]", expect);
    let out = dir.path().join("out");
    let output =
        fogbit().args(["run", "--backend", "sim", "--out"]).args([&out, &file]).output().unwrap();
    let table = stdout(&output);
    assert_eq!(output.status.code(), Some(1), "an expectation fails: {table}{}", stderr(&output));
    for part in [
        "500 images, 3 seeds, backend sim",
        "0.1 tokens a slot, 4 at most; loss 0.5000 if no image is sent",
        "gain over",
        "seer*",
        "*: is told more than a task node can see",
        "by average_loss",
        "minus fixed",
        "expectation met: average_loss of seer below that of fixed",
        "expectation FAILED: offloaded_share of fixed above 0.9",
        "report.html",
    ] {
        assert!(table.contains(part), "no `{part}` in\n{table}");
    }
}

#[test]
fn the_directory_explains_itself() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let printed = play(&topology(dir.path(), "about", "about"), &["--seed", "7"], &out);
    let read = |name: &str| std::fs::read_to_string(out.join(name)).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&read("summary.json")).unwrap(), printed);
    assert_eq!(printed["run"]["problem"], "cascade");
    assert_eq!(printed["run"]["kept_images"], Value::Null);
    assert!(!out.join("curves").exists(), "there is none to be drawn");
    // Only those that see no more than a task node are ranked.
    let ranked: Vec<&Value> = printed["ranks"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|rank| rank["metric"] == "average_loss")
        .map(|rank| &rank["policy"])
        .collect();
    assert_eq!(ranked, ["fixed", "mdp", "belief"]);
    let levels = read("levels.csv");
    assert_eq!(levels.lines().count(), 1 + 6 * 41, "levels 0 to 4 tokens in tenths");
    let page = read("report.html");
    assert!(page.contains("Small &lt;&amp; quick&gt;"));
    for outside in ["http:", "https:", "<script", "@import"] {
        assert!(!page.contains(outside), "{outside}");
    }
    let made = fogbit().arg("report").arg(&out).output().unwrap();
    assert_eq!(made.status.code(), Some(0), "{}", stderr(&made));
    assert!(page == read("report.html"));
}

#[test]
fn verify_finds_what_was_changed() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    play(&topology(dir.path(), "about", "about"), &[], &out);
    let (code, told) = verify(&out);
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains("verified: 18 trials, 9000 images"), "{told}");

    let decisions = out.join("decisions/mdp-2.csv");
    let right = std::fs::read_to_string(&decisions).unwrap();
    let lines: Vec<&str> = right.lines().collect();
    let sent = lines.iter().position(|line| line.contains(",answered,")).unwrap();
    let fields: Vec<&str> = lines[sent].split(',').collect();
    for (column, put, part) in [
        (0, "0", "image"),
        (1, "7000", "slot"),
        (2, "4711", "id"),
        (3, "0.123", "metric"),
        (4, "9", "gap"),
        (5, "0.3", "tokens"),
        (6, "0.7", "wasted"),
        (7, "0", "wanted"),
        (8, "kept", "fate"),
        (8, "timed-out", "fate"),
        (8, "lost", "fate"),
        (9, "0.4", "loss"),
        (10, "9999", "place"),
        (11, "5", "state"),
        (12, "1.5", "some stages"),
    ] {
        let mut changed = fields.clone();
        changed[column] = put;
        let mut text: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
        text[sent] = changed.join(",");
        std::fs::write(&decisions, text.join("\n") + "\n").unwrap();
        let (code, told) = verify(&out);
        assert!(matches!(code, Some(1 | 2)), "{column}: {told}");
        assert!(told.contains("mdp-2") && told.contains(part), "{column} {put}: {told}");
    }
    // A row too few, and one too many.
    for text in [lines[..100].join("\n"), format!("{right}{}", lines[9])] {
        std::fs::write(&decisions, text + "\n").unwrap();
        assert_eq!(verify(&out).0, Some(1));
    }
    std::fs::write(&decisions, &right).unwrap();
    verify_finds_changed_figures(&out);
}

fn verify_finds_changed_figures(out: &Path) {
    let path = out.join("summary.json");
    let told: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let change = |pointer: &str, put: Option<Value>| {
        let mut changed = told.clone();
        let value = changed.pointer_mut(pointer).expect(pointer);
        *value = put.unwrap_or_else(|| match value.as_u64() {
            Some(count) => Value::from(count + 1),
            None => Value::from(value.as_f64().expect(pointer) * 1.001 + 1e-5),
        });
        std::fs::write(&path, changed.to_string()).unwrap();
        assert_eq!(verify(out).0, Some(1), "{pointer}");
    };
    for pointer in [
        "/policies/1/average_loss/mean",
        "/policies/1/average_loss/median",
        "/policies/1/average_loss_interval/high",
        "/policies/1/wasted_share/sd",
        "/policies/1/offloaded_share/mean",
        "/policies/1/gain/loss/low",
        "/policies/1/gain/percent",
        "/policies/2/way",
        "/policies/1/whole/wanted",
        "/policies/1/whole/mean_gap",
        "/trials/4/average_loss",
        "/trials/3/tokens_wasted",
        "/pairs/0/mean",
        "/run/weak_loss",
        "/run/strong_loss",
        "/run/bucket/rate",
        "/run/images",
    ] {
        change(pointer, None);
    }
    for (pointer, put) in [
        ("/run/valid", Value::Bool(false)),
        ("/run/baseline", "mdp".into()),
        ("/run/kept_images", 100.into()),
        ("/policies/1/kind", "belief".into()),
        ("/policies/1/told_more", true.into()),
        ("/policies/1/degenerate", "send".into()),
    ] {
        change(pointer, Some(put));
    }
    std::fs::write(&path, told.to_string()).unwrap();
    let levels = out.join("levels.csv");
    let right = std::fs::read_to_string(&levels).unwrap();
    let last = right.lines().last().unwrap();
    std::fs::write(&levels, right.replace(last, &format!("{last}1"))).unwrap();
    assert_eq!(verify(out).0, Some(1));
    std::fs::write(&levels, &right).unwrap();
    assert_eq!(verify(out).0, Some(0));
}

/// Of a long trial the first images are kept, and the rest is played again.
#[test]
fn long_trials_keep_their_first_images_and_are_verified_to_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let file = topology(dir.path(), "images = 500", "images = 10500");
    let summary = play(&file, &["--policy", "mdp,seer", "--seed", "2"], &out);
    assert_eq!(summary["run"]["kept_images"], 10_000);
    assert_eq!(policy(&summary, "mdp")["whole"]["images"], 10_500);
    let text = std::fs::read_to_string(out.join("decisions/mdp-2.csv")).unwrap();
    assert_eq!(text.lines().count(), 10_001);
    let (code, told) = verify(&out);
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains("verified: 2 trials, 21000 images"), "{told}");
}

#[test]
fn diff_names_the_first_image() {
    let dir = tempfile::tempdir().unwrap();
    let file = topology(dir.path(), "about", "about");
    let (a, b) = (dir.path().join("a"), dir.path().join("b"));
    play(&file, &["--policy", "fixed", "--seed", "1"], &a);
    let changed = ["--policy", "fixed", "--seed", "1", "--set", "policies.fixed.threshold=2.0"];
    play(&file, &changed, &b);
    let output = fogbit().arg("diff").args([&a, &b]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = std::fs::read_to_string(a.join("decisions/fixed-1.csv")).unwrap();
    let first = text.lines().position(|line| line.split(',').nth(7) == Some("1")).unwrap();
    let told = stdout(&output);
    assert!(told.contains(&format!("fixed with seed 1: image {first}:")), "{told}");
}

#[test]
fn without_decisions_there_is_nothing_to_verify() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    play(&topology(dir.path(), "about", "about"), &["--no-decisions"], &out);
    assert!(files(&out.join("decisions")).is_empty());
    let (code, told) = verify(&out);
    assert_eq!(code, Some(2));
    assert!(told.contains("--no-decisions"), "{told}");
    assert!(
        std::fs::read_to_string(out.join("report.html"))
            .unwrap()
            .contains("no decisions were kept")
    );
}
