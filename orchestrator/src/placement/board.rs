//! How far a run of the problem `placement` is, for the progress display.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use super::ledger::PlacementLedger;
use super::plan::PlacementPlan;
use crate::progress::{Progress, Watched};

/// The board of one run. Whoever plays trials publishes to it now and then.
#[derive(Debug)]
pub struct PlacementBoard {
    policies: Vec<PolicyBoard>,
    planned: u64,
    stage: Mutex<String>,
}

#[derive(Debug)]
struct PolicyBoard {
    name: String,
    slots: AtomicU64,
    /// Sum of all regret in nanoseconds.
    regret_ns: AtomicU64,
}

/// What a trial has told the board so far.
#[derive(Debug, Clone, Copy, Default)]
pub struct Told {
    slots: u64,
    regret_ms: f64,
}

impl PlacementBoard {
    /// The board of a plan of which nothing is played yet.
    pub fn new(plan: &PlacementPlan) -> PlacementBoard {
        let board = |name: &String| PolicyBoard {
            name: name.clone(),
            slots: AtomicU64::new(0),
            regret_ns: AtomicU64::new(0),
        };
        PlacementBoard {
            policies: plan.policies.iter().map(|policy| board(&policy.name)).collect(),
            planned: plan.scenario.slots().saturating_mul(plan.seeds.len() as u64),
            stage: Mutex::new(String::new()),
        }
    }

    /// Says what is being done before the first slot, or between trials; nothing clears it.
    pub fn set_stage(&self, text: &str) {
        text.clone_into(&mut self.stage.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Adds what a trial of `policy` has come to since it last told.
    pub fn publish(&self, policy: usize, ledger: &PlacementLedger, told: &mut Told) {
        let board = &self.policies[policy];
        let (slots, regret_ms) = (ledger.slots(), ledger.regret_ms());
        board.slots.fetch_add(slots - told.slots, Ordering::Relaxed);
        let more = ((regret_ms - told.regret_ms) * 1e6).max(0.0) as u64;
        board.regret_ns.fetch_add(more, Ordering::Relaxed);
        *told = Told { slots, regret_ms };
    }
}

impl Watched for PlacementBoard {
    fn planned(&self) -> Option<u64> {
        Some(self.planned)
    }

    fn stage_text(&self) -> String {
        self.stage.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn progress(&self) -> Vec<Progress<'_>> {
        let policies = self.policies.iter().map(|policy| {
            let slots = policy.slots.load(Ordering::Relaxed);
            let regret_ms = policy.regret_ns.load(Ordering::Relaxed) as f64 / 1e6;
            let told =
                (slots > 0).then(|| format!("mean regret {:.2} ms", regret_ms / slots as f64));
            Progress { name: &policy.name, slots, told }
        });
        policies.collect()
    }
}
