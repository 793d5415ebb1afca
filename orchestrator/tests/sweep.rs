//! Sweeps through the program: points, shards, interruptions, and what may not differ.

mod common;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use common::{Guarded, fogbit, stderr, stdout, topology, wait_for, wait_for_end};
use serde_json::Value;
use tempfile::TempDir;

/// Four points of two axes, two policies, nine seeds: quick, and more than one unit a point.
const SMALL: [&str; 8] = [
    "--set",
    "policies.toof.lambda=1,5",
    "--set",
    "nodes.count=2,3",
    "--set",
    "slots=300",
    "--seeds",
    "20",
];

fn sweep(arguments: &[&str], out: &Path) -> Command {
    let mut command = fogbit();
    command.arg("sweep").arg(topology("paper.toml")).args(arguments);
    command.args(["--policy", "toof,round-robin", "--quiet", "--out"]).arg(out);
    command
}

fn well(mut command: Command) -> Output {
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    output
}

/// What was said on standard error, in one line.
fn one_line(output: &Output) -> String {
    let text = stderr(output).replace(['│', '×'], " ");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Every file below `dir` by its relative path, but for the manifest.
fn all_files(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(dir).unwrap().to_owned();
                files.insert(name, std::fs::read(path).unwrap());
            }
        }
    }
    files.remove(Path::new("manifest.json")).expect("there is a manifest");
    files
}

#[track_caller]
fn assert_same(a: &Path, b: &Path) {
    let (a, b) = (all_files(a), all_files(b));
    assert_eq!(a.keys().collect::<Vec<_>>(), b.keys().collect::<Vec<_>>());
    for (name, content) in &a {
        assert!(content == &b[name], "{} differs", name.display());
    }
    assert!(a.contains_key(Path::new("report.html")) && a.contains_key(Path::new("points.csv")));
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// The rows of a CSV file by the names of its columns.
fn rows(path: &Path) -> Vec<BTreeMap<String, String>> {
    csv::Reader::from_path(path).unwrap().deserialize().map(Result::unwrap).collect()
}

#[test]
fn shards_and_jobs_change_no_byte() {
    let dir = TempDir::new().unwrap();
    let at = |name: &str| dir.path().join(name);
    well(sweep(&[&SMALL[..], &["--jobs", "2"]].concat(), &at("whole")));
    well(sweep(&[&SMALL[..], &["--jobs", "1"]].concat(), &at("one")));
    assert_same(&at("whole"), &at("one"));
    for shard in ["1/3", "2/3", "3/3"] {
        let out = at(&shard.replace('/', "-"));
        let output = well(sweep(&[&SMALL[..], &["--shard", shard]].concat(), &out));
        assert!(one_line(&output).contains("is complete"), "{}", stderr(&output));
        assert!(!out.join("points.csv").exists());
    }

    let merge = |parts: &[&str], out: &str| {
        let mut command = fogbit();
        command.arg("merge").args(parts.iter().map(|part| at(part))).arg("--out").arg(at(out));
        command
    };
    let output = merge(&["1-3", "3-3"], "few").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(one_line(&output).contains("shard 2/3 was not given"), "{}", stderr(&output));
    assert!(!at("few").exists());

    well(merge(&["3-3", "1-3", "2-3"], "merged"));
    assert_same(&at("whole"), &at("merged"));

    // A shard that lacks a unit, one that is damaged, and one of another sweep.
    let unit = std::fs::read_dir(at("2-3").join("units")).unwrap().next().unwrap().unwrap().path();
    let content = std::fs::read(&unit).unwrap();
    std::fs::remove_file(&unit).unwrap();
    let output = merge(&["3-3", "1-3", "2-3"], "few").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let name = unit.file_name().unwrap().to_str().unwrap();
    let said = one_line(&output);
    assert!(said.contains("shard 2/3") && said.contains(name), "{said}");
    std::fs::write(&unit, &content[..content.len() / 2]).unwrap();
    let output = merge(&["3-3", "1-3", "2-3"], "few").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = one_line(&output);
    assert!(said.contains("damaged") && said.contains(name), "{said}");
    well(sweep(&["--set", "slots=300,400", "--shard", "2/3"], &at("other")));
    let output = merge(&["3-3", "1-3", "other"], "few").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(one_line(&output).contains("of another sweep"), "{}", stderr(&output));
    assert!(!at("few").exists());
}

/// Starts a sweep of a second or more and waits until some unit is there.
fn begun(out: &Path) -> Guarded {
    let mut command = sweep(&long(), out);
    let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let child = Guarded(Some(child));
    wait_for("a unit", || {
        let units = std::fs::read_dir(out.join("units")).ok()?;
        units.flatten().find(|file| file.path().extension().is_some_and(|e| e == "json"))
    });
    child
}

fn long() -> Vec<&'static str> {
    vec!["--set", "nodes.count=10,20", "--set", "slots=20000", "--seeds", "60", "--jobs", "2"]
}

