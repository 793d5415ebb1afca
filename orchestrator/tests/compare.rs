//! `fogbit compare`, `run --versus`, and what `summary.json` says of pairs and ranks.

mod common;

use std::path::{Path, PathBuf};

use common::{fogbit, run, stderr, stdout, topology};
use serde_json::Value;

/// Plays `small.toml` in virtual time.
fn small(arguments: &[&str], out: &Path) -> Value {
    let base = ["--backend", "sim", "--set", "expect=[]", "--set", "slots=200"];
    run(&topology("small.toml"), &[&base, arguments].concat(), out)
}

/// `fogbit compare ARGUMENTS`: exit code, standard output, standard error.
fn compare(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = fogbit().arg("compare").args(arguments).output().unwrap();
    // Long lines are broken anywhere there is a blank.
    let words = |text: String| text.split_whitespace().collect::<Vec<_>>().join(" ");
    (output.status.code(), stdout(&output), words(stderr(&output).replace('│', " ")))
}

fn compared(arguments: &[&str]) -> Value {
    let (code, text, error) = compare(&[arguments, &["--format", "json"]].concat());
    assert_eq!(code, Some(0), "{error}");
    serde_json::from_str(&text).unwrap()
}

fn words(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn list<'v>(value: &'v Value, key: &str) -> &'v Vec<Value> {
    value[key].as_array().unwrap()
}

fn number(value: &Value, key: &str) -> f64 {
    value[key].as_f64().unwrap_or_else(|| panic!("{key} of {value}"))
}

/// The values of a policy by seed, from the trials of a summary.
fn values(summary: &Value, policy: &str, metric: &str) -> Vec<(u64, f64)> {
    let own = list(summary, "trials").iter().filter(|trial| trial["policy"] == policy);
    own.map(|trial| (trial["seed"].as_u64().unwrap(), number(trial, metric))).collect()
}

