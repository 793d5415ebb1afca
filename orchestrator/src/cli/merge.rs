//! `merge`: puts the shards of a sweep together.

use std::path::PathBuf;

use clap::Args;

use super::run::Format;
use super::sweep::{finish_and_show, unopened};
use crate::cli::stopping::heed_full_files;
use crate::exit::{Exit, Failure};
use crate::results::Manifest;
use crate::sweep::dir::{DirError, SweepDir, SweepManifest};
use crate::sweep::merge::{MergeError, Shards};

/// Put the shards of a sweep together
///
/// Checks that the directories belong to one sweep and hold all of it, and writes what `fogbit
/// sweep` would have written in one go: the same files, byte for byte, but for manifest.json.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  \
    fogbit sweep topologies/paper.toml --set nodes.count=3,10,30 --seeds 100 --shard 1/2 --out part1\n  \
    fogbit sweep topologies/paper.toml --set nodes.count=3,10,30 --seeds 100 --shard 2/2 --out part2\n  \
    fogbit merge --out results/nodes part1 part2")]
pub(crate) struct MergeArgs {
    /// The directories of the shards
    #[arg(required = true, value_name = "SHARD_DIR")]
    dirs: Vec<PathBuf>,

    /// Results directory; it must not exist
    #[arg(long, value_name = "DIR", env = "FOGBIT_OUT")]
    out: PathBuf,

    /// What goes to standard output: a table, or what summary.json holds
    #[arg(long, value_enum, default_value_t = Format::Table, env = "FOGBIT_FORMAT")]
    format: Format,
}

pub(crate) fn merge(args: MergeArgs) -> Result<Exit, Failure> {
    heed_full_files()?;
    let shards = Shards::gather(&args.dirs).map_err(unmerged)?;
    let dir = SweepDir::create(&args.out).map_err(|error| {
        unopened(error)
            .help("results are never overwritten: choose another --out that can be written")
    })?;
    let merged = write(&shards, &dir, args.format);
    if merged.is_err() && !args.out.join("report.html").exists() {
        // Nothing is lost with it: the shards are as they were. One that cannot be taken away stays.
        let _ = std::fs::remove_dir_all(&args.out);
    }
    merged
}

fn write(shards: &Shards, dir: &SweepDir, format: Format) -> Result<Exit, Failure> {
    let run = Manifest::begin("sim", &shards.plan.played.seeds);
    let mut manifest = SweepManifest { run, part: "sweep".into(), resumed: 0 };
    dir.write_manifest(&manifest);
    shards.write(dir).map_err(unmerged)?;
    let jobs = std::thread::available_parallelism().map_or(1, Into::into);
    finish_and_show(dir, &shards.plan, &mut manifest, jobs, format)
}

fn unmerged(error: MergeError) -> Failure {
    match error {
        MergeError::Dir(error @ (DirError::Missing(_) | DirError::NoSweep(_))) => {
            Failure::usage(error).help("give the directories that `fogbit sweep --shard I/N` made")
        }
        MergeError::Dir(error) => unopened(error),
        MergeError::Unit(_) => Failure::usage(error)
            .help("`fogbit sweep --resume DIR` in the directory of that shard plays it anew"),
        MergeError::OtherSweep { .. } => Failure::usage(error)
            .help("all shards of a sweep have the same arguments but for --shard and --out"),
        MergeError::Contradiction { .. } => {
            Failure::usage(error).help("one of the two was not made by this sweep: play it anew")
        }
        MergeError::Incomplete { .. } => Failure::usage(error)
            .help("give the shards that are missing; `fogbit sweep --resume DIR` completes one"),
    }
}