fn signal(child: &Guarded, signal: rustix::process::Signal) {
    let pid = rustix::process::Pid::from_raw(child.id() as i32).unwrap();
    rustix::process::kill_process(pid, signal).unwrap();
}

#[test]
fn an_interrupted_sweep_goes_on_where_it_was() {
    let dir = TempDir::new().unwrap();
    let at = |name: &str| dir.path().join(name);
    well(sweep(&long(), &at("whole")));

    let child = begun(&at("stopped"));
    // Nobody else may work there meanwhile.
    let second = fogbit().args(["sweep", "--resume"]).arg(at("stopped")).output().unwrap();
    assert_eq!(second.status.code(), Some(2));
    assert!(one_line(&second).contains("another process works in"), "{}", stderr(&second));
    signal(&child, rustix::process::Signal::INT);
    let asked = std::time::Instant::now();
    let (code, said) = child.end();
    assert_eq!(code, Some(130), "{said}");
    assert!(said.contains("fogbit sweep --resume"), "{said}");
    assert!(asked.elapsed() < Duration::from_secs(5));
    assert_eq!(json(&at("stopped").join("manifest.json"))["status"], "partial");
    assert!(!at("stopped").join("points.csv").exists());
    let kept = std::fs::read_dir(at("stopped").join("units")).unwrap().count();
    assert!(kept > 0);
    let output = fogbit().args(["sweep", "--resume"]).arg(at("stopped")).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_same(&at("whole"), &at("stopped"));
    assert_eq!(json(&at("stopped").join("manifest.json"))["resumed"], 1);

    let mut child = begun(&at("killed"));
    signal(&child, rustix::process::Signal::KILL);
    wait_for_end(&mut child);
    // What a power cut may leave: half a unit.
    let unit = std::fs::read_dir(at("killed").join("units")).unwrap();
    let unit = unit.flatten().map(|f| f.path()).find(|p| p.extension().unwrap() == "json").unwrap();
    let content = std::fs::read(&unit).unwrap();
    std::fs::write(&unit, &content[..content.len() / 2]).unwrap();
    std::fs::write(at("killed").join("units/p001-b999.part"), "half").unwrap();
    let mut again = sweep(&long(), &at("nowhere"));
    again = without_out(again);
    let output = again.arg("--resume").arg(at("killed")).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let said = one_line(&output);
    let name = unit.file_name().unwrap().to_str().unwrap();
    assert!(said.contains(name) && said.contains("is played anew"), "{said}");
    assert!(!at("nowhere").exists());
    assert_same(&at("whole"), &at("killed"));
}

/// The command without its last two arguments, `--out DIR`.
fn without_out(command: Command) -> Command {
    let arguments: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
    let mut shorter = fogbit();
    shorter.args(&arguments[..arguments.len() - 2]);
    shorter
}

