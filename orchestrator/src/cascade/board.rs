//! How far a run of the problem `cascade` is, for the progress display.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use super::plan::CascadePlan;
use super::tally::Tally;
use crate::progress::{Progress, Watched};

/// The board of one run. Whoever plays trials publishes to it now and then.
#[derive(Debug)]
pub struct CascadeBoard {
    policies: Vec<PolicyBoard>,
    planned: u64,
    stage: Mutex<String>,
}

#[derive(Debug)]
struct PolicyBoard {
    name: String,
    images: AtomicU64,
    /// Sum of all losses in millionths; below 0 it wraps around, and back.
    loss: AtomicU64,
}

/// What a trial has told the board so far.
#[derive(Debug, Clone, Copy, Default)]
pub struct Published {
    images: u64,
    loss: i64,
}

impl CascadeBoard {
    /// The board of a plan of which nothing is played yet.
    pub fn new(plan: &CascadePlan) -> CascadeBoard {
        let board = |name: &String| PolicyBoard {
            name: name.clone(),
            images: AtomicU64::new(0),
            loss: AtomicU64::new(0),
        };
        CascadeBoard {
            policies: plan.policies.iter().map(|policy| board(&policy.name)).collect(),
            planned: plan.scenario.images().saturating_mul(plan.seeds.len() as u64),
            stage: Mutex::new(String::new()),
        }
    }

    /// Says what is being done before the first image, or between trials; nothing clears it.
    pub fn set_stage(&self, text: &str) {
        text.clone_into(&mut self.stage.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Adds what a trial of `policy` has come to since it last told.
    pub fn publish(&self, policy: usize, tally: &Tally, told: &mut Published) {
        let board = &self.policies[policy];
        let now = Published { images: tally.images, loss: (tally.loss * 1e6) as i64 };
        board.images.fetch_add(now.images - told.images, Ordering::Relaxed);
        board.loss.fetch_add((now.loss - told.loss) as u64, Ordering::Relaxed);
        *told = now;
    }
}

impl Watched for CascadeBoard {
    fn planned(&self) -> Option<u64> {
        Some(self.planned)
    }

    fn stage_text(&self) -> String {
        self.stage.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn progress(&self) -> Vec<Progress<'_>> {
        let policies = self.policies.iter().map(|policy| {
            let images = policy.images.load(Ordering::Relaxed);
            let loss = policy.loss.load(Ordering::Relaxed) as i64 as f64 / 1e6;
            let told = (images > 0).then(|| format!("average loss {:.4}", loss / images as f64));
            Progress { name: &policy.name, slots: images, told }
        });
        policies.collect()
    }
}
