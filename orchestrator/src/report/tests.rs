//! Reports of results directories that were written by hand.

use std::path::Path;

use serde_json::{Value, json};

use super::markup::well_formed;
use super::*;
use crate::plan::Curve;
use crate::results::curve_file;

/// A policy of `summary.json`.
fn policy(name: &str, kind: &str, parameters: Value, regret: f64) -> Value {
    json!({
        "name": name, "kind": kind, "parameters": parameters, "seeds": 2,
        "slots_per_second": 123456.7,
        "regret_linear": {"mean": regret, "sd": 20.5}, "regret_happiness": {"mean": 60.25, "sd": 5.0},
        "average_regret": {"100": 0.2468, "1000": regret / 1000.0, "10000": null},
        "reward": {"mean": 135.5, "sd": 12.0}, "optimal_reward": {"mean": 271.0, "sd": 11.0},
        "share_of_optimal_reward": 0.5, "happy_share": 0.5678,
        "tasks": {"offloaded": 2000, "answered": 1990, "timed_out": 0, "refused": 10},
        "chosen_share": [0.75, 0.25], "average_regret_bound": null, "covered_share": null
    })
}

fn pair(policy: &str, metric: &str, mean: f64, interval: Option<(f64, f64)>) -> Value {
    let (low, high) = interval.unzip();
    json!({"policy": policy, "versus": "toof", "metric": metric, "mean": mean, "low": low,
           "high": high, "seeds": 2})
}

fn trial(policy: &str, seed: u64, status: &str, failure: Option<&str>) -> Value {
    json!({"policy": policy, "seed": seed, "status": status, "failure": failure, "slots": 1000,
           "regret_linear": 250.0, "regret_happiness": 60.0, "reward": 130,
           "optimal_reward": 270.0, "offloaded": 1000, "answered": 995, "timed_out": 0,
           "refused": 5, "seconds": 0.1})
}

fn summary() -> Value {
    let tuned = json!({"lambda": 1.0, "gamma": {"kind": "tuned", "c": 0.03}});
    let wide = json!({"lambda": 5.0, "gamma": {"kind": "paper-eq15", "delta": 0.05}});
    json!({
        "run": {
            "topology": "two", "about": "Two <script>alert('nodes')</script> & more",
            "backend": "sim", "slots": 1000, "valid": true, "status": "complete", "seeds": 2,
            "nodes": ["anna", "bert"], "features": 5, "own_path": false, "seconds": 1.5,
            "version": "0.1.0"
        },
        "policies": [
            policy("toof", "toof", tuned, 250.5),
            policy("careful", "toof", wide, 333.25),
            policy("best", "optimal", json!({}), 0.0),
        ],
        "pairs": [
            pair("careful", "regret_linear", 82.75, Some((-5.5, 171.0))),
            pair("best", "regret_linear", -250.5, Some((-260.31, -240.77))),
        ],
        "expectations": [
            {"expectation": "regret_linear of toof below 5", "judgement": "failed",
             "finding": "mean 250.500000"},
            {"expectation": "later", "judgement": "not_evaluated", "finding": "too <short>"},
        ],
        "trials": [
            trial("toof", 3, "complete", None), trial("toof", 4, "complete", None),
        ]
    })
}

fn manifest() -> Value {
    json!({
        "fogbit": "0.1.0", "layout": 1, "status": "complete", "valid": true, "reason": null,
        "backend": "sim", "seeds": [3, 4],
        "command": ["fogbit", "run", "two.toml", "--set", "about=<b> it's"],
        "started": "2024-01-31T23:59:59Z", "finished": "2024-02-01T00:00:01Z",
        "host": {"os": "linux", "arch": "x86_64", "cpus": 2}
    })
}

/// Writes a results directory and renders it. `curves` has the rows of each file that has some.
fn rendered(summary: &Value, manifest: &Value, curves: &[(Curve, &str)]) -> String {
    let dir = tempfile::tempdir().expect("a temporary directory");
    write(dir.path(), summary, manifest, curves);
    let first = render(dir.path()).expect("a report");
    assert_eq!(first, render(dir.path()).expect("a report"), "the same bytes every time");
    check(&first);
    first
}

fn write(dir: &Path, summary: &Value, manifest: &Value, curves: &[(Curve, &str)]) {
    std::fs::create_dir(dir.join("curves")).expect("a folder");
    let put = |name: &str, text: String| std::fs::write(dir.join(name), text).expect("a file");
    put("summary.json", summary.to_string());
    put("manifest.json", manifest.to_string());
    for curve in Curve::ALL {
        let rows: String =
            curves.iter().filter(|(c, _)| *c == curve).map(|(_, rows)| *rows).collect();
        put(&curve_file(curve), format!("policy,slot,mean,sd,n\n{rows}"));
    }
}