#[test]
fn another_sweeps_directory_is_refused() {
    let dir = TempDir::new().unwrap();
    let out = dir.path().join("sweep");
    well(sweep(&SMALL, &out));
    let before = all_files(&out);
    let lambdas = [
        "--set",
        "policies.toof.lambda=1,4",
        "--set",
        "nodes.count=2,3",
        SMALL[4],
        SMALL[5],
        "--seeds",
        "20",
    ];
    let cases: [(&[&str], &str); 4] = [
        (&lambdas, "settings of point p003"),
        (&["--set", "nodes.count=2,3", "--set", "slots=300", "--seeds", "20"], "keys"),
        (&[SMALL[0], SMALL[1], SMALL[2], SMALL[3], "--set", "slots=300", "--seeds", "21"], "seeds"),
        (&[SMALL[0], SMALL[1], SMALL[2], SMALL[3], "--set", "slots=301", "--seeds", "20"], "slots"),
    ];
    for (arguments, what) in cases {
        let mut command = without_out(sweep(arguments, &out));
        let output = command.arg("--resume").arg(&out).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
        let said = one_line(&output);
        assert!(said.contains("of another sweep") && said.contains(what), "{what}: {said}");
    }
    // The same, and without any arguments: nothing is left to play, and nothing changes.
    let output = without_out(sweep(&SMALL, &out)).arg("--resume").arg(&out).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(before, all_files(&out));
    let refused = [
        (vec!["--resume", "OUT", "--shard", "1/2"], "holds the sweep, not shard 1/2"),
        (vec!["--resume", "OUT", "--seeds", "9"], "for no topology file"),
        (vec!["--resume", "NOWHERE"], "there is no directory"),
        (vec!["--resume", "."], "is not the directory of a sweep"),
    ];
    for (arguments, message) in refused {
        let arguments = arguments.into_iter().map(|argument| match argument {
            "OUT" => out.clone(),
            other => PathBuf::from(other),
        });
        let output = fogbit().arg("sweep").args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{message}");
        assert!(one_line(&output).contains(message), "{}", stderr(&output));
    }
    let output = sweep(&SMALL, &out).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(one_line(&output).contains("exists already"), "{}", stderr(&output));
    std::fs::write(out.join("topologies/p001.toml"), "slots = 3").unwrap();
    let output = fogbit().args(["sweep", "--resume"]).arg(&out).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(one_line(&output).contains("not what the sweep was begun with"), "{}", stderr(&output));
}

#[test]
fn a_point_is_a_run() {
    let dir = TempDir::new().unwrap();
    let out = dir.path().join("sweep");
    well(sweep(&SMALL, &out));
    let trials = rows(&out.join("trials.csv"));
    let runs = [
        (topology("paper.toml"), ["--set", "policies.toof.lambda=5;nodes.count=2;slots=300"]),
        (out.join("topologies/p003.toml"), ["--set", "about=again"]),
    ];
    for (index, (file, set)) in runs.iter().enumerate() {
        let arguments =
            [&set[..], &["--backend", "sim", "--seeds", "20", "--policy", "toof,round-robin"]]
                .concat();
        let run = common::run(file, &arguments, &dir.path().join(index.to_string()));
        let run = run["trials"].as_array().unwrap();
        let here: Vec<_> = trials.iter().filter(|row| row["point"] == "p003").collect();
        assert_eq!(run.len(), here.len());
        for trial in run {
            let seed = trial["seed"].to_string();
            let same = here
                .iter()
                .find(|row| row["policy"] == trial["policy"] && row["seed"] == seed)
                .unwrap();
            for key in ["regret_linear", "regret_happiness", "optimal_reward", "reward"] {
                let (a, b): (f64, f64) = (same[key].parse().unwrap(), trial[key].as_f64().unwrap());
                assert_eq!(a.to_bits(), b.to_bits(), "{key} of {seed}");
            }
            assert_eq!(same["refused"], trial["refused"].to_string());
        }
    }
}

