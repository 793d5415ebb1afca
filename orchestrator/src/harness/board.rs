//! How far a run is, for the progress display and Prometheus, in all problems but `one-bit`.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use super::ledger::ProblemLedger;
use super::metrics::{ProblemMetrics, Shown};
use super::plan::ProblemPlan;
use crate::progress::{Progress, Watched};
use crate::validity::Begun;

/// The board of one run. Whoever plays trials publishes to it now and then.
#[derive(Debug)]
pub struct RunBoard {
    policies: Vec<PolicyBoard>,
    planned: u64,
    said: fn(f64) -> String,
    stage: Mutex<String>,
    /// None where nobody asks for them.
    metrics: Option<ProblemMetrics>,
}

#[derive(Debug)]
struct PolicyBoard {
    name: String,
    booked: AtomicU64,
    /// Sum of what is lost, in millionths; below 0 it wraps around, and back.
    lost: AtomicU64,
}

/// What a trial has told the board so far.
#[derive(Debug, Clone, Default)]
pub struct Published {
    seed: u64,
    booked: u64,
    lost: i64,
    held_up: Begun,
    shown: Shown,
}

impl Published {
    /// Nothing yet of the trial under `seed`.
    pub fn nothing(seed: u64) -> Published {
        Published { seed, ..Published::default() }
    }
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
            metrics: None,
        }
    }

    /// Has it tell Prometheus too.
    pub fn with_metrics(self, metrics: ProblemMetrics) -> RunBoard {
        RunBoard { metrics: Some(metrics), ..self }
    }

    /// What Prometheus is told, if somebody asks for it.
    pub fn metrics(&self) -> Option<&ProblemMetrics> {
        self.metrics.as_ref()
    }

    /// Says what is being done before the first decision, or between trials; nothing clears it.
    pub fn set_stage(&self, text: &str) {
        text.clone_into(&mut self.stage.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Adds what a trial of `policy` has come to since it last told.
    pub fn publish(&self, policy: usize, ledger: &impl ProblemLedger, told: &mut Published) {
        let board = &self.policies[policy];
        let (booked, lost) = (ledger.booked(), (ledger.lost() * 1e6) as i64);
        let more = booked - told.booked;
        board.booked.fetch_add(more, Ordering::Relaxed);
        board.lost.fetch_add((lost - told.lost) as u64, Ordering::Relaxed);
        (told.booked, told.lost) = (booked, lost);
        if let Some(metrics) = &self.metrics {
            metrics.run.at(policy, told.seed, booked, more);
            let now = ledger.held_up();
            let before = std::mem::replace(&mut told.held_up, now);
            let (slots, late) = (now.slots - before.slots, now.late - before.late);
            metrics.run.judge(Begun { slots, late });
            ledger.show(&mut metrics.trial(policy, &mut told.shown));
        }
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
