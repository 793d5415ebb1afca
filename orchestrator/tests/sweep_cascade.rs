//! Sweeps of the problem `cascade`, and topologies that carry their sweep.

mod common;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Output;

use common::{fogbit, stderr, topology};
use serde_json::Value;
use tempfile::TempDir;

/// Points of two grids that share one point: five, of which one is there twice.
const SMALL: &str = r#"problem = "cascade"
images = 300
seeds = 3

[trace]
file = "small.csv"

[stream]
spread = 0.2
reset = 0.05

[bucket]
rate = 0.1
depth = 4

[policies.fixed]
kind = "threshold"

[policies.mdp]
kind = "mdp"

[policies.bound]
kind = "lower-bound"

[policies.seer]
kind = "clairvoyant"

[[sweep.grid]]
"bucket.rate" = [0.1, 0.25]
bucket.depth = [1, 4]

[[sweep.grid]]
"bucket.rate" = [0.1]
"bucket.depth" = [4, 8]
"#;

/// A folder with the topology and 200 images whose metrics and rewards are 0, 1/200, ..., 199/200.
fn folder(text: &str) -> (TempDir, PathBuf) {
    let dir = TempDir::new().unwrap();
    let rows = (0..200).map(|id| {
        let value = f64::from(id) / 200.0;
        format!("{id},{value},0.5,{value},{value}\n")
    });
    let text_of_trace = "id,entropy,weak_loss,reward,metric\n".to_owned();
    std::fs::write(dir.path().join("small.csv"), text_of_trace + &rows.collect::<String>())
        .unwrap();
    let file = dir.path().join("t.toml");
    std::fs::write(&file, text).unwrap();
    (dir, file)
}

fn play(command: &str, arguments: &[&str], file: &Path, out: &Path) -> Output {
    let mut fogbit = fogbit();
    fogbit.arg(command).arg(file).args(arguments).arg("--quiet").arg("--out").arg(out);
    fogbit.output().unwrap()
}

fn well(output: &Output) {
    assert_eq!(output.status.code(), Some(0), "{}", stderr(output));
}

fn refused(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(2), "{}", stderr(output));
    let text = stderr(output).replace(['│', '×'], " ");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn rows(path: &Path) -> Vec<BTreeMap<String, String>> {
    csv::Reader::from_path(path).unwrap().deserialize().map(Result::unwrap).collect()
}

/// Every file of a sweep but for its manifest.
fn all_files(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    for folder in ["", "units", "topologies"] {
        for entry in std::fs::read_dir(dir.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() && path.file_name().unwrap() != "manifest.json" {
                let name = path.strip_prefix(dir).unwrap().to_owned();
                files.insert(name, std::fs::read(path).unwrap());
            }
        }
    }
    files
}