/// The figures of points.csv, computed anew from trials.csv by the plainest formulas.
#[test]
fn points_follow_from_trials() {
    let dir = TempDir::new().unwrap();
    let out = dir.path().join("sweep");
    well(sweep(&SMALL, &out));
    let trials = rows(&out.join("trials.csv"));
    let points = rows(&out.join("points.csv"));
    assert_eq!((points.len(), trials.len()), (8, 160));
    let values = |point: &str, policy: &str, key: &str| -> Vec<f64> {
        let here = trials.iter().filter(|row| row["point"] == point && row["policy"] == policy);
        here.map(|row| row[key].parse().unwrap()).collect()
    };
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let sd = |values: &[f64]| {
        let middle = mean(values);
        let squares = values.iter().map(|v| (v - middle).powi(2)).sum::<f64>();
        (squares / (values.len() - 1) as f64).sqrt()
    };
    let close = |text: &str, value: f64, what: &str| {
        let found: f64 = text.parse().unwrap();
        assert!((found - value).abs() <= 1e-9 * value.abs().max(1e-3), "{what}: {found} {value}");
    };
    for row in &points {
        let (point, policy) = (row["point"].as_str(), row["policy"].as_str());
        assert_eq!(row["n"], "20");
        for metric in ["regret_linear", "regret_happiness", "reward"] {
            let mut values = values(point, policy, metric);
            close(&row[&format!("{metric}_mean")], mean(&values), metric);
            close(&row[&format!("{metric}_sd")], sd(&values), metric);
            values.sort_by(f64::total_cmp);
            close(&row[&format!("{metric}_median")], (values[9] + values[10]) / 2.0, metric);
        }
        let average = mean(&values(point, policy, "regret_linear")) / 300.0;
        close(&row["average_regret_mean"], average, "average regret");
        let happy = mean(&values(point, policy, "happy")) / 300.0;
        close(&row["happy_share"], happy, "happy");
        if policy == "toof" {
            assert_eq!(row["versus"], "");
            continue;
        }
        assert_eq!(row["versus"], "toof");
        let own = values(point, policy, "regret_linear");
        let other = values(point, "toof", "regret_linear");
        let differences: Vec<f64> = own.iter().zip(&other).map(|(a, b)| a - b).collect();
        close(&row["regret_linear_difference"], mean(&differences), "difference");
        // The 97.5 % quantile of Student's t with 19 degrees of freedom, scipy.stats.t.ppf.
        let half = 2.093_024_054_408_263 * sd(&differences) / 20f64.sqrt();
        close(&row["regret_linear_t_low"], mean(&differences) - half, "low");
        close(&row["regret_linear_t_high"], mean(&differences) + half, "high");
    }
    // Curves end where trials do.
    let curves = rows(&out.join("curves.csv"));
    for row in curves.iter().filter(|row| row["slot"] == "300") {
        let own = values(&row["point"], &row["policy"], "regret_linear");
        close(&row["mean"], mean(&own) / 300.0, "curve");
        close(&row["sd"], sd(&own) / 300.0, "curve");
        assert_eq!(row["n"], "20");
    }
}

/// Places and differences are of one environment: computed anew from points.csv and trials.csv.
#[test]
fn rankings_stay_within_an_environment() {
    let dir = TempDir::new().unwrap();
    let out = dir.path().join("sweep");
    let shown = stdout(&well(sweep(&SMALL, &out)));
    let points = rows(&out.join("points.csv"));
    let trials = rows(&out.join("trials.csv"));
    let regrets = |point: &str, policy: &str| -> Vec<f64> {
        let here = trials.iter().filter(|row| row["point"] == point && row["policy"] == policy);
        here.map(|row| row["regret_linear"].parse::<f64>().unwrap() / 300.0).collect()
    };
    let summary = json(&out.join("summary.json"));
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let environments = summary["environments"].as_array().unwrap();
    assert_eq!(environments.len(), 2);
    for (environment, count) in environments.iter().zip(["2", "3"]) {
        assert_eq!(environment["settings"], serde_json::json!({ "nodes.count": count }));
        let ranking: Vec<&Value> = summary["ranking"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|place| place["environment"] == environment["environment"])
            .collect();
        // TOOF with two settings, and Round-Robin once, which no axis touches.
        assert_eq!(ranking.len(), 3);
        let also = |place: &Value| place["also"].as_array().unwrap().len();
        for place in &ranking {
            assert_eq!(also(place), usize::from(place["policy"] == "round-robin"), "{place}");
        }
        let here: Vec<_> = points.iter().filter(|row| row["nodes.count"] == count).collect();
        let mut means: Vec<f64> =
            here.iter().map(|row| row["average_regret_mean"].parse().unwrap()).collect();
        means.sort_by(f64::total_cmp);
        means.dedup();
        let found: Vec<f64> =
            ranking.iter().map(|place| place["value"]["mean"].as_f64().unwrap()).collect();
        assert_eq!(found, means);
        let first = regrets(&text(&ranking[0]["point"]), &text(&ranking[0]["policy"]));
        assert!(ranking[0]["behind"].is_null());
        for place in &ranking[1..] {
            let own = regrets(&text(&place["point"]), &text(&place["policy"]));
            let mean = own.iter().zip(&first).map(|(a, b)| a - b).sum::<f64>() / 20.0;
            assert!((place["behind"]["mean"].as_f64().unwrap() - mean).abs() < 1e-12, "{place}");
        }
        let best = summary["best"].as_array().unwrap();
        let best = best.iter().filter(|b| b["environment"] == environment["environment"]);
        assert_eq!(best.count(), 2, "each policy once");
        assert!(shown.contains(&format!("\nnodes.count = {count}\n")), "{shown}");
    }
}

