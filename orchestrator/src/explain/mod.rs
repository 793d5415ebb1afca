//! Why a policy chose as it did in one slot of a run that is over: the trial is played again up to
//! that slot, and compared with the decisions that were kept.

mod choice;
mod replay;
#[cfg(test)]
mod tests;
mod words;

use std::path::Path;

use fogbit_scenario::{Scenario, TopologyFile};
use serde::Serialize;

use crate::exit::{Exit, Failure};
use crate::plan::Plan;
use crate::results::read;
use crate::results::summary::{Summary, TrialSummary};

pub use replay::ReplayFailure;
pub use words::words;

/// One decision, and everything behind it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explanation {
    /// Name of the policy.
    pub policy: String,
    /// Which policy it is.
    pub kind: String,
    /// The seed.
    pub seed: u64,
    /// The slot, from 1.
    pub slot: u64,
    /// Whether all slots up to this one were compared with the decision file: none may be kept.
    pub checked: bool,
    /// The chosen node, from 0.
    pub chosen: usize,
    /// The best of the nodes present, by what the task is worth to them; ties go to the lowest number.
    pub best: usize,
    /// What came back: 1 happy, -1 unhappy, 0 refused.
    pub bit: Option<i8>,
    /// x*.w* - x.w of this slot; with a deadline P* - P.
    pub regret_linear: f64,
    /// P* - P of this slot.
    pub regret_happiness: f64,
    /// Linear regret of all slots up to this one, divided by their number.
    pub average_regret: f64,
    /// How many slots later than in its own a bit is learnt.
    pub delay_slots: u32,
    /// Names of the features.
    pub features: Vec<String>,
    /// The nodes in the order of their numbers.
    pub nodes: Vec<NodeView>,
    /// What the bit taught; nothing where no bit came or no weights are estimated.
    pub learnt: Option<Learnt>,
}

/// What one node looked like, to the policy and in truth.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NodeView {
    /// Its name.
    pub name: String,
    /// Whether it could be chosen.
    pub present: bool,
    /// Its features x, as the policy saw them.
    pub features: Vec<f64>,
    /// Its score in this decision, where the policy has scores.
    pub score: Option<f64>,
    /// The probability with which it was to be chosen, where the policy draws and knows it.
    pub propensity: Option<f64>,
    /// The estimate of its weights at the decision.
    pub estimate: Option<Vec<f64>>,
    /// The product of features and estimate.
    pub estimated_product: Option<f64>,
    /// The score less that product: what the policy adds for what it does not know.
    pub bonus: Option<f64>,
    /// Its hidden weights w in this slot; none with a deadline.
    pub weights: Vec<f64>,
    /// What the task is worth to it: x.w, or with a deadline P.
    pub product: f64,
    /// P: the probability that it is happy.
    pub happiness: f64,
    /// The bit that it would have told: 1 or -1.
    pub potential_bit: i8,
}

/// The estimate of the chosen node's weights, right before its bit was learnt and right after.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Learnt {
    /// Before.
    pub before: Vec<f64>,
    /// After.
    pub after: Vec<f64>,
}

/// Explains the decision of `slot` in the trial of `policy` under `seed`, by default the first of
/// the run, from the results directory `dir`.
///
/// # Errors
/// Exit code 2 if there is no such decision, or it cannot be played again; 1 if the decision file
/// tells another story than the replay.
pub fn explain(
    dir: &Path,
    policy: &str,
    slot: u64,
    seed: Option<u64>,
) -> Result<Explanation, Failure> {
    let summary = read::summary(dir).map_err(Failure::usage)?;
    if summary.run.clock == "wall" && summary.run.backend != "sim" {
        let message = "this run was in real time, which cannot be played again";
        return Err(Failure::usage(message)
            .help("the decision files hold what is known; or play it with --backend sim"));
    }
    let trial = trial_of(&summary, policy, slot, seed)?;
    let scenario = Scenario::from_file(&TopologyFile::read(&dir.join("topology.toml"))?)?;
    let plan = Plan::new(scenario);
    let index = plan.policies.iter().position(|planned| planned.name == policy);
    let index = index.ok_or_else(|| Failure::usage(format!("topology.toml has no {policy}")))?;
    replay::replay(dir, &plan, index, trial.seed, slot).map_err(|failure| {
        let exit = match failure {
            ReplayFailure::Differs(_) => Exit::Difference,
            ReplayFailure::Elsewhere | ReplayFailure::Unreadable(_) => Exit::Usage,
            ReplayFailure::Trial(_) => Exit::Failed,
        };
        let shown = Failure::new(exit, &failure);
        match failure {
            ReplayFailure::Differs(_) => {
                shown.help(format!("`fogbit verify {}` says what else differs", dir.display()))
            }
            _ => shown,
        }
    })
}

/// The trial that is meant, if it got as far as `slot`.
fn trial_of<'s>(
    summary: &'s Summary,
    policy: &str,
    slot: u64,
    seed: Option<u64>,
) -> Result<&'s TrialSummary, Failure> {
    let policies: Vec<&str> = summary.policies.iter().map(|p| p.name.as_str()).collect();
    if !policies.contains(&policy) {
        return Err(Failure::usage(format!("no policy of this run is called `{policy}`"))
            .help(format!("policies here: {}", policies.join(", "))));
    }
    let trials: Vec<&TrialSummary> = summary.trials.iter().filter(|t| t.policy == policy).collect();
    let wanted = |trial: &&&TrialSummary| seed.is_none_or(|seed| trial.seed == seed);
    let Some(trial) = trials.iter().find(wanted) else {
        let message = format!("this run has no seed {}", seed.unwrap_or_default());
        let seeds: Vec<u64> = trials.iter().map(|trial| trial.seed).collect();
        return Err(Failure::usage(message).help(format!("seeds here: {}", listed(&seeds))));
    };
    if slot == 0 || slot > trial.slots {
        let message = format!("the trial of {policy} with seed {} has no slot {slot}", trial.seed);
        return Err(Failure::usage(message).help(match trial.slots {
            0 => "it was not begun".into(),
            slots => format!("slots from 1 to {slots}"),
        }));
    }
    Ok(trial)
}

/// Some numbers in words: neighbours are drawn together, and of many not all are named.
fn listed(numbers: &[u64]) -> String {
    const MOST: usize = 8;
    let follow = |a: &u64, b: &u64| a.checked_add(1) == Some(*b);
    let parts: Vec<String> = numbers
        .chunk_by(follow)
        .map(|block| match block {
            [first, _, .., last] => format!("{first} to {last}"),
            _ => block.iter().map(u64::to_string).collect::<Vec<_>>().join(", "),
        })
        .collect();
    let more = if parts.len() > MOST { ", ..." } else { "" };
    format!("{}{more}", parts[..parts.len().min(MOST)].join(", "))
}
