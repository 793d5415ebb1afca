//! Two runs, decision by decision.

use std::collections::BTreeSet;
use std::path::Path;

use super::super::read::{self, Decision};
use super::super::summary::PipelineSummary;
use super::{NO_DECISIONS, unreadable};
use crate::exit::Failure;
use crate::pipeline::record::{fate_text, placement_text};
use crate::results::read::ReadError;
use crate::verify::Compared;

/// Names the first application of each trial in which two runs part. What was measured is not compared:
/// it is never the same.
///
/// # Errors
/// If a directory cannot be read, or keeps no decisions.
pub fn diff(a: &Path, b: &Path) -> Result<Compared, Failure> {
    let mut compared = Compared::default();
    let summary = |dir| read::summary(dir).map_err(|error| unreadable(&error));
    let (summary_a, summary_b) = (summary(a)?, summary(b)?);
    let trials = |summary: &PipelineSummary| -> BTreeSet<(String, u64)> {
        summary.trials.iter().map(|trial| (trial.policy.clone(), trial.seed)).collect()
    };
    let (in_a, in_b) = (trials(&summary_a), trials(&summary_b));
    for (name, own, other) in [(b, &in_a, &in_b), (a, &in_b, &in_a)] {
        for (policy, seed) in own.difference(other) {
            let place = format!("{policy} with seed {seed}");
            compared.find(place, format!("there is no such trial in {}", name.display()));
        }
    }
    let sites = |summary: &PipelineSummary| summary.run.sites().len();
    for (policy, seed) in in_a.intersection(&in_b) {
        compared.trials += 1;
        let both = [(a, sites(&summary_a)), (b, sites(&summary_b))];
        diff_trial(both, (policy, *seed), &mut compared)?;
    }
    Ok(compared)
}

fn diff_trial(
    both: [(&Path, usize); 2],
    (policy, seed): (&str, u64),
    compared: &mut Compared,
) -> Result<(), Failure> {
    let rows = |(dir, sites): (&Path, usize)| {
        read::decisions(dir, policy, seed, sites)
            .map_err(|error| unreadable(&error).help(NO_DECISIONS))
    };
    let [(a, _), (b, _)] = both;
    let (mut rows_a, mut rows_b) = (rows(both[0])?, rows(both[1])?);
    let next = |row: Option<Result<Decision, ReadError>>| {
        row.transpose().map_err(|error| unreadable(&error))
    };
    for application in 1u64.. {
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
        let place = format!("{policy} with seed {seed}: application {application}");
        compared.find(place, difference);
        break;
    }
    Ok(())
}

/// Everything of a row but what was measured.
fn decided(row: &Decision) -> String {
    let Decision { application, placement, label, delay_ns, optimum_ns, fate, .. } = row;
    format!(
        "application {application} placement {} label {} delay {delay_ns} ns optimum {optimum_ns} ns {}",
        placement_text(placement),
        placement_text(label),
        fate_text(*fate)
    )
}