#[test]
fn mistakes_are_shown_before_anything_is_played() {
    let dir = TempDir::new().unwrap();
    let out = dir.path().join("sweep");
    let table = dir.path().join("points.csv");
    std::fs::write(&table, "nodes.count,policies.toof.lambda\n3,1\n3,-1\n").unwrap();
    let table = table.to_str().unwrap();
    let cases: [(&[&str], &[&str]); 12] = [
        (
            &["--set", "policies.toof.lamda=1,2"],
            &[
                "point p001 (policies.toof.lamda=1) and one more",
                "unknown key",
                "did you mean `lambda`",
            ],
        ),
        (
            &["--set", "policies.toof.lambda=1,-2,3"],
            &["point p002 (policies.toof.lambda=-2):", "--set policies.toof.lambda=-2"],
        ),
        (&["--set", "nodes.count=3,x"], &["point p002 (nodes.count=x)"]),
        (&["--set", "nodes.count=3,,5"], &["an empty value"]),
        (&["--set", "nodes.count=3,[5"], &["a bracket that is not closed"]),
        (&["--set", "seeds=3,5"], &["have different seeds"]),
        (&["--set", "seeds=3,5", "--seeds", "4"], &["--seeds would override `seeds`"]),
        (&["--set", "slots=endless"], &["endless, and a sweep has to end"]),
        (&["--set", "clock={kind='wall',slot='20ms',timeout='1s'}"], &["real time"]),
        (&["--points", table], &["point p002 (nodes.count=3, policies.toof.lambda=-1)", "line 3"]),
        (&["--point", "nodes.count=3;slots"], &["not of the form KEY=VALUE"]),
        (
            &["--versus", "nobody"],
            &["--versus nobody: no policy of point p001", "toof, round-robin"],
        ),
    ];
    for (arguments, messages) in cases {
        let output = sweep(arguments, &out).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", stderr(&output));
        let said = one_line(&output);
        for message in messages {
            assert!(said.contains(message), "{arguments:?}: {message}: {said}");
        }
        assert!(!out.exists(), "{arguments:?}");
    }
}

#[test]
fn listed_points_are_played_as_they_are_listed() {
    let dir = TempDir::new().unwrap();
    let out = dir.path().join("sweep");
    let table = dir.path().join("points.csv");
    std::fs::write(&table, "nodes.count,policies.toof.lambda\n3,1\n4,\n").unwrap();
    let arguments = [
        "--point",
        "nodes.count=2;slots=50",
        "--points",
        table.to_str().unwrap(),
        "--set",
        "slots=60",
        "--format",
        "json",
    ];
    let output = well(sweep(&arguments, &out));
    let summary: Value = serde_json::from_str(&stdout(&output)).unwrap();
    let points = summary["points"].as_array().unwrap();
    let facts: Vec<_> = points
        .iter()
        .map(|p| (p["nodes"].as_u64().unwrap(), p["slots"].as_u64().unwrap()))
        .collect();
    assert_eq!(facts, [(2, 50), (3, 60), (4, 60)]);
    assert_eq!(std::fs::read(out.join("summary.json")).unwrap(), output.stdout);
    let rows = rows(&out.join("points.csv"));
    assert_eq!(
        (rows[4]["nodes.count"].as_str(), rows[4]["policies.toof.lambda"].as_str()),
        ("4", "")
    );
}

