//! Tables, files, and what can be done with them.

use serde_json::Value;

use super::common::{files, fogbit, stderr, stdout};
use super::problem::{assert_repeats, verify};
use super::{play, topology};

#[test]
fn two_runs_are_the_same_on_any_number_of_cores() {
    let dir = tempfile::tempdir().unwrap();
    let file = topology(dir.path(), "about", "about");
    let kept: (&[&str], &[&str]) =
        (&["decisions"], &["applications.json", "distributions.csv", "topology.toml"]);
    let told = "the same: 12 trials, 720 applications";
    assert_repeats(dir.path(), &file, kept, Some("decision"), told);
}

#[test]
fn the_table_says_what_there_is_to_say() {
    let dir = tempfile::tempdir().unwrap();
    let expect = "[[expect]]\npolicy = \"best\"\nmetric = \"delay_ratio\"\nbelow = \"greedy\"\n\
                  seeds = 3\n[[expect]]\npolicy = \"dice\"\nmetric = \"exact_match\"\n\
                  above = 0.9\nseeds = 1\n[policies.best]";
    let file = topology(dir.path(), "[policies.best]", expect);
    let out = dir.path().join("out");
    let output =
        fogbit().args(["run", "--backend", "sim", "--out"]).args([&out, &file]).output().unwrap();
    let table = stdout(&output);
    assert_eq!(output.status.code(), Some(1), "an expectation fails: {table}{}", stderr(&output));
    for part in [
        "60 applications, 3 seeds, backend sim",
        "over optimum",
        "1.0000 to 1.0000",
        "as in",
        "exact",
        "decision",
        "exhaustive search:",
        "for up to 729 placements",
        "by delay_ratio",
        "minus greedy",
        "expectation met: delay_ratio of best below that of greedy",
        "expectation FAILED: exact_match of dice above 0.9",
        "report.html",
    ] {
        assert!(table.contains(part), "no `{part}` in\n{table}");
    }
    assert!(!table.contains("measured"), "nobody measured:\n{table}");
}

#[test]
fn the_directory_explains_itself() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let printed = play(&topology(dir.path(), "about", "about"), &["--seed", "7"], &out);
    let read = |name: &str| std::fs::read_to_string(out.join(name)).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&read("summary.json")).unwrap(), printed);
    assert_eq!(printed["run"]["problem"], "pipeline");
    assert_eq!(printed["run"]["nodes"], serde_json::json!(["edge", "cloud"]));
    assert!(!out.join("curves").exists(), "there is none to be drawn");
    assert_eq!(read("distributions.csv").lines().count(), 1 + 4 * 2 * 103);
    let first: Value = serde_json::from_str(&read("applications.json")).unwrap();
    assert_eq!(
        (&first["seed"], first["policies"]["dice"].as_array().unwrap().len()),
        (&7.into(), 60)
    );
    let page = read("report.html");
    assert!(page.contains("Small &lt;&amp; quick&gt;"));
    for outside in ["http:", "https:", "<script", "@import"] {
        assert!(!page.contains(outside), "{outside}");
    }
    let made = fogbit().arg("report").arg(&out).output().unwrap();
    assert_eq!(made.status.code(), Some(0), "{}", stderr(&made));
    assert!(page == read("report.html"));
}

