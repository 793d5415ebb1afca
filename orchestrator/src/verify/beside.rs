//! What `summary.json` and `manifest.json` say beside the figures, whatever the problem: policies
//! and their parameters, seeds, trials, how the run ended; and what lies in `decisions/`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;

use super::{Compared, unreadable};
use crate::exit::Failure;
use crate::harness::{PolicyKind, RunHead, TrialSummary, parameters};
use crate::links;
use crate::plan::Status;
use crate::results::read::{ReadError, manifest};
use crate::results::{LAYOUT, Manifest, RunStatus, decision_file};
use crate::validity::MOST_LATE;

/// Parameters that name files. Results keep files under names of their own, so of these it is only
/// looked at whether they are there.
const NAMES_OF_FILES: [&str; 3] = ["model", "command", "files"];

/// A policy: its name, its kind, and its parameters without `kind`.
pub(crate) type ToldPolicy<'s> = (&'s str, &'s str, Value);

/// A trial: its policy, its seed, how far it got, and why it failed.
type ToldTrial<'s> = (&'s str, u64, Status, Option<&'s str>);

/// What a summary says.
pub(crate) struct Told<'s> {
    pub(crate) about: Option<&'s str>,
    pub(crate) backend: &'s str,
    pub(crate) status: RunStatus,
    pub(crate) valid: bool,
    /// How many seeds.
    pub(crate) seeds: u64,
    pub(crate) version: &'s str,
    pub(crate) policies: Vec<ToldPolicy<'s>>,
    /// Complete trials of each policy, as the summary counts them.
    pub(crate) complete: Vec<u64>,
    pub(crate) trials: Vec<ToldTrial<'s>>,
}

/// What `topology.toml` and the measured times say.
pub(crate) struct Due<'s> {
    pub(crate) about: Option<&'s str>,
    pub(crate) policies: Vec<ToldPolicy<'s>>,
    pub(crate) seeds: Vec<u64>,
    /// Whether the host kept up, in real time.
    pub(crate) in_time: bool,
}

impl<'s> Told<'s> {
    /// What a summary says, of which the problem knows its `head`, the version that made it, its policies
    /// with their numbers of complete trials, and its trials.
    pub(crate) fn of<F>(
        head: &RunHead<'s>,
        version: &'s str,
        policies: impl Iterator<Item = (ToldPolicy<'s>, u64)>,
        trials: &'s [TrialSummary<F>],
    ) -> Told<'s> {
        let (policies, complete) = policies.unzip();
        Told {
            about: head.about,
            backend: head.backend,
            status: head.status,
            valid: head.valid,
            seeds: head.seeds,
            version,
            policies,
            complete,
            trials: told_trials(trials),
        }
    }
}

impl<'s> Due<'s> {
    /// What a topology says, and `links.json` in `dir` with the share of slots that began late.
    ///
    /// # Errors
    /// If what was measured of the links cannot be read.
    pub(crate) fn of<S: PolicyKind + 's>(
        about: Option<&'s str>,
        policies: impl Iterator<Item = (&'s str, &'s S)>,
        seeds: Vec<u64>,
        (dir, late_share): (&Path, Option<f64>),
    ) -> Result<Due<'s>, Failure> {
        let links_in_time = links::in_time(dir).map_err(|error| unreadable(&error))?;
        let in_time = links_in_time && late_share.is_none_or(|share| share <= MOST_LATE);
        let policies = policies.map(|(name, spec)| (name, spec.kind(), parameters(spec))).collect();
        Ok(Due { about, policies, seeds, in_time })
    }
}

/// The trials of a summary.
fn told_trials<F>(trials: &[TrialSummary<F>]) -> Vec<ToldTrial<'_>> {
    let told = |t| {
        let TrialSummary { policy, seed, status, failure, .. }: &TrialSummary<F> = t;
        (policy.as_str(), *seed, *status, failure.as_deref())
    };
    trials.iter().map(told).collect()
}

