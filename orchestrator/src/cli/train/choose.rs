//! What is trained, and where it goes.

use std::path::Path;

use fogbit_scenario::{Checked, ProblemTopology, TopologyFile};

use crate::exit::Failure;
use crate::train::lock::{FileLock, LockError};

/// The policy of the given kind that `--policy` means; a topology that has none is given one of
/// that name. `scenario` is that of `file`.
pub(super) fn choose<T: ProblemTopology>(
    file: &mut TopologyFile,
    scenario: &Checked<T>,
    wanted: Option<&str>,
    kind: &str,
    is_learner: impl Fn(&T::Policy) -> bool,
) -> Result<String, Failure> {
    let policies = scenario.policies().filter(|(_, spec)| is_learner(spec));
    let known: Vec<&str> = policies.map(|(name, _)| name).collect();
    match (wanted, &known[..]) {
        (Some(wanted), known) if known.contains(&wanted) => Ok(wanted.to_owned()),
        (Some(wanted), known) => {
            let message = format!("--policy {wanted}: no policy of kind `{kind}` is called so");
            let help = match known {
                [] => "this topology has none: leave --policy out".to_owned(),
                known => format!("policies of that kind: {}", known.join(", ")),
            };
            Err(Failure::usage(message).help(help))
        }
        (None, [only]) => Ok((*only).to_owned()),
        (None, []) if scenario.policies().all(|(name, _)| name != kind) => {
            file.set(&format!("policies.{kind}.kind={kind}"))?;
            Ok(kind.to_owned())
        }
        (None, []) => {
            let message = format!("no policy of {} is of kind `{kind}`", scenario.name());
            Err(Failure::usage(message).help("add one to the topology"))
        }
        (None, several) => {
            let message = format!("the topology has several policies of kind `{kind}`");
            let help = format!("--policy with one of {}", several.join(", "));
            Err(Failure::usage(message).help(help))
        }
    }
}

/// Fails where a model cannot be written, before time is spent on it.
pub(super) fn look_for_room(out: &Path, force: bool) -> Result<(), Failure> {
    if out.is_dir() {
        return Err(Failure::usage(format!("--out {}: it is a folder", out.display()))
            .help("the path of a file, for example learned.safetensors"));
    }
    if std::fs::symlink_metadata(out).is_ok_and(|found| !found.is_file()) {
        return Err(Failure::usage(format!("--out {}: it is no regular file", out.display()))
            .help("a device, a pipe or a link is not replaced"));
    }
    if out.exists() && !force {
        return Err(Failure::usage(format!("--out {}: there is such a file", out.display()))
            .help("another name, or --force to replace it"));
    }
    let folder = out.parent().filter(|folder| !folder.as_os_str().is_empty());
    match folder {
        Some(folder) if !folder.is_dir() => {
            Err(Failure::usage(format!("--out {}: there is no such folder", out.display())))
        }
        _ => Ok(()),
    }
}

/// Looks whether `out` can be written, and keeps other trainings from it until the end of this one.
pub(super) fn reserve(out: &Path, force: bool) -> Result<FileLock, Failure> {
    look_for_room(out, force)?;
    let lock = FileLock::new(out).map_err(|error| {
        let failure = Failure::usage(format!("--out: {error}"));
        match error {
            LockError::Busy(_) => failure.help("wait for its end, or --out with another file"),
            LockError::Write { .. } => failure,
        }
    })?;
    // Whoever had the lock may have written the file since.
    look_for_room(out, force)?;
    Ok(lock)
}