/// What holds for every report: one page, no script, nothing from elsewhere, sound drawings.
fn check(html: &str) {
    assert!(html.starts_with("<!DOCTYPE html>") && html.ends_with("</html>\n"));
    for banned in ["<script", "http:", "https:", "url(http", "@import", "NaN", ">inf", "src="] {
        assert!(!html.contains(banned), "{banned}");
    }
    let drawings: Vec<&str> = html.split("<svg").skip(1).collect();
    for drawing in &drawings {
        let end = drawing.find("</svg>").expect("the end of a drawing");
        let svg = format!("<svg{}</svg>", &drawing[..end]);
        well_formed(&svg).unwrap_or_else(|error| panic!("{error}\n{svg}"));
    }
    let body = &html[html.find("<body>").expect("a body")..html.find("</html>").expect("an end")];
    let body = body.replace("<br>", "<br/>");
    well_formed(&body).unwrap_or_else(|error| panic!("{error}\n{body}"));
}

const AVERAGE: &str = "toof,1,0.5,0.1,2\ntoof,100,0.2468,0.0135,2\ntoof,1000,0.2505,0.0205,2\n\
                       careful,1,0.5,0.1,2\ncareful,1000,0.33325,0.02,2\n\
                       best,1,0.0,0.0,2\nbest,1000,0.0,0.0,2\n";
const REWARD: &str = "toof,1,0.0,1.0,2\ntoof,1000,135.5,12.0,2\ncareful,1,-1.0,0.0,2\n\
                      careful,1000,-40.0,9.0,2\nbest,1,1.0,0.0,2\nbest,1000,280.0,10.0,2\n";
const OPTIMAL: &str = "toof,1,0.25,,2\ntoof,1000,271.0,,2\ncareful,1,0.25,,2\n\
                       careful,1000,271.0000000001,,2\n";

#[test]
fn numbers_come_from_the_files() {
    let html = rendered(
        &summary(),
        &manifest(),
        &[
            (Curve::AverageRegret, AVERAGE),
            (Curve::Reward, REWARD),
            (Curve::OptimalReward, OPTIMAL),
        ],
    );
    for text in [
        "<h1>two</h1>",
        "<b>2</b> seeds (3, 4)",
        "λ = 1, γ tuned, c = 0.03",
        "toof, λ = 5, γ paper-eq15, δ = 0.05",
        "0.2468<span class='sd'>± 0.0135</span>",
        "0.2505<span class='sd'>± 0.0205</span>",
        "250.5<span class='sd'>± 20.5</span>",
        "50.0 %",
        "56.8 %",
        "10<span class='sub'>0.5 %</span>",
        "123,457",
        "<td>82.8</td><td>−5.5 to 171.0</td>",
        "<td class='left'>open</td>",
        "<td>−250.5</td><td>−260.3 to −240.8</td>",
        "<td class='left'>better</td>",
        "✗ failed",
        "mean 250.500000",
        "not evaluated",
        "best choices, expected",
        "toof to anna: 75.0 %",
        "means over 2 seeds",
        "href='curves/optimal_reward.csv'",
        "fogbit verify .",
        "fogbit run topology.toml --backend sim",
        "linux x86_64, 2 processors",
        "2024-01-31T23:59:59Z",
    ] {
        assert!(html.contains(text), "`{text}` is missing in\n{html}");
    }
    assert!(!html.contains("10,000"), "the run is shorter");
    assert!(!html.contains("class='banner'") && !html.contains("class='note'"));
    // One colour for each policy, grey for the one that knows; the optimal rewards are one line.
    assert!(html.contains("class='line c0 d0'") && html.contains("class='line c1 d0'"));
    assert_eq!(html.matches("class='guide best'").count(), 2, "in the plot and in the legend");
}

#[test]
fn what_is_missing_is_said() {
    let html = rendered(&summary(), &manifest(), &[(Curve::AverageRegret, AVERAGE)]);
    for text in [
        "<b>Cumulative reward</b> is not drawn",
        "<b>Error of the estimates</b> is not drawn: no policy of this run estimates weights",
        "<b>The bound (19) and what was measured</b> is not drawn",
        "<b>How often the confidence region held</b> is not drawn",
    ] {
        assert!(html.contains(text), "`{text}` is missing");
    }
    let mut bare = summary();
    for list in ["policies", "pairs", "expectations", "trials"] {
        bare[list] = json!([]);
    }
    rendered(&bare, &manifest(), &[]);
}

#[test]
fn every_figure_is_drawn() {
    let html = rendered(
        &summary(),
        &manifest(),
        &[
            (Curve::AverageRegret, AVERAGE),
            (Curve::WeightError, "toof,1,1.0,,2\ntoof,1000,0.5,0.1,2\n"),
            (Curve::Bound, "toof,1,9.0,,2\ntoof,1000,3.0,0.1,2\n"),
            (Curve::Covered, "toof,1,0.0,,2\ntoof,1000,0.75,0.1,2\n"),
        ],
    );
    for id in ["average-regret", "choices", "weight-error", "bound", "covered"] {
        assert_eq!(html.matches(&format!("<figure id='{id}'>")).count(), 1, "{id}");
    }
    assert!(html.contains(">(19) toof (λ = 1)<"));
    assert!(html.contains(">100 %<"));
}