/// Compares all of it.
///
/// # Errors
/// If the manifest or the folder of decisions cannot be read.
pub(crate) fn check(
    dir: &Path,
    told: &Told<'_>,
    due: &Due<'_>,
    compared: &mut Compared,
) -> Result<(), Failure> {
    let manifest = manifest(dir).map_err(|error| unreadable(&error))?;
    check_policies(told, due, compared);
    check_trials(told, due, compared);
    check_run(told, due, &manifest, compared);
    check_end(told, &manifest, compared);
    check_files(dir, told, compared).map_err(|error| unreadable(&error))
}

fn check_policies(told: &Told<'_>, due: &Due<'_>, compared: &mut Compared) {
    let names = |policies: &[ToldPolicy<'_>]| -> Vec<String> {
        policies.iter().map(|(name, ..)| (*name).to_owned()).collect()
    };
    let (found, right) = (names(&told.policies), names(&due.policies));
    if found != right {
        let (found, right) = (found.join(", "), right.join(", "));
        let difference = format!("{found}, where topology.toml has {right}");
        compared.find("summary.json: policies", difference);
    }
    for (name, kind, parameters) in &told.policies {
        let Some((_, right_kind, right)) = due.policies.iter().find(|(known, ..)| known == name)
        else {
            continue; // it is among the names
        };
        if kind != right_kind {
            let place = format!("summary.json: kind of {name}");
            compared.find(place, format!("{kind} where topology.toml has {right_kind}"));
            continue;
        }
        for (key, found, right) in differences(parameters, right) {
            let place = format!("summary.json: {key} of {name}");
            compared.find(place, format!("{found} where topology.toml has {right}"));
        }
    }
}

/// The parameters that differ: key, and both values in JSON.
fn differences(told: &Value, right: &Value) -> Vec<(String, String, String)> {
    let keys = |value: &Value| -> BTreeSet<String> {
        value.as_object().into_iter().flatten().map(|(key, _)| key.clone()).collect()
    };
    let text = |value: &Value| match value {
        Value::Null => "nothing".to_owned(),
        value => value.to_string(),
    };
    let all: BTreeSet<String> = keys(told).union(&keys(right)).cloned().collect();
    let mut found = Vec::new();
    for key in all {
        let (a, b) = (&told[key.as_str()], &right[key.as_str()]);
        let same = match NAMES_OF_FILES.contains(&key.as_str()) {
            true => a.is_null() == b.is_null(),
            false => a == b,
        };
        if !same {
            found.push((key, text(a), text(b)));
        }
    }
    found
}

/// Each policy has one trial with each seed, and there is no other.
fn check_trials(told: &Told<'_>, due: &Due<'_>, compared: &mut Compared) {
    let mut count: BTreeMap<(&str, u64), u64> = BTreeMap::new();
    for (policy, seed, ..) in &told.trials {
        *count.entry((policy, *seed)).or_default() += 1;
    }
    for (policy, ..) in &due.policies {
        for seed in &due.seeds {
            let times = count.remove(&(policy, *seed)).unwrap_or(0);
            if times != 1 {
                let place = format!("summary.json: {policy} with seed {seed}");
                compared.find(place, format!("there are {times} such trials, where 1 is right"));
            }
        }
    }
    for (policy, seed) in count.into_keys() {
        let place = format!("summary.json: {policy} with seed {seed}");
        compared.find(place, "topology.toml has no such trial");
    }
    for ((name, ..), complete) in told.policies.iter().zip(&told.complete) {
        let own = |trial: &&ToldTrial<'_>| trial.0 == *name && trial.2 == Status::Complete;
        let right = told.trials.iter().filter(own).count() as u64;
        if *complete != right {
            let place = format!("summary.json: seeds of {name}");
            compared.find(place, format!("{complete} where {right} trials are complete"));
        }
    }
}

