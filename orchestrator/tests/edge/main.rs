//! The problem `cascade` over processes: images travel, decisions are those of one process.

#[path = "../common/mod.rs"]
mod common;

mod killed;
mod parity;
mod pictures;
mod wall;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// A trial of every kind of arrivals and streams, with a policy of each sort.
pub(crate) const SMALL: &str = r#"problem = "cascade"
images = 1500
seeds = 2

[trace]
file = "trace.csv"

[stream]
spread = 0.2
reset = 0.05

[arrivals]
kind = "markov"
gaps = [1, 3]
leave = [0.02, 0.05]

[bucket]
rate = 0.1
depth = 4

[policies.baseline]
kind = "threshold"

[policies.eager]
kind = "threshold"
threshold = -1

[policies.bound]
kind = "lower-bound"
"#;

/// Writes a trace of so many images and a topology; `changes` are replacements in [`SMALL`].
pub(crate) fn topology(dir: &Path, images: u32, changes: &[(&str, &str)]) -> PathBuf {
    let mut trace = String::from("id,weak_loss,strong_loss,metric\n");
    for id in 0..images {
        let (weak, strong) = (u32::from(id % 3 == 0), u32::from(id % 10 == 0));
        let metric = f64::from(id * 7919 % images) / f64::from(images) - 0.1;
        writeln!(trace, "{id},{weak},{strong},{metric}").unwrap();
    }
    std::fs::write(dir.join("trace.csv"), trace).unwrap();
    written(dir, changes)
}

/// Writes the topology alone.
pub(crate) fn written(dir: &Path, changes: &[(&str, &str)]) -> PathBuf {
    let mut text = SMALL.to_owned();
    for (from, to) in changes {
        assert!(text.contains(from), "{from}");
        text = text.replacen(from, to, 1);
    }
    let file = dir.join("small.toml");
    std::fs::write(&file, text).unwrap();
    file
}

/// What a decision file says of decisions: everything but how long stages took.
pub(crate) fn decisions(out: &Path, name: &str) -> String {
    let text = std::fs::read_to_string(out.join("decisions").join(name)).unwrap();
    let columns = text.lines().next().unwrap().split(',');
    let decisions = columns.take_while(|column| !column.ends_with("_ms")).count();
    assert!(decisions >= 10, "{text}");
    let cut = |line: &str| line.split(',').take(decisions).collect::<Vec<_>>().join(",") + "\n";
    text.lines().map(cut).collect()
}

/// Fails unless both runs decided alike, image by image.
pub(crate) fn assert_same(a: &Path, b: &Path) {
    let names = |out: &Path| common::files(&out.join("decisions")).into_keys();
    assert!(names(a).count() > 0);
    assert_eq!(names(a).collect::<Vec<_>>(), names(b).collect::<Vec<_>>());
    for name in names(a) {
        assert!(decisions(a, &name) == decisions(b, &name), "{name} differs");
    }
}

/// Plays both backends and compares them; gives the summary of `process`.
pub(crate) fn both(file: &Path, dir: &Path) -> Value {
    let [_, summary] = ["sim", "process"].map(|backend| {
        let summary = common::run(file, &["--backend", backend], &dir.join(backend));
        assert_eq!(summary["run"]["status"], "complete", "{backend}");
        summary
    });
    assert_same(&dir.join("sim"), &dir.join("process"));
    summary
}

/// The counts of a trial or a policy add up; gives how many were answered, timed out and refused.
pub(crate) fn fates(counts: &Value) -> [u64; 3] {
    let of = |name: &str| counts[name].as_u64().unwrap_or_else(|| panic!("{name}: {counts}"));
    let fates = [of("answered"), of("timed_out"), of("refused")];
    assert_eq!(of("offloaded"), fates.iter().sum::<u64>(), "{counts}");
    fates
}
