//! Two runs, decision by decision.

use std::collections::BTreeSet;
use std::path::Path;

use super::super::read::{self, Decision};
use super::super::summary::CascadeSummary;
use super::{NO_DECISIONS, unreadable};
use crate::exit::Failure;
use crate::results::read::ReadError;
use crate::verify::Compared;

/// Names the first image of each trial in which two runs part. Times are not compared: they are
/// measured, and never the same. Of two runs that kept a different number of images it is those that
/// both kept.
///
/// # Errors
/// If a directory cannot be read, or keeps no decisions.
pub fn diff(a: &Path, b: &Path) -> Result<Compared, Failure> {
    let mut compared = Compared::default();
    let summary = |dir| read::summary(dir).map_err(|error| unreadable(&error));
    let (summary_a, summary_b) = (summary(a)?, summary(b)?);
    let trials = |summary: &CascadeSummary| -> BTreeSet<(String, u64)> {
        summary.trials.iter().map(|trial| (trial.policy.clone(), trial.seed)).collect()
    };
    let (in_a, in_b) = (trials(&summary_a), trials(&summary_b));
    for (name, own, other) in [(b, &in_a, &in_b), (a, &in_b, &in_a)] {
        for (policy, seed) in own.difference(other) {
            let place = format!("{policy} with seed {seed}");
            compared.find(place, format!("there is no such trial in {}", name.display()));
        }
    }
    let kept = |summary: &CascadeSummary| summary.run.kept_images.unwrap_or(u64::MAX);
    let most = kept(&summary_a).min(kept(&summary_b));
    for (policy, seed) in in_a.intersection(&in_b) {
        compared.trials += 1;
        diff_trial(a, b, (policy, *seed), most, &mut compared)?;
    }
    Ok(compared)
}

fn diff_trial(
    a: &Path,
    b: &Path,
    (policy, seed): (&str, u64),
    most: u64,
    compared: &mut Compared,
) -> Result<(), Failure> {
    let rows = |dir: &Path| {
        read::decisions(dir, policy, seed).map_err(|error| unreadable(&error).help(NO_DECISIONS))
    };
    let (mut rows_a, mut rows_b) = (rows(a)?, rows(b)?);
    for image in 1..=most {
        let next = |row: Option<Result<Decision, ReadError>>| {
            row.transpose().map_err(|error| unreadable(&error))
        };
        let difference = match (next(rows_a.next())?, next(rows_b.next())?) {
            (None, None) => break,
            (Some(row_a), Some(row_b)) if decided(&row_a) == decided(&row_b) => {
                compared.slots += 1;
                continue;
            }
            (Some(row_a), Some(row_b)) => format!("{} | {}", decided(&row_a), decided(&row_b)),
            (Some(_), None) => format!("{} ends before", b.display()),
            (None, Some(_)) => format!("{} ends before", a.display()),
        };
        compared.find(format!("{policy} with seed {seed}: image {image}"), difference);
        break;
    }
    Ok(())
}

/// Everything of a row but its times.
fn decided(row: &Decision) -> String {
    let Decision { slot, id, metric, tokens, wanted, fate, loss, .. } = row;
    format!(
        "slot {slot} id {id} metric {metric:?} tokens {tokens} wanted {wanted} {fate:?} loss {loss:?}"
    )
}
