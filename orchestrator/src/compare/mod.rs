//! Runs made apart, compared: trials are paired by seed where the runs played the same scenario.

mod alike;
mod load;
mod page;

use std::path::PathBuf;

use fogbit_scenario::topology::{Metric, PolicySpec};
use serde::Serialize;

use self::load::{Entry, Run};
use crate::harness::PolicyKind;
use crate::report::markup::{grouped, seed_ranges, shortened};
use crate::results::RunStatus;
use crate::results::pairs::{Pair, PolicyRank, compare as compare_by_seed, rank};
use crate::results::read::ReadError;
use crate::stats::MeanSd;

pub use page::render;

/// Why runs cannot be compared.
#[derive(Debug, thiserror::Error)]
pub enum CompareError {
    /// A directory holds no results.
    #[error("{dir} is not a results directory: {error}")]
    NotResults {
        /// Which.
        dir: PathBuf,
        /// What is missing or wrong.
        error: ReadError,
    },
    /// The topology of a run cannot be read.
    #[error("the topology of {dir} cannot be read: {reason}")]
    Topology {
        /// Which run.
        dir: PathBuf,
        /// Why.
        reason: String,
    },
    /// A run goes on, or was killed.
    #[error("the run in {0} is not finished")]
    Unfinished(PathBuf),
    /// A directory was given more than once.
    #[error("{0} is given twice")]
    Twice(PathBuf),
    /// There is nothing to compare a policy with.
    #[error("there is one policy with a complete trial in all, and nothing to compare it with")]
    TooFew,
    /// No policy has the name that was asked for.
    #[error("--versus {name}: no policy here is called so")]
    Unknown {
        /// The name.
        name: String,
        /// The names there are.
        known: Vec<String>,
    },
    /// Several policies have the name that was asked for, and are not the same.
    #[error("--versus {name}: more than one policy is called so")]
    Ambiguous {
        /// The name.
        name: String,
        /// Their full names.
        known: Vec<String>,
    },
    /// No other policy shares a seed with the reference.
    #[error("no policy has completed a seed that {versus} has completed too")]
    NoCommonSeeds {
        /// The policy that the others are compared with.
        versus: String,
        /// The seeds of each run, in words.
        seeds: Vec<String>,
    },
}

impl CompareError {
    /// What would be right.
    pub fn help(&self) -> Option<String> {
        match self {
            CompareError::NotResults { .. } => {
                Some("give directories that `fogbit run` has written".into())
            }
            CompareError::Unfinished(_) => {
                Some("wait for its end; if it was killed, run it again".into())
            }
            CompareError::TooFew => Some("give another run, or one with more policies".into()),
            CompareError::Unknown { known, .. } => Some(format!("policies: {}", known.join(", "))),
            CompareError::Ambiguous { known, .. } => {
                Some(format!("say one of {}", known.join(", ")))
            }
            CompareError::NoCommonSeeds { seeds, .. } => {
                Some(format!("run them with the same --seeds; {}", seeds.join("; ")))
            }
            CompareError::Topology { .. } | CompareError::Twice(_) => None,
        }
    }
}

/// What a comparison comes to; also what `fogbit compare --format json` prints.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// What is compared.
    pub metric: String,
    /// Whether trials are paired by seed; without that nothing is said of differences.
    pub paired: bool,
    /// The policy that the others are compared with; null where trials are not paired.
    pub versus: Option<String>,
    /// What has to be known to read the rest, in words.
    pub notes: Vec<String>,
    /// The runs, in the order in which they were given.
    pub runs: Vec<RunInfo>,
    /// Each policy of each run over its complete trials.
    pub policies: Vec<PolicyInfo>,
    /// Ranks over the seeds that all ranked policies completed.
    pub ranks: Vec<PolicyRank>,
    /// Paired differences to `versus`.
    pub pairs: Vec<Pair>,
    /// Policies of the same name whose trials are the same.
    pub identical: Vec<Identical>,
}

