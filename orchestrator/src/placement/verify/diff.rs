//! Two runs, decision by decision.

use std::collections::BTreeSet;
use std::path::Path;

use super::super::read::{self, Decision};
use super::super::summary::PlacementSummary;
use super::{NO_DECISIONS, unreadable};
use crate::exit::Failure;
use crate::results::read::ReadError;
use crate::verify::Compared;

/// Names the first slot of each trial in which two runs part.
///
/// # Errors
/// If a directory cannot be read, or keeps no decisions.
pub fn diff(a: &Path, b: &Path) -> Result<Compared, Failure> {
    let mut compared = Compared::default();
    let (summary_a, summary_b) = (
        read::summary(a).map_err(|error| unreadable(&error))?,
        read::summary(b).map_err(|error| unreadable(&error))?,
    );
    let trials = |summary: &PlacementSummary| -> BTreeSet<(String, u64)> {
        summary.trials.iter().map(|trial| (trial.policy.clone(), trial.seed)).collect()
    };
    let (in_a, in_b) = (trials(&summary_a), trials(&summary_b));
    for (name, own, other) in [(b, &in_a, &in_b), (a, &in_b, &in_a)] {
        for (policy, seed) in own.difference(other) {
            let place = format!("{policy} with seed {seed}");
            compared.find(place, format!("there is no such trial in {}", name.display()));
        }
    }
    for (policy, seed) in in_a.intersection(&in_b) {
        compared.trials += 1;
        diff_trial((a, &summary_a), (b, &summary_b), policy, *seed, &mut compared)?;
    }
    Ok(compared)
}

fn diff_trial(
    (a, summary_a): (&Path, &PlacementSummary),
    (b, summary_b): (&Path, &PlacementSummary),
    policy: &str,
    seed: u64,
    compared: &mut Compared,
) -> Result<(), Failure> {
    let rows = |dir: &Path, summary: &PlacementSummary| {
        let nodes = summary.run.nodes.iter().map(String::as_str);
        let sites: Vec<&str> =
            std::iter::once(summary.run.task_node.as_str()).chain(nodes).collect();
        read::decisions(dir, policy, seed, &sites)
            .map_err(|error| unreadable(&error).help(NO_DECISIONS))
    };
    let (mut rows_a, mut rows_b) = (rows(a, summary_a)?, rows(b, summary_b)?);
    for slot in 1.. {
        let next = |row: Option<Result<Decision, ReadError>>| {
            row.transpose().map_err(|error| unreadable(&error))
        };
        let difference = match (next(rows_a.next())?, next(rows_b.next())?) {
            (None, None) => break,
            (Some(row_a), Some(row_b)) if row_a == row_b => {
                compared.slots += 1;
                continue;
            }
            (Some(row_a), Some(row_b)) => format!("{} | {}", told(&row_a), told(&row_b)),
            (Some(_), None) => format!("{} ends before", b.display()),
            (None, Some(_)) => format!("{} ends before", a.display()),
        };
        compared.find(format!("{policy} with seed {seed}: slot {slot}"), difference);
        break;
    }
    Ok(())
}

fn told(row: &Decision) -> String {
    let Decision { slot, site, fate, latency_ms, regret_ms, .. } = row;
    format!("slot {slot} site {site} {fate:?} latency {latency_ms:?} ms regret {regret_ms:?} ms")
}