/// Every figure in turn is forged in tests of the library.
#[test]
fn verify_finds_what_was_changed() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    play(&topology(dir.path(), "about", "about"), &[], &out);
    let (code, told) = verify(&out);
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains("verified: 12 trials, 720 applications"), "{told}");
    let path = out.join("decisions/greedy-2.csv");
    let right = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, right.replacen(",done,", ",timed-out,", 1)).unwrap();
    let (code, told) = verify(&out);
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains("greedy-2.csv: application 1: fate is not right"), "{told}");
    std::fs::write(&path, right.replacen("application,", "slot,", 1)).unwrap();
    let (code, told) = verify(&out);
    assert_eq!(code, Some(2), "{told}");
    assert!(told.contains("the columns are not those"), "{told}");
    std::fs::write(&path, right).unwrap();
    let other = out.join("decisions/other-2.csv");
    std::fs::write(&other, "").unwrap();
    assert_eq!(verify(&out).0, Some(1));
    std::fs::remove_file(other).unwrap();

    // No quantile, and a layout that is not known here.
    for (file, right, wrong, told) in [
        ("distributions.csv", ",1,", ",2,", "distributions.csv"),
        (
            "manifest.json",
            "\"layout\": 1",
            "\"layout\": 2",
            "manifest.json: layout: 2 where 1 is right",
        ),
        ("summary.json", "\"placements\": ", "\"placements\": 1", "placements"),
    ] {
        let path = out.join(file);
        let text = std::fs::read_to_string(&path).unwrap();
        let last = text.rfind(right).unwrap_or_else(|| panic!("{file} has no {right}"));
        let forged = format!("{}{wrong}{}", &text[..last], &text[last + right.len()..]);
        std::fs::write(&path, forged).unwrap();
        let (code, found) = verify(&out);
        assert_eq!(code, Some(1), "{file}: {found}");
        assert!(found.contains(told), "{file}: {found}");
        std::fs::write(&path, text).unwrap();
    }
    assert_eq!(verify(&out).0, Some(0));
}

#[test]
fn diff_names_the_first_application() {
    let dir = tempfile::tempdir().unwrap();
    let file = topology(dir.path(), "about", "about");
    let (a, b) = (dir.path().join("a"), dir.path().join("b"));
    play(&file, &["--policy", "local", "--seed", "1"], &a);
    let changed = ["--policy", "local", "--seed", "1", "--set", "policies.local.site=edge"];
    play(&file, &changed, &b);
    let output = fogbit().arg("diff").args([&a, &b]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let told = stdout(&output);
    assert!(told.contains("local with seed 1: application 1: "), "{told}");
    assert!(told.contains("placement 0") && told.contains("placement 1"), "{told}");
}

#[test]
fn diff_says_which_directory_holds_no_results() {
    let dir = tempfile::tempdir().unwrap();
    let (a, none) = (dir.path().join("a"), dir.path().join("none"));
    play(&topology(dir.path(), "about", "about"), &["--policy", "local", "--seed", "1"], &a);
    for (both, told) in [
        ([&a, &none], "there is no such directory"),
        ([&none, &a], "there is no such directory"),
        ([&a, &dir.path().to_path_buf()], "neither topology.toml nor summary.json is there"),
    ] {
        let output = fogbit().arg("diff").args(both).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        let said = stderr(&output).split_whitespace().collect::<Vec<_>>().join(" ");
        let said = said.replace(" │ ", " ");
        assert!(said.contains(told) && said.contains("fogbit run --out"), "{said}");
        assert!(!said.contains("one-bit"), "{said}");
    }
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
    // The first applications are kept all the same, and one of them is drawn.
    assert!(std::fs::read_to_string(out.join("report.html")).unwrap().contains("id='gantt'"));
}

/// What a network places is asked of it again: of the model that the run has kept.
#[test]
fn networks_are_asked_again() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let net = "train = { labels = 400, epochs = 2, batch = 64, hidden = [8] }";
    let nets = format!(
        "[policies.small]\nkind = \"imitation\"\n{net}\n[policies.other]\n\
         kind = \"imitation\"\n{}\n[policies.best]",
        net.replace("{ ", "{ seed = 2, ")
    );
    let file = topology(dir.path(), "[policies.best]", &nets);
    let summary = play(&file, &["--policy", "small,other,best"], &out);
    let small = super::policy(&summary, "small");
    assert!(small["decision"]["median_ns"].as_f64().unwrap() > 0.0, "{small}");
    let (code, told) = verify(&out);
    assert_eq!(code, Some(0), "{told}");
    let model = |name: &str| out.join(format!("models/{name}.safetensors"));
    let right = std::fs::read(model("small")).unwrap();
    std::fs::copy(model("other"), model("small")).unwrap();
    let (code, told) = verify(&out);
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains("small-1.csv") && told.contains("placement is not right"), "{told}");
    std::fs::write(model("small"), &right[..right.len() / 2]).unwrap();
    assert_eq!(verify(&out).0, Some(2));
    std::fs::remove_file(model("small")).unwrap();
    let (code, told) = verify(&out);
    assert_eq!(code, Some(2), "{told}");
    assert!(told.contains("models/small.safetensors"), "{told}");
}