/// One run of a comparison.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunInfo {
    /// Its results directory, as it was given.
    pub dir: String,
    /// What stands behind the @ of its policies.
    pub label: String,
    /// Name of its topology.
    pub topology: String,
    /// `sim`, `process` or `join`.
    pub backend: String,
    /// How far it got.
    pub status: RunStatus,
    /// Whether it is to be believed.
    pub valid: bool,
    /// Length of each trial in slots; null where trials are endless.
    pub slots: Option<u64>,
    /// Its seeds.
    pub seeds: Vec<u64>,
    /// The version of Fogbit that made it.
    pub version: String,
}

/// One policy of a comparison.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PolicyInfo {
    /// `NAME`, or `NAME@RUN` where several runs have one of that name.
    pub name: String,
    /// The label of its run.
    pub run: String,
    /// Its name in its run.
    pub policy: String,
    /// Which policy it is.
    pub kind: String,
    /// Its parameters.
    pub parameters: serde_json::Value,
    /// Number of complete trials.
    pub seeds: u64,
    /// Mean, standard deviation and median over them; null where there are none.
    pub value: Option<MeanSd>,
}

/// Two policies of the same name, kind and parameters.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Identical {
    /// The two.
    pub policies: [String; 2],
    /// Number of seeds that both completed.
    pub seeds: u64,
    /// Number of those under which both came to the same sums, to the last bit.
    pub same: u64,
}

/// Compares the runs in `dirs` by one metric.
///
/// # Errors
/// If a directory cannot be used, or there is nothing to compare.
pub fn compare(
    dirs: &[PathBuf],
    versus: Option<&str>,
    metric: Metric,
) -> Result<Comparison, CompareError> {
    let runs = load::runs(dirs)?;
    let entries = load::entries(&runs, metric);
    if entries.iter().filter(|entry| !entry.values.is_empty()).count() < 2 {
        return Err(CompareError::TooFew);
    }
    let identical = identical(&runs, &entries);
    // A name that is not there is a mistake also where nothing is paired.
    let versus = reference(&entries, versus, &identical)?;
    let different = alike::differences(&runs);
    let mut comparison = Comparison {
        metric: metric.name().into(),
        paired: different.is_empty(),
        versus: None,
        notes: notes(&runs, &different, &identical),
        runs: runs.iter().map(Run::info).collect(),
        policies: entries.iter().map(Entry::info).collect(),
        ranks: Vec::new(),
        pairs: Vec::new(),
        identical,
    };
    if comparison.paired {
        pair(&mut comparison, &runs, &entries, versus, metric)?;
    }
    Ok(comparison)
}