#[test]
fn grids_are_played_each_point_once_and_a_point_is_a_run() {
    let (dir, file) = folder(SMALL);
    let out = dir.path().join("sweep");
    well(&play("sweep", &[], &file, &out));
    let summary: Value =
        serde_json::from_slice(&std::fs::read(out.join("summary.json")).unwrap()).unwrap();
    let settings: Vec<String> = summary["points"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| format!("{} {}", p["settings"]["bucket.rate"], p["settings"]["bucket.depth"]))
        .collect();
    let expected =
        [r#""0.1" "1""#, r#""0.1" "4""#, r#""0.25" "1""#, r#""0.25" "4""#, r#""0.1" "8""#];
    assert_eq!(settings, expected);
    assert_eq!(
        (&summary["sweep"]["problem"], &summary["sweep"]["versus"]),
        (&"cascade".into(), &"fixed".into())
    );
    // Those that are told more are not ranked, and a bound wastes nothing because it pays nothing.
    let ranked: Vec<&str> = summary["ranking"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| r["policy"].as_str().unwrap())
        .collect();
    assert!(ranked.iter().all(|name| ["fixed", "mdp"].contains(name)) && ranked.len() == 10);
    let bound = &summary["points"][0]["policies"][2];
    assert!(bound["wasted_share"].is_null() && bound["average_loss"]["mean"].is_f64(), "{bound}");
    let trials = rows(&out.join("trials.csv"));
    assert_eq!(trials.len(), 5 * 4 * 3);

    // The same point by `fogbit run`: from the file with its values set, and from what was kept.
    let set = ["--set", "bucket.rate=0.25;bucket.depth=1", "--backend", "sim"];
    for (index, (file, arguments)) in
        [(file, &set[..]), (out.join("topologies/p003.toml"), &set[2..])].iter().enumerate()
    {
        let run = common::run(file, arguments, &dir.path().join(index.to_string()));
        for trial in run["trials"].as_array().unwrap() {
            let seed = trial["seed"].to_string();
            let same = trials.iter().find(|row| {
                row["point"] == "p003" && row["policy"] == trial["policy"] && row["seed"] == seed
            });
            let same = same.unwrap();
            for key in ["average_loss", "offloaded_share", "wasted_share"] {
                let bits = |number: f64| number.to_bits();
                assert_eq!(
                    same[key].parse().ok().map(bits),
                    trial[key].as_f64().map(bits),
                    "{key}"
                );
            }
            assert_eq!(same["offloaded"], trial["offloaded"].to_string());
        }
    }
    // The figure over depth, a panel for each rate that has most of the depths: only that of 0.1.
    let report = std::fs::read_to_string(out.join("report.html")).unwrap();
    assert_eq!(report.matches("<figure id='over-bucket.depth").count(), 2);
    let figure = report.split("<figure id='over-bucket.depth").nth(1).unwrap();
    let figure = figure.split("</figure>").next().unwrap();
    assert!(figure.contains("class='guide best d1'") && figure.contains("class='line c0 d0'"));
    assert!(figure.contains("Mean average loss") && !report.contains("regret"), "{figure}");
}

#[test]
fn shards_jobs_and_an_interruption_change_no_byte() {
    let (dir, file) = folder(SMALL);
    let at = |name: &str| dir.path().join(name);
    let set = ["--set", "images=2000"];
    well(&play("sweep", &[&set[..], &["--jobs", "2"]].concat(), &file, &at("whole")));
    for shard in ["1/2", "2/2"] {
        let out = at(&shard.replace('/', "-"));
        well(&play("sweep", &[&set[..], &["--shard", shard, "--jobs", "1"]].concat(), &file, &out));
    }
    let mut merge = fogbit();
    merge.arg("merge").args([at("2-2"), at("1-2")]).arg("--out").arg(at("merged"));
    well(&merge.output().unwrap());
    let whole = all_files(&at("whole"));
    assert!(
        whole.contains_key(Path::new("report.html"))
            && !whole.contains_key(Path::new("curves.csv"))
    );
    assert_eq!(whole, all_files(&at("merged")));

    // What an interruption leaves behind is a sweep without some of its units, and without results.
    let unit = std::fs::read_dir(at("merged").join("units")).unwrap().next().unwrap().unwrap();
    std::fs::remove_file(unit.path()).unwrap();
    std::fs::remove_file(at("merged").join("summary.json")).unwrap();
    std::fs::remove_file(at("merged").join("report.html")).unwrap();
    // The trace has gone with the sweep.
    std::fs::remove_file(at("small.csv")).unwrap();
    well(&fogbit().args(["sweep", "--quiet", "--resume"]).arg(at("merged")).output().unwrap());
    assert_eq!(whole, all_files(&at("merged")));
}

#[test]
fn the_command_line_goes_before_the_file() {
    let (dir, file) = folder(SMALL);
    let at = |name: &str| dir.path().join(name);
    let points = |arguments: &[&str], out: &str| {
        well(&play("sweep", arguments, &file, &at(out)));
        let keys = ["bucket.rate", "bucket.depth", "stream.reset"];
        let point = |row: &BTreeMap<String, String>| {
            keys.iter().filter_map(|key| row.get(*key)).cloned().collect::<Vec<_>>().join(" ")
        };
        let rows = rows(&at(out).join("points.csv"));
        let mut points: Vec<String> = rows.iter().map(point).collect();
        points.dedup();
        points
    };
    assert_eq!(points(&["--set", "stream.reset=0.1,1"], "axis"), ["0.1", "1"]);
    assert_eq!(points(&["--point", "bucket.rate=0.5"], "point"), ["0.5"]);
    // One value in the place of an axis: what is left of both grids is the other axis.
    assert_eq!(points(&["--set", "bucket.rate=0.5", "--policy", "mdp"], "one"), ["1", "4", "8"]);
    // A run plays the file's own values, and says so.
    let run = play("run", &["--backend", "sim"], &file, &at("run"));
    well(&run);
    assert!(stderr(&run).contains("has a [sweep]"), "{}", stderr(&run));
}

#[test]
fn mistakes_of_a_sweep_are_underlined_in_the_file() {
    let (dir, file) = folder(SMALL);
    let out = dir.path().join("out");
    let line = "bucket.depth = [1, 4]";
    for (edit, parts) in [
        (
            "bucket.dept = [1, 4]",
            &[
                "point p001 (bucket.rate=0.1, bucket.dept=1)",
                "unknown key `dept`",
                "depth",
                "t.toml",
            ][..],
        ),
        ("bucket.depth = []", &["`bucket.depth` has no values", "t.toml"]),
        ("bucket.depth = 3", &["an axis is a list of values", "t.toml"]),
        (
            "bucket.depth = [1, 0.5]",
            &["point p002", "depth = 0.5 is below 1", "one more point", "t.toml"],
        ),
        ("bucket.depth = [1, 1]", &["this value is given twice", "t.toml"]),
        ("\"bucket.rate\" = [1]", &["duplicate key", "t.toml"]),
        ("bucket.rate = [1]", &["`bucket.rate` is varied twice", "t.toml"]),
        ("bucket.depth = [1, 1.0]", &["this value is given twice", "t.toml"]),
        ("\" bucket . rate \" = [1]", &["` bucket . rate ` set the same", "t.toml"]),
        ("bucket = [{ depth = 7 }]", &["`bucket.rate` and `bucket` set the same", "t.toml"]),
        ("problem = [\"one-bit\"]", &["`problem` cannot be varied", "t.toml"]),
        ("bucket.depth = [1, 4]\n[sweep.other]", &["unknown key `other`", "t.toml"]),
    ] {
        std::fs::write(&file, SMALL.replacen(line, edit, 1)).unwrap();
        let said = refused(&play("sweep", &[], &file, &out));
        for part in parts {
            let twice = part == &"duplicate key" && said.contains("is given twice");
            assert!(said.contains(part) || twice, "{edit}: {part}: {said}");
        }
        assert!(!out.exists(), "{edit}");
    }
    std::fs::write(&file, SMALL).unwrap();
    for (arguments, part) in [
        (&["--set", "sweep.grid=[]"][..], "cannot change the points of [sweep]"),
        (&["--rank-by", "reward"], "metrics of this problem: average_loss"),
        (&["--set", "clock.kind=wall"], "virtual time"),
        (&["--set", "bucket={rate=0.2,depth=3}"], "what points vary as `bucket.rate`"),
        (&["--set", "bucket={rate=1,depth=5}", "--point", "bucket.depth=1"], "what points vary"),
    ] {
        let said = refused(&play("sweep", arguments, &file, &out));
        assert!(said.contains(part), "{arguments:?}: {said}");
    }
    // `validate` checks all points, not only what the file plays by itself.
    let validate = || fogbit().arg("validate").arg(&file).output().unwrap();
    let said = String::from_utf8(validate().stdout).unwrap();
    assert!(said.ends_with("; 5 points for `fogbit sweep`\n"), "{said}");
    std::fs::write(&file, SMALL.replacen(line, "bucket.depth = [1, -2]", 1)).unwrap();
    let said = refused(&validate());
    assert!(said.contains("point p002") && said.contains("t.toml"), "{said}");
}

/// A model plays where it fits, and is refused with a help where it does not.
#[test]
fn a_network_plays_the_points_that_it_was_trained_for() {
    let dir = TempDir::new().unwrap();
    let file = topology("cascade.toml");
    let few = ["--policy", "dqn,baseline", "--set", "images=300", "--seeds", "2"];
    let fits = [&few[..], &["--set", "policies.baseline.threshold=0.2,0.4"]].concat();
    well(&play("sweep", &fits, &file, &dir.path().join("fits")));
    let trials = rows(&dir.path().join("fits/trials.csv"));
    assert_eq!(trials.iter().filter(|row| row["policy"] == "dqn").count(), 4);
    let models = std::fs::read_dir(dir.path().join("fits/topologies/models")).unwrap();
    assert_eq!(models.count(), 1, "one content, one file");
    let other = [&few[..], &["--set", "bucket.depth=4,2"]].concat();
    let said = refused(&play("sweep", &other, &file, &dir.path().join("other")));
    assert!(said.contains("point p002 (bucket.depth=2)"), "{said}");
    assert!(said.contains("was trained for another bucket"), "{said}");
    assert!(!dir.path().join("other").exists());
}

/// A network without a model is trained for each point, once: shards and a resumed sweep have the same
/// models, and decide alike.
#[test]
fn networks_are_trained_once_for_each_point() {
    let (dir, file) = folder(SMALL);
    let at = |name: &str| dir.path().join(name);
    let train =
        "{ iterations = 6, updates = 4, batch = 16, hidden = [8, 8], images = 2000, history = 9 }";
    let dqn = format!("policies.dqn={{ kind = \"dqn\", train = {train} }}");
    let set = ["--set", dqn.as_str(), "--set", "bucket.rate=0.1", "--policy", "dqn,mdp"];
    let arguments = |more: &[&'static str]| [&set[..], more].concat();
    well(&play("sweep", &arguments(&[]), &file, &at("whole")));
    let models = |name: &str| common::files(&at(name).join("models"));
    let whole = models("whole");
    // Each with its digest.
    let names: Vec<&str> =
        whole.keys().filter_map(|name| name.strip_suffix(".safetensors")).collect();
    assert_eq!(names, ["p001-dqn", "p002-dqn", "p003-dqn"]);
    let digests =
        names.iter().filter(|name| whole.contains_key(&format!("{name}.safetensors.sha256")));
    assert_eq!((digests.count(), whole.len()), (3, 6));
    for shard in ["1/2", "2/2"] {
        let out = at(&shard.replace('/', "-"));
        well(&play("sweep", &arguments(&["--shard", shard]), &file, &out));
    }
    let mut merge = fogbit();
    merge.arg("merge").args([at("1-2"), at("2-2")]).arg("--out").arg(at("merged"));
    well(&merge.output().unwrap());
    assert_eq!(models("merged"), whole);
    assert_eq!(all_files(&at("merged")), all_files(&at("whole")));

    // What is there is played: the model of another training tells itself by what it decides.
    let model = at("whole").join("models/p001-dqn.safetensors");
    let trained = std::fs::metadata(&model).unwrap().modified().unwrap();
    let before = all_files(&at("whole"));
    for unit in std::fs::read_dir(at("whole").join("units")).unwrap() {
        std::fs::remove_file(unit.unwrap().path()).unwrap();
    }
    well(&fogbit().args(["sweep", "--quiet", "--resume"]).arg(at("whole")).output().unwrap());
    assert_eq!(before, all_files(&at("whole")));
    assert_eq!(std::fs::metadata(&model).unwrap().modified().unwrap(), trained);

    // `fogbit run` with the model that was kept plays the same.
    let run = common::run(
        &at("whole").join("topologies/p001.toml"),
        &["--backend", "sim", "--set", "policies.dqn.model=../models/p001-dqn.safetensors"],
        &at("run"),
    );
    let trials = rows(&at("whole").join("trials.csv"));
    let mut compared = 0;
    for trial in run["trials"].as_array().unwrap() {
        let seed = trial["seed"].to_string();
        let same = trials.iter().find(|row| {
            row["point"] == "p001" && row["policy"] == trial["policy"] && row["seed"] == seed
        });
        let told: f64 = same.unwrap()["average_loss"].parse().unwrap();
        assert_eq!(told.to_bits(), trial["average_loss"].as_f64().unwrap().to_bits());
        compared += 1;
    }
    assert_eq!(compared, 2 * 3);
}

/// A grid of the problem `one-bit` is what the same axes are on the command line.
#[test]
fn a_grid_is_what_axes_are() {
    let dir = TempDir::new().unwrap();
    let text = "slots = 50\nseeds = 2\nnodes.weights = { kind = \"sphere\" }\n\
                policies.toof.kind = \"toof\"\npolicies.greedy.kind = \"greedy\"\n";
    let grid = "[[sweep.grid]]\nnodes.count = [2, 3]\npolicies.toof.lambda = [1, 5]\n";
    let (plain, carried) = (dir.path().join("a/t.toml"), dir.path().join("b/t.toml"));
    for (file, text) in [(&plain, text.to_owned()), (&carried, format!("{text}\n{grid}"))] {
        std::fs::create_dir(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    }
    let axes = ["--set", "nodes.count=2,3", "--set", "policies.toof.lambda=1,5"];
    let (a, b) = (dir.path().join("a/out"), dir.path().join("b/out"));
    well(&play("sweep", &axes, &plain, &a));
    well(&play("sweep", &[], &carried, &b));
    assert_eq!(all_files(&a), all_files(&b));
}

/// Figure 6 of the paper, rebuilt from its own images: the point r = 0.1, b = 4, read off the figure.
#[test]
fn a_point_of_figure_6_is_that_of_the_paper() {
    let Some(data) = std::env::var_os("FOGBIT_REFERENCE_DATA").map(PathBuf::from) else {
        return common::without_reference_data("a point of figure 6 is that of the paper");
    };
    let dir = TempDir::new().unwrap();
    let trace = format!("trace.file=\"{}\"", data.join("imagenet_fig3_trace.csv.gz").display());
    let arguments = [
        "--set",
        &trace,
        "--set",
        "trace.score=metric",
        "--set",
        "trace.weak_loss=0.2984",
        "--set",
        "bucket.rate=0.1",
        "--set",
        "bucket.depth=4,20",
        "--set",
        "images=200000",
        "--policy",
        "lower-bound,mdp,baseline",
        "--seeds",
        "4",
    ];
    let out = dir.path().join("out");
    well(&play("sweep", &arguments, &topology("cascade-fig6.toml"), &out));
    let figures = rows(&data.join("paper_figures_part.csv"));
    for row in rows(&out.join("points.csv")) {
        let told = figures.iter().find(|told| {
            told["figure"] == "Fig6_tb"
                && told["panel"] == "r=0.1"
                && told["x"] == row["bucket.depth"]
        });
        let told: f64 = told.unwrap()[&row["policy"].replace('-', "_")].parse().unwrap();
        let mean: f64 = row["average_loss_mean"].parse().unwrap();
        assert!(
            (mean - told).abs() < 0.002,
            "{} {}: {mean} {told}",
            row["policy"],
            row["bucket.depth"]
        );
    }
}