fn check_run(told: &Told<'_>, due: &Due<'_>, manifest: &Manifest, compared: &mut Compared) {
    let right = [
        ("about", told.about == due.about, "topology.toml"),
        ("seeds", told.seeds == due.seeds.len() as u64, "topology.toml"),
        ("backend", told.backend == manifest.backend, "manifest.json"),
        ("status", told.status == manifest.status, "manifest.json"),
        ("valid", told.valid == manifest.valid, "manifest.json"),
        ("valid", told.valid == due.in_time, "the measured times"),
        ("version", told.version == manifest.fogbit, "manifest.json"),
    ];
    for (key, _, by) in right.into_iter().filter(|(_, right, _)| !right) {
        compared.find(format!("summary.json: run.{key}"), format!("not what {by} says"));
    }
    if manifest.layout != LAYOUT {
        compared
            .find("manifest.json: layout", format!("{} where {LAYOUT} is right", manifest.layout));
    }
    if manifest.seeds != due.seeds {
        let (found, right) = (&manifest.seeds, &due.seeds);
        let difference = format!("{found:?} where topology.toml has {right:?}");
        compared.find("manifest.json: seeds", difference);
    }
}

/// How the run ended follows from how its trials did.
fn check_end(told: &Told<'_>, manifest: &Manifest, compared: &mut Compared) {
    let any = |status: Status| told.trials.iter().any(|trial| trial.2 == status);
    let right = match told.status {
        RunStatus::Complete => !any(Status::Partial) && !any(Status::Failed),
        RunStatus::Partial => any(Status::Partial) && !any(Status::Failed),
        RunStatus::Failed => true,
        RunStatus::Running => false,
    };
    if !right {
        let difference = format!("{:?} is not how its trials ended", told.status);
        compared.find("summary.json: run.status", difference);
    }
    for (policy, seed, status, failure) in &told.trials {
        if failure.is_some() != (*status == Status::Failed) {
            let place = format!("summary.json: failure of {policy} with seed {seed}");
            compared.find(place, format!("{failure:?} in a trial that is {status:?}"));
        }
    }
    let owed = told.status == RunStatus::Failed || !told.valid;
    match &manifest.reason {
        None if owed => compared.find(
            "manifest.json: reason",
            "there is none, in a run that failed or is not to be believed",
        ),
        Some(reason) if !owed => compared.find(
            "manifest.json: reason",
            format!("{reason:?}, in a run that did not fail and is to be believed"),
        ),
        _ => {}
    }
}

/// In `decisions/` there is nothing but the files of the trials.
fn check_files(dir: &Path, told: &Told<'_>, compared: &mut Compared) -> Result<(), ReadError> {
    let path = dir.join("decisions");
    if !path.is_dir() {
        return Ok(()); // whoever looks for the file of a trial says so
    }
    let known: BTreeSet<String> =
        told.trials.iter().map(|(policy, seed, ..)| decision_file(policy, *seed)).collect();
    let unread = |error| ReadError::File { path: path.clone(), error };
    let mut others = BTreeSet::new();
    for entry in std::fs::read_dir(&path).map_err(unread)? {
        let name = entry.map_err(unread)?.file_name().to_string_lossy().into_owned();
        if !known.contains(&name) {
            others.insert(name);
        }
    }
    for name in others {
        compared.find(format!("decisions/{name}"), "it is the file of no trial of summary.json");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::differences;

    #[test]
    fn parameters_are_compared_key_by_key_and_files_by_whether_they_are_named() {
        let told = json!({"model": "a/b.safetensors", "places": 400, "discount": 0.5});
        let kept = json!({"model": "models/dqn.safetensors", "places": 400, "discount": 0.5});
        assert!(differences(&told, &kept).is_empty());
        let found = differences(&told, &json!({"places": 40, "discount": 0.5, "search": true}));
        let keys: Vec<&str> = found.iter().map(|(key, ..)| key.as_str()).collect();
        assert_eq!(keys, ["model", "places", "search"]);
        assert_eq!(found[1].1, "400");
        assert_eq!(found[2].1, "nothing");
    }
}