#[test]
fn markup_in_strings_stays_text() {
    let mut summary = summary();
    summary["run"]["topology"] = json!("</style><img src=x>");
    summary["run"]["nodes"] = json!(["<i>anna", "be'rt\""]);
    summary["policies"][0]["parameters"] = json!({"lambda": 1.0, "mode": "<u>"});
    summary["trials"][0] = trial("toof", 3, "failed", Some("node <h0> & co"));
    let mut manifest = manifest();
    manifest["reason"] = json!("a <b>reason</b>");
    summary["run"]["status"] = json!("failed");
    let dir = tempfile::tempdir().expect("a temporary directory");
    write(dir.path(), &summary, &manifest, &[(Curve::AverageRegret, AVERAGE)]);
    let html = render(dir.path()).expect("a report");
    for raw in ["<script", "<img", "<i>anna", "be'rt", "<u>", "<h0>", "<b>reason", "<b> it"] {
        assert!(!html.contains(raw), "{raw}");
    }
    for text in
        ["Two &lt;script&gt;alert(&#39;nodes&#39;)", "&lt;h0&gt; &amp; co", "too &lt;short&gt;"]
    {
        assert!(html.contains(text), "{text}");
    }
}

#[test]
fn what_is_not_to_be_believed_says_so() {
    for (status, valid, words) in [
        ("partial", true, "This run is partial."),
        ("failed", true, "This run failed."),
        ("running", true, "This run is not finished."),
        ("complete", false, "This run is invalid."),
    ] {
        let mut summary = summary();
        summary["run"]["status"] = json!(status);
        summary["run"]["valid"] = json!(valid);
        summary["run"]["own_path"] = json!(true);
        summary["trials"][1] = trial("toof", 4, "failed", Some("killed"));
        let mut manifest = manifest();
        manifest["reason"] = json!("node anna died.");
        let html = rendered(&summary, &manifest, &[(Curve::AverageRegret, AVERAGE)]);
        let banner = &html[html.find("class='banner'").expect(words)..];
        let banner = &banner[..banner.find("</div>").expect("its end")];
        assert!(banner.contains(words), "{banner}");
        assert!(banner.contains("Reason: node anna died. Complete trials: 1 of 6."), "{banner}");
        assert!(html.contains("failed: killed"));
        assert!(html.contains("on each policy’s own path"));
    }
}

#[test]
fn one_seed_has_no_intervals() {
    let mut summary = summary();
    summary["pairs"] = json!([pair("careful", "regret_linear", 82.75, None)]);
    let average = "toof,1,0.5,,1\ntoof,1000,0.25,,1\n";
    let html = rendered(&summary, &manifest(), &[(Curve::AverageRegret, average)]);
    assert!(html.contains("With one seed there is no interval"));
    assert!(html.contains("<td>82.75</td><td>–</td>"), "{html}");
    assert!(!html.contains("class='band") && !html.contains("standard deviation on either side"));
}

#[test]
fn a_run_of_one_slot_has_a_report() {
    let mut summary = summary();
    summary["run"]["slots"] = json!(1);
    let html = rendered(&summary, &manifest(), &[(Curve::AverageRegret, "toof,1,0.5,0.1,2\n")]);
    assert!(html.contains("average regret at slot"));
}

#[test]
fn a_directory_that_is_none_is_refused() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let error = render(dir.path()).expect_err("there is nothing");
    assert!(error.to_string().contains("manifest.json"), "{error}");
}

/// What later versions added: ranks, the bootstrap interval, and how many seeds would decide.
#[test]
fn the_ranking_and_open_questions_are_told() {
    let mut summary = summary();
    let more = json!({"sd": 63.7, "median": 80.0, "bootstrap_low": -6.25, "bootstrap_high": 168.5,
                      "p_value": 0.06, "better_share": 0.0, "seeds_needed": 131});
    for (key, value) in more.as_object().expect("an object") {
        summary["pairs"][0][key] = value.clone();
    }
    let rank = |policy: &str, metric: &str, mean: f64, best: f64| {
        json!({"policy": policy, "metric": metric, "slot": 1000, "mean_rank": mean,
               "best_share": best, "seeds": 2})
    };
    summary["ranks"] = json!([
        rank("careful", "regret_linear", 1.75, 0.25),
        rank("toof", "regret_linear", 1.25, 0.75),
    ]);
    let html = rendered(&summary, &manifest(), &[(Curve::AverageRegret, AVERAGE)]);
    for text in [
        "<h2>Ranking</h2>",
        "Under each of 2 seeds",
        "are told the truth, or have no complete trial, are not ranked",
        "toof</td><td>1.25</td><td>75.0 %</td><td>–</td>",
        "<td>−5.5 to 171.0</td><td>−6.2 to 168.5</td>",
        "open: about 140<span class='sub'>seeds would decide</span>",
    ] {
        assert!(html.contains(text), "`{text}` is missing in\n{html}");
    }
    let section = &html[html.find("<h2>Ranking").expect("a ranking")..];
    assert!(section.find("toof</td>") < section.find("careful</td>"), "by mean rank");
}