/// Features from a file go with the sweep: it is resumed where the file is not.
#[test]
fn traces_lie_beside_the_topologies() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("t.toml");
    let rows: String =
        (0..40).map(|i| format!("{},0,{},0.5\n", i + 1, f64::from(i % 7) / 10.0)).collect();
    let trace = format!("slot,node,task_length,load\n{rows}");
    std::fs::write(dir.path().join("trace.csv"), trace).unwrap();
    std::fs::write(
        &file,
        "slots = 30\n[features]\nkind = \"trace\"\npath = \"trace.csv\"\n[nodes]\ncount = 1\n\
         weights = { kind = \"sphere\" }\n[policies.toof]\nkind = \"toof\"\n",
    )
    .unwrap();
    let out = dir.path().join("sweep");
    let output = fogbit()
        .arg("sweep")
        .arg(&file)
        .args(["--set", "policies.toof.lambda=1,2", "--quiet", "--out"])
        .arg(&out)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(out.join("topologies/trace.csv").exists());
    std::fs::remove_file(dir.path().join("trace.csv")).unwrap();
    let unit = std::fs::read_dir(out.join("units")).unwrap().next().unwrap().unwrap().path();
    std::fs::remove_file(&unit).unwrap();
    let output = fogbit().args(["sweep", "--resume"]).arg(&out).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(unit.exists());
}

#[test]
fn a_full_disk_is_said_and_the_sweep_can_go_on() {
    let dir = TempDir::new().unwrap();
    let out = dir.path().join("sweep");
    well(sweep(&SMALL, &out));
    let before = all_files(&out);
    // A folder in the place of a unit's file cannot be written over by anybody, not even root.
    let unit = std::fs::read_dir(out.join("units")).unwrap().next().unwrap().unwrap().path();
    std::fs::remove_file(&unit).unwrap();
    let part = unit.with_extension("part");
    std::fs::create_dir(&part).unwrap();
    let output = fogbit().args(["sweep", "--resume"]).arg(&out).output().unwrap();
    assert_eq!(output.status.code(), Some(4), "{}", stderr(&output));
    let said = one_line(&output);
    assert!(said.contains("cannot write") && said.contains("--resume"), "{said}");
    assert_eq!(json(&out.join("manifest.json"))["status"], "failed");
    std::fs::remove_dir(&part).unwrap();
    let output = fogbit().args(["sweep", "--resume"]).arg(&out).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(before, all_files(&out));
}

/// Points keep their files in one folder: two contents of one name, or a name that a point's topology
/// has, are refused before anything is played.
#[test]
fn files_of_one_name_and_two_contents_are_refused() {
    let dir = TempDir::new().unwrap();
    let echo = "read x; while read x; do case $x in *decide*) echo '{\"node\":NODE}';; *) echo '{}';; esac; done";
    for (folder, node) in [("a", "0"), ("b", "1")] {
        std::fs::create_dir(dir.path().join(folder)).unwrap();
        std::fs::write(dir.path().join(folder).join("p.sh"), echo.replace("NODE", node)).unwrap();
    }
    let inner = dir.path().join("inner");
    std::fs::create_dir(&inner).unwrap();
    std::fs::write(inner.join("p001.toml"), "").unwrap();
    let text = "slots = 5\nnodes = { count = 2, weights = { kind = \"sphere\" } }\n\
                policies.mine = { kind = \"external\", command = [\"sh\", \"../a/p.sh\"] }\n";
    std::fs::write(inner.join("t.toml"), text).unwrap();
    let play = |arguments: &[&str], out: &str| {
        let mut command = fogbit();
        command.arg("sweep").arg(inner.join("t.toml")).args(arguments);
        command.arg("--out").arg(dir.path().join(out)).arg("--quiet").output().unwrap()
    };
    let own = |folder: &str| format!("policies.mine.command=[\"sh\",\"../{folder}/p.sh\"]");
    let refused = play(&["--point", &own("a"), "--point", &own("b")], "two");
    assert_eq!(refused.status.code(), Some(2));
    assert!(one_line(&refused).contains("p001 and p002 need different files `p.sh`"));
    let files = "policies.mine.files=[\"p001.toml\"]";
    let refused = play(&["--set", "slots=5,6", "--set", files], "topology");
    assert_eq!(refused.status.code(), Some(2));
    assert!(one_line(&refused).contains("that is a point's topology"), "{}", one_line(&refused));
    assert!(!dir.path().join("two").exists() && !dir.path().join("topology").exists());
    let played = play(&["--set", "slots=5,6"], "well");
    assert_eq!(played.status.code(), Some(0), "{}", stderr(&played));
}
