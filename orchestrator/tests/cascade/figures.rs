//! What is told of runs whose outcome is known.

use serde_json::Value;

use super::{play, policy, topology};

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("no number: {value}"))
}

/// Independent images, one a slot: the lower bound sends the tenth of the images with metrics 180/200
/// to 199/200. By hand its mean loss is 1/2 - 1/10 * 189.5/200 = 0.40525, and its variance that of a
/// reward that is 0 with probability 9/10.
#[test]
fn the_lower_bound_of_independent_images_is_known() {
    let dir = tempfile::tempdir().unwrap();
    let file = topology(
        dir.path(),
        "[arrivals]\nkind = \"markov\"\ngaps = [1, 3]\nleave = [0.01, 0.02]\n",
        "",
    );
    let arguments = ["--set", "images=20000", "--set", "stream={}", "--no-decisions"];
    let summary = play(&file, &arguments, &dir.path().join("out"));
    let told = policy(&summary, "bound");
    let rewards: Vec<f64> = (180..200).map(|i| f64::from(i) / 200.0).collect();
    let mean = 0.1 * rewards.iter().sum::<f64>() / 20.0;
    let square = 0.1 * rewards.iter().map(|r| r * r).sum::<f64>() / 20.0;
    assert!((mean - 0.1 * 189.5 / 200.0).abs() < 1e-12);
    let error = ((square - mean * mean) / 60_000.0).sqrt();
    let loss = number(&told["average_loss"]["mean"]);
    assert!((loss - (0.5 - mean)).abs() < 5.0 * error, "{loss}, error {error}");
    let share = number(&told["offloaded_share"]["mean"]);
    assert!((share - 0.1).abs() < 5.0 * (0.09f64 / 60_000.0).sqrt(), "{share}");
    // It pays nothing, so nothing is said of its tokens.
    assert!(told["wasted_share"].is_null() && told["whole"]["tokens_wasted"].is_null());
    assert_eq!((&told["told_more"], &summary["run"]["baseline"]), (&true.into(), &"fixed".into()));
    assert_eq!(number(&summary["run"]["weak_loss"]), 0.5);
    // By hand: the mean reward is 99.5/200.
    assert!((number(&summary["run"]["strong_loss"]) - 0.0025).abs() < 1e-6);
}

/// Whoever knows more loses less, in every trial.
#[test]
fn nobody_beats_the_clairvoyant() {
    let dir = tempfile::tempdir().unwrap();
    let summary = play(&topology(dir.path(), "about", "about"), &[], &dir.path().join("out"));
    let losses = |name: &str| -> Vec<f64> {
        let trials = summary["trials"].as_array().unwrap().iter();
        trials.filter(|t| t["policy"] == name).map(|t| number(&t["average_loss"])).collect()
    };
    let best = losses("seer");
    for other in ["fixed", "mdp", "belief", "hidden"] {
        for (best, other) in best.iter().zip(losses(other)) {
            assert!(*best <= other + 1e-12, "{best} {other}");
        }
    }
    assert_eq!(number(&policy(&summary, "mdp")["way"]), 0.0);
    assert_eq!(number(&policy(&summary, "hidden")["way"]), 1.0);
    let gain = &policy(&summary, "seer")["gain"];
    let losses = |name| number(&policy(&summary, name)["average_loss"]["mean"]);
    let difference = losses("fixed") - losses("seer");
    assert!((number(&gain["loss"]["mean"]) - difference).abs() < 1e-12, "{gain}");
    let percent = 100.0 * difference / losses("fixed");
    assert!((number(&gain["percent"]) - percent).abs() < 1e-9, "{gain}");
    assert!(policy(&summary, "fixed")["gain"].is_null());
}

/// Tokens that came are in the bucket, were spent, or found it full: none is lost.
#[test]
fn tokens_add_up() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let summary = play(&topology(dir.path(), "about", "about"), &[], &out);
    for trial in summary["trials"].as_array().unwrap() {
        if trial["policy"] == "bound" {
            continue;
        }
        let (name, seed) = (trial["policy"].as_str().unwrap(), &trial["seed"]);
        let path = out.join(format!("decisions/{name}-{seed}.csv"));
        let mut csv = csv::Reader::from_path(path).unwrap();
        let rows: Vec<csv::StringRecord> = csv.records().map(Result::unwrap).collect();
        assert_eq!(rows.len(), 500);
        let last = &rows[499];
        let sent_before = rows[..499].iter().filter(|row| &row[8] == "answered").count() as f64;
        let left: f64 = last[5].parse().unwrap();
        let (came, wasted) = (number(&trial["tokens_came"]), number(&trial["tokens_wasted"]));
        assert!((4.0 + came - wasted - sent_before - left).abs() < 1e-9, "{trial}");
        let slots: f64 = last[1].parse().unwrap();
        assert!((came - (slots - 1.0) * 0.1).abs() < 1e-9);
    }
}

#[test]
fn who_loses_most_is_the_baseline_where_there_is_no_threshold() {
    let dir = tempfile::tempdir().unwrap();
    let file = topology(dir.path(), "about", "about");
    let arguments = ["--policy", "mdp,belief,bound"];
    let summary = play(&file, &arguments, &dir.path().join("out"));
    let loss = |name| number(&policy(&summary, name)["average_loss"]["mean"]);
    let worst = if loss("mdp") > loss("belief") { "mdp" } else { "belief" };
    assert_eq!(summary["run"]["baseline"], worst);
    assert!(policy(&summary, "belief")["way"].is_null());
}