#[test]
fn runs_made_apart_are_paired_by_seed() {
    let dir = tempfile::tempdir().unwrap();
    let (a, b) = (dir.path().join("a"), dir.path().join("b"));
    let of_a = small(&["--seeds", "6", "--policy", "toof", "--policy", "round-robin"], &a);
    let other = ["--set", "policies.cautious.lambda=2.0", "--set", "seeds=[4,5,6,7]"];
    let of_b = small(&[&other[..], &["--policy", "toof", "--policy", "cautious"]].concat(), &b);

    let found = compared(&[words(&a), words(&b), "--versus", "round-robin", "--metric", "reward"]);
    assert_eq!((&found["paired"], &found["versus"]), (&true.into(), &"round-robin".into()));
    let names: Vec<&str> =
        list(&found, "policies").iter().map(|policy| policy["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["toof@a", "round-robin", "toof@b", "cautious"]);

    // The same numbers as one run with all of them.
    let together = dir.path().join("together");
    let all = ["--versus", "round-robin", "--set", "seeds=[4,5,6]"];
    let together = small(&[&all[..], &other[..2]].concat(), &together);
    let alone = |pairs: &Value, policy: &str| -> Value {
        let wanted = |pair: &&Value| pair["policy"] == policy && pair["metric"] == "reward";
        let mut pair = list(pairs, "pairs").iter().find(wanted).unwrap().clone();
        pair["policy"] = "it".into();
        pair
    };
    assert_eq!(alone(&found, "cautious"), alone(&together, "cautious"));
    assert_eq!(alone(&found, "toof@b"), alone(&together, "toof"));

    // By hand from the trials: mean over all complete ones, differences over common seeds.
    let toof = values(&of_b, "toof", "reward");
    let mean = toof.iter().map(|(_, value)| value).sum::<f64>() / toof.len() as f64;
    assert_eq!(number(&found["policies"][2]["value"], "mean"), mean);
    let cyclic = values(&of_a, "round-robin", "reward");
    let differences: Vec<f64> = toof
        .iter()
        .filter_map(|(seed, value)| Some(value - cyclic.iter().find(|(other, _)| other == seed)?.1))
        .collect();
    let pair = alone(&found, "toof@b");
    assert_eq!(pair["seeds"], 3);
    let mean = differences.iter().sum::<f64>() / 3.0;
    assert!((number(&pair, "mean") - mean).abs() < 1e-9, "{pair}: {differences:?}");
    assert!(list(&found, "ranks").iter().all(|rank| rank["seeds"] == 3));

    // toof is the same in both, and said to be.
    let same = &found["identical"][0];
    assert_eq!((&same["seeds"], &same["same"]), (&3.into(), &3.into()), "{found}");
    assert!(found["notes"][0].as_str().unwrap().contains("identical in all 3"), "{found}");
    // So it does not matter which one is meant.
    assert_eq!(compared(&[words(&a), words(&b), "--versus", "toof"])["versus"], "toof@a");
    assert_eq!(compared(&[words(&a), words(&b)])["versus"], "toof@a");
}

#[test]
fn what_cannot_be_paired_stands_side_by_side() {
    let dir = tempfile::tempdir().unwrap();
    let (a, b) = (dir.path().join("a"), dir.path().join("b"));
    small(&["--seeds", "3", "--policy", "toof"], &a);
    small(&["--seeds", "3", "--policy", "toof", "--set", "slots=300"], &b);
    let page = dir.path().join("page.html");
    let (code, text, _) = compare(&[words(&a), words(&b), "--out", words(&page)]);
    assert_eq!(code, Some(0));
    assert!(text.contains("NOT PAIRED") && text.contains("slots (200 in a, 300 in b)"), "{text}");
    assert!(text.contains("toof@a") && !text.contains("minus"), "{text}");
    let found = compared(&[words(&a), words(&b)]);
    assert_eq!((&found["paired"], &found["versus"]), (&false.into(), &Value::Null));
    assert!(list(&found, "pairs").is_empty() && list(&found, "ranks").is_empty());
    assert_eq!(list(&found, "policies").len(), 2);
    assert!(number(&found["policies"][1]["value"], "median") > 0.0);
    let page = std::fs::read_to_string(page).unwrap();
    assert!(page.contains("class='banner'") && !page.contains("Paired differences"));
    assert!(!page.contains("<script") && !page.contains("http"), "it needs nothing but itself");
}

#[test]
fn the_page_shows_the_comparison() {
    let dir = tempfile::tempdir().unwrap();
    let a = dir.path().join("a");
    small(&["--seeds", "4"], &a);
    let page = dir.path().join("page.html");
    let (code, text, error) = compare(&[words(&a), "--out", words(&page)]);
    assert_eq!(code, Some(0), "{error}");
    assert!(text.contains("minus toof") && text.contains("best in"), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    let html = std::fs::read_to_string(&page).unwrap();
    for part in ["Paired differences to toof", "bootstrap", "round-robin", "mean rank", "<svg"] {
        assert!(html.contains(part), "{part}");
    }
    let (code, _, error) = compare(&[words(&a), "--out", words(&page)]);
    assert_eq!(code, Some(2), "it is not overwritten");
    assert!(error.contains("exists already"), "{error}");
}

#[test]
fn mistakes_are_explained() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| -> PathBuf { dir.path().join(name) };
    let (a, b, c, d) = (path("a"), path("b"), path("c"), path("d"));
    small(&["--seed", "1", "--policy", "toof"], &a);
    small(&["--seed", "2", "--policy", "toof"], &b);
    small(&["--seed", "1", "--policy", "toof", "--set", "policies.toof.lambda=3.0"], &c);
    small(&["--seed", "1"], &d);
    let manifest = std::fs::read_to_string(d.join("manifest.json")).unwrap();
    let running = manifest.replace("\"status\": \"complete\"", "\"status\": \"running\"");
    assert_ne!(manifest, running);
    std::fs::write(d.join("manifest.json"), running).unwrap();
    let [a, b, c, d] = [&a, &b, &c, &d].map(|path| words(path));
    for (arguments, told) in [
        (vec![words(dir.path())], "is not a results directory"),
        (vec![a], "nothing to compare it with"),
        (vec![a, a], "is given twice"),
        (vec![a, d], "is not finished"),
        (vec![a, b], "no policy has completed a seed that toof@a has completed too"),
        (vec![a, b], "a has seeds 1; b has seeds 2"),
        (vec![a, c, "--versus", "nobody"], "policies: toof@a, toof@c"),
        (vec![a, c, "--versus", "toof"], "say one of toof@a, toof@c"),
    ] {
        let (code, _, error) = compare(&arguments);
        assert_eq!(code, Some(2), "{arguments:?}: {error}");
        assert!(error.contains(told), "{arguments:?}: `{told}` is not in `{error}`");
    }
    let one_seed = compared(&[a, c, "--versus", "toof@c"]);
    assert_eq!(one_seed["pairs"][0]["low"], Value::Null);
}

#[test]
fn the_policy_compared_with_is_chosen() {
    let dir = tempfile::tempdir().unwrap();
    let summary = small(&["--seeds", "5", "--versus", "cautious"], &dir.path().join("a"));
    let pairs = list(&summary, "pairs");
    assert_eq!(pairs.len(), 3 * 4);
    assert!(pairs.iter().all(|pair| pair["versus"] == "cautious" && pair["policy"] != "cautious"));
    let output = fogbit()
        .arg("run")
        .arg(topology("small.toml"))
        .args(["--backend", "sim", "--versus", "nobody", "--out"])
        .arg(dir.path().join("b"))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("policies here: toof, cautious"), "{}", stderr(&output));
    assert!(!dir.path().join("b").exists(), "nothing is written");
}

/// Medians and ranks by hand from the trials; `verify` finds whatever is changed.
#[test]
fn the_summary_is_right_and_verified() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("a");
    let summary = small(&["--seeds", "5"], &out);
    let reward = |policy: &str| values(&summary, policy, "reward");
    let mut toof: Vec<f64> = reward("toof").iter().map(|(_, value)| *value).collect();
    toof.sort_by(f64::total_cmp);
    assert_eq!(number(&summary["policies"][0]["reward"], "median"), toof[2]);

    let ranked = ["toof", "cautious", "round-robin"];
    let all: Vec<Vec<(u64, f64)>> = ranked.iter().map(|policy| reward(policy)).collect();
    let ranks: Vec<f64> = (0..ranked.len())
        .map(|own| {
            let of_seed = |seed: usize| -> f64 {
                let others = all.iter().enumerate().filter(|(other, _)| *other != own);
                1.0 + others.fold(0.0, |rank, (_, other)| {
                    assert_eq!(other[seed].0, all[own][seed].0);
                    rank + match other[seed].1.total_cmp(&all[own][seed].1) {
                        std::cmp::Ordering::Greater => 1.0,
                        std::cmp::Ordering::Equal => 0.5,
                        std::cmp::Ordering::Less => 0.0,
                    }
                })
            };
            (0..5).map(of_seed).sum::<f64>() / 5.0
        })
        .collect();
    let told = list(&summary, "ranks").iter().filter(|rank| rank["metric"] == "reward");
    let told: Vec<(&str, f64)> =
        told.map(|rank| (rank["policy"].as_str().unwrap(), number(rank, "mean_rank"))).collect();
    assert_eq!(told, ranked.into_iter().zip(ranks).collect::<Vec<_>>(), "optimal has no rank");

    let verify = || fogbit().arg("verify").arg(&out).output().unwrap();
    assert_eq!(verify().status.code(), Some(0), "{}", stdout(&verify()));
    for path in [
        "/policies/0/reward/median",
        "/policies/0/regret_linear/sd",
        "/pairs/0/sd",
        "/pairs/0/median",
        "/pairs/0/bootstrap_low",
        "/pairs/0/better_share",
        "/pairs/0/p_value",
        "/pairs/0/seeds_needed",
        "/ranks/0/mean_rank",
        "/ranks/1/best_share",
        "/ranks/2/seeds",
    ] {
        let mut changed = summary.clone();
        let value = changed.pointer_mut(path).unwrap();
        *value = match (value.as_u64(), value.as_f64()) {
            (Some(whole), _) => (whole + 1).into(),
            (None, Some(real)) => (real + 0.01).into(),
            (None, None) => 7.into(),
        };
        std::fs::write(out.join("summary.json"), changed.to_string()).unwrap();
        assert_eq!(verify().status.code(), Some(1), "{path}");
    }
}

/// The expectations of `small.toml` speak of `round-robin`, which is left out here.
#[test]
fn a_run_of_some_policies_is_verified_and_compared() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("some");
    let some = ["--backend", "sim", "--seeds", "2", "--policy", "toof", "--policy", "cautious"];
    run(&topology("small.toml"), &some, &out);
    let verified = fogbit().arg("verify").arg(&out).output().unwrap();
    assert_eq!(verified.status.code(), Some(0), "{}", stderr(&verified));
    assert_eq!(list(&compared(&[words(&out)]), "pairs").len(), 1);
}
