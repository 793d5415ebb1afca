//! How far a run is, for the progress display, in all problems but `one-bit`.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use super::ledger::ProblemLedger;
use super::plan::ProblemPlan;
use crate::progress::{Progress, Watched};

/// The board of one run. Whoever plays trials publishes to it now and then.
#[derive(Debug)]
pub struct RunBoard {
    policies: Vec<PolicyBoard>,
    planned: u64,
    said: fn(f64) -> String,
    stage: Mutex<String>,
}

#[derive(Debug)]
struct PolicyBoard {
    name: String,
    booked: AtomicU64,
    /// Sum of what is lost, in millionths; below 0 it wraps around, and back.
    lost: AtomicU64,
}

/// What a trial has told the board so far.
#[derive(Debug, Clone, Copy, Default)]
pub struct Published {
    booked: u64,
    lost: i64,
}

impl RunBoard {
    /// The board of a plan of trials of that `length`, of which nothing is played yet; `said` puts
    /// into words what a decision has lost on average.
    pub fn new(plan: &impl ProblemPlan, length: u64, said: fn(f64) -> String) -> RunBoard {
        let board = |name: &String| PolicyBoard {
            name: name.clone(),
            booked: AtomicU64::new(0),
            lost: AtomicU64::new(0),
        };
        RunBoard {
            policies: plan.policies().iter().map(|policy| board(&policy.name)).collect(),
            planned: length.saturating_mul(plan.seeds().len() as u64),
            said,
            stage: Mutex::new(String::new()),
        }
    }

    /// Says what is being done before the first decision, or between trials; nothing clears it.
    pub fn set_stage(&self, text: &str) {
        text.clone_into(&mut self.stage.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Adds what a trial of `policy` has come to since it last told.
    pub fn publish(&self, policy: usize, ledger: &impl ProblemLedger, told: &mut Published) {
        let board = &self.policies[policy];
        let now = Published { booked: ledger.booked(), lost: (ledger.lost() * 1e6) as i64 };
        board.booked.fetch_add(now.booked - told.booked, Ordering::Relaxed);
        board.lost.fetch_add((now.lost - told.lost) as u64, Ordering::Relaxed);
        *told = now;
    }
}

impl Watched for RunBoard {
    fn planned(&self) -> Option<u64> {
        Some(self.planned)
    }

    fn stage_text(&self) -> String {
        self.stage.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn progress(&self) -> Vec<Progress<'_>> {
        let policies = self.policies.iter().map(|policy| {
            let booked = policy.booked.load(Ordering::Relaxed);
            let lost = policy.lost.load(Ordering::Relaxed) as i64 as f64 / 1e6;
            let told = (booked > 0).then(|| (self.said)(lost / booked as f64));
            Progress { name: &policy.name, slots: booked, told }
        });
        policies.collect()
    }
}