/// Adds everything that wants pairs.
fn pair(
    comparison: &mut Comparison,
    runs: &[Run],
    entries: &[Entry<'_>],
    versus: usize,
    metric: Metric,
) -> Result<(), CompareError> {
    let slot = runs[0].summary.run.slots.unwrap_or(0);
    let reference = &entries[versus];
    comparison.versus = Some(reference.name.clone());
    for (_, entry) in entries.iter().enumerate().filter(|(index, _)| *index != versus) {
        match compare_by_seed(&entry.values, &reference.values, metric) {
            Some(of) => {
                let names = (entry.name.as_str(), reference.name.as_str());
                comparison.pairs.push(Pair::new(names, metric, slot, &of));
            }
            None => comparison.notes.push(format!(
                "{} has no seed in common with {}: no difference is shown",
                entry.name, reference.name
            )),
        }
    }
    if comparison.pairs.is_empty() {
        let words = |run: &Run| {
            let seeds = shortened(&seed_ranges(&run.manifest.seeds), 60);
            format!("{} has seeds {seeds}", run.label)
        };
        let seeds = runs.iter().map(words).collect();
        return Err(CompareError::NoCommonSeeds { versus: reference.name.clone(), seeds });
    }
    let ranked: Vec<_> = entries
        .iter()
        .filter(|entry| PolicySpec::is_ranked(&entry.summary.kind) && !entry.values.is_empty())
        .map(|entry| (entry.name.as_str(), entry.values.clone()))
        .collect();
    comparison.ranks = rank(&ranked, metric, slot);
    if comparison.ranks.is_empty() && ranked.len() > 1 {
        comparison.notes.push("no seed was completed by all policies: nothing is ranked".into());
    }
    Ok(())
}

/// The policy that the others are compared with.
fn reference(
    entries: &[Entry<'_>],
    versus: Option<&str>,
    identical: &[Identical],
) -> Result<usize, CompareError> {
    let Some(wanted) = versus else {
        let toof = entries.iter().position(|e| e.summary.name == "toof" && !e.values.is_empty());
        let first = entries.iter().position(|entry| !entry.values.is_empty());
        return Ok(toof.or(first).unwrap_or(0));
    };
    let exact = |e: &Entry<'_>| e.name == wanted || e.full_name() == wanted;
    if let Some(index) = entries.iter().position(exact) {
        return Ok(index);
    }
    let called_so: Vec<usize> =
        (0..entries.len()).filter(|index| entries[*index].summary.name == wanted).collect();
    let Some((first, others)) = called_so.split_first() else {
        let known = entries.iter().map(|entry| entry.name.clone()).collect();
        return Err(CompareError::Unknown { name: wanted.into(), known });
    };
    let same_as_first = |other: &usize| {
        let names = [&entries[*first].name, &entries[*other].name];
        identical.iter().any(|i| i.seeds == i.same && i.policies.iter().eq(names))
    };
    if others.iter().all(same_as_first) {
        return Ok(*first);
    }
    let known = called_so.iter().map(|index| entries[*index].name.clone()).collect();
    Err(CompareError::Ambiguous { name: wanted.into(), known })
}

/// Pairs of policies of the same name, kind and parameters in two runs with common seeds.
fn identical(runs: &[Run], entries: &[Entry<'_>]) -> Vec<Identical> {
    let mut found = Vec::new();
    for (index, a) in entries.iter().enumerate() {
        for b in entries[index + 1..].iter().filter(|b| b.run != a.run) {
            let of = |entry: &Entry<'_>| load::sums(&runs[entry.run], &entry.summary.name);
            let alike = a.summary.name == b.summary.name
                && a.summary.kind == b.summary.kind
                && a.summary.parameters == b.summary.parameters;
            if !alike {
                continue;
            }
            let (sums_a, sums_b) = (of(a), of(b));
            let common = sums_a.iter().filter_map(|(seed, sums)| Some((sums, sums_b.get(seed)?)));
            let same = common.clone().filter(|(a, b)| a == b).count() as u64;
            let seeds = common.count() as u64;
            if seeds > 0 {
                let policies = [a.name.clone(), b.name.clone()];
                found.push(Identical { policies, seeds, same });
            }
        }
    }
    found
}

fn notes(runs: &[Run], different: &[String], identical: &[Identical]) -> Vec<String> {
    let mut notes = Vec::new();
    if !different.is_empty() {
        notes.push(format!(
            "NOT PAIRED: these runs did not play the same scenario. Means stand side by side, and \
             nothing is said of differences. What differs: {}",
            different.join("; ")
        ));
    }
    for run in runs {
        if !run.summary.run.valid {
            notes.push(format!("{} is INVALID: its host could not keep up", run.label));
        }
        if run.summary.run.status != RunStatus::Complete {
            notes.push(format!("{} is not complete: only its complete trials count", run.label));
        }
    }
    let first = &runs[0].summary.run.version;
    if runs.iter().any(|run| run.summary.run.version != *first) {
        let versions: Vec<String> =
            runs.iter().map(|run| format!("{} {}", run.label, run.summary.run.version)).collect();
        notes.push(format!(
            "versions of Fogbit differ ({}): the same seed may mean other draws",
            versions.join(", ")
        ));
    }
    for Identical { policies: [a, b], seeds, same } in identical {
        if same == seeds {
            let seeds = grouped(*seeds);
            notes.push(format!("{a} and {b} are identical in all {seeds} common seeds"));
        } else if different.is_empty() {
            let differ = grouped(seeds - same);
            notes.push(format!(
                "{a} and {b} have the same parameters, but differ in {differ} of {} common seeds: \
                 they were played in real time, or by different versions",
                grouped(*seeds)
            ));
        }
    }
    notes
}
