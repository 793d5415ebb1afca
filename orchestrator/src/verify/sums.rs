//! What can be said of a trial in real time: that its decisions add up to what the summary says.

use std::collections::BTreeMap;
use std::path::Path;

use fogbit_scenario::feedback::Outcome;
use fogbit_scenario::{Bit, Scenario};

use super::means::{Marks, expected};
use super::{Compared, MOST_FINDINGS, close, unreadable};
use crate::exit::Failure;
use crate::plan::Status;
use crate::results::read::{self, Decision};
use crate::results::summary::TrialSummary;

/// The sums over a decision file.
#[derive(Debug, Default)]
struct Sums {
    slot: u64,
    offloaded: u64,
    regret_linear: f64,
    regret_happiness: f64,
    reward: i64,
    answered: u64,
    refused: u64,
    timed_out: u64,
}

/// Adds up the decisions of a trial and compares the sums with the summary's. Gives what they come to
/// at the slots of expectations.
pub(super) fn verify_trial(
    dir: &Path,
    scenario: &Scenario,
    trial: &TrialSummary,
    compared: &mut Compared,
) -> Result<Option<Marks>, Failure> {
    if trial.slots == 0 && trial.status != Status::Complete {
        return Ok(None); // it was not begun
    }
    let rows = read::decisions(dir, &trial.policy, trial.seed).map_err(|error| {
        unreadable(&error).help("endless runs, and runs with --no-decisions, keep no decisions")
    })?;
    compared.trials += 1;
    let place = format!("decisions/{}-{}.csv", trial.policy, trial.seed);
    let before = compared.findings.len();
    let mut sums = Sums::default();
    let mut at = BTreeMap::new();
    let slots: Vec<u64> = expected(scenario).filter(|slot| *slot <= trial.slots).collect();
    for row in rows {
        let row = row.map_err(|error| unreadable(&error))?;
        // In some slots nothing was decided.
        for slot in slots.iter().filter(|slot| (sums.slot..row.slot).contains(*slot)) {
            at.insert(*slot, sums.mark());
        }
        compared.slots += 1;
        if let Some(difference) = sums.add(&row, scenario.nodes()) {
            compared.find(format!("{place}: slot {}", row.slot), difference);
        }
        if compared.findings.len() >= before + MOST_FINDINGS {
            return Ok(None);
        }
    }
    for slot in slots.iter().filter(|slot| **slot >= sums.slot) {
        at.insert(*slot, sums.mark());
    }
    sums.compare(trial, compared);
    let complete = trial.status == Status::Complete;
    Ok(Some(Marks { policy: trial.policy.clone(), seed: trial.seed, complete, at }))
}

impl Sums {
    /// Both kinds of regret, and reward, so far.
    fn mark(&self) -> [f64; 3] {
        [self.regret_linear, self.regret_happiness, self.reward as f64]
    }

    /// Adds a row; says what is wrong with it.
    fn add(&mut self, row: &Decision, nodes: usize) -> Option<String> {
        if row.slot <= self.slot {
            return Some(format!("it comes after slot {}", self.slot));
        }
        if row.node >= nodes {
            return Some(format!("there is no node {}", row.node));
        }
        if !(row.regret_linear >= 0.0 && row.regret_happiness >= 0.0) {
            return Some("a regret below 0".into());
        }
        self.slot = row.slot;
        self.offloaded += 1;
        self.regret_linear += row.regret_linear;
        self.regret_happiness += row.regret_happiness;
        self.reward += if row.outcome == Outcome::Answered(Bit::Happy) { 1 } else { -1 };
        match row.outcome {
            Outcome::Answered(_) => self.answered += 1,
            Outcome::Refused => self.refused += 1,
            Outcome::TimedOut => self.timed_out += 1,
        }
        None
    }

    fn compare(&self, trial: &TrialSummary, compared: &mut Compared) {
        let place = |name: &str| {
            format!("summary.json: {name} of {} with seed {}", trial.policy, trial.seed)
        };
        for (name, told, right) in [
            ("regret_linear", trial.whole.regret_linear, self.regret_linear),
            ("regret_happiness", trial.whole.regret_happiness, self.regret_happiness),
        ] {
            if !close(told, right) {
                compared.find(place(name), format!("{told} where {right} is right"));
            }
        }
        let tasks = &trial.whole.tasks;
        for (name, told, right) in [
            ("reward", trial.whole.reward, self.reward),
            ("offloaded", tasks.offloaded as i64, self.offloaded as i64),
            ("answered", tasks.answered as i64, self.answered as i64),
            ("refused", tasks.refused as i64, self.refused as i64),
            ("timed_out", tasks.timed_out as i64, self.timed_out as i64),
        ] {
            if told != right {
                compared.find(place(name), format!("{told} where {right} is right"));
            }
        }
        if self.slot > trial.slots {
            compared.find(
                place("slots"),
                format!("{} where slot {} was played", trial.slots, self.slot),
            );
        }
    }
}
