//! What the orchestrator is told in real time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use fogbit_policy::Policy;
use fogbit_transport::FrameSender;
use fogbit_transport::wire::{LiveStep, TrialReport};
use tokio::sync::Mutex;

use super::Punctuality;
use crate::trial::{Recorder, Step, TrialError};

/// The orchestrator is told at least this often.
const REPORT_EVERY: Duration = Duration::from_millis(100);
/// And of what the policy believes at least this often.
const ESTIMATES_EVERY: Duration = Duration::from_secs(1);

/// Tells the orchestrator what happened.
#[derive(Debug)]
pub(crate) struct LiveRecorder {
    send: Arc<Mutex<FrameSender>>,
    punctuality: Arc<Punctuality>,
    /// Nodes and features.
    shape: (usize, usize),
    steps: Vec<LiveStep>,
    through: u64,
    estimates: Vec<f64>,
    told: Instant,
    estimated: Option<Instant>,
}

impl LiveRecorder {
    /// Tells through `send`; `shape` is the number of nodes and of features.
    pub(crate) fn new(
        send: Arc<Mutex<FrameSender>>,
        punctuality: Arc<Punctuality>,
        shape: (usize, usize),
    ) -> LiveRecorder {
        LiveRecorder {
            send,
            punctuality,
            shape,
            steps: Vec::new(),
            through: 0,
            estimates: Vec::new(),
            told: Instant::now(),
            estimated: None,
        }
    }

    /// Tells what is not told yet.
    pub(crate) async fn tell(&mut self) -> Result<(), TrialError> {
        self.told = Instant::now();
        let (begun, late) = self.punctuality.take();
        let report = TrialReport::Live {
            steps: std::mem::take(&mut self.steps),
            through: self.through,
            begun,
            late,
            estimates: std::mem::take(&mut self.estimates),
        };
        self.send.lock().await.send(&report).await.map_err(TrialError::Orchestrator)
    }

    async fn tell_in_time(&mut self) -> Result<(), TrialError> {
        if self.told.elapsed() < REPORT_EVERY {
            return Ok(());
        }
        self.tell().await
    }

    /// Writes down what the policy believes, from time to time.
    fn estimate(&mut self, policy: Option<&dyn Policy>) {
        let Some(belief) = policy.and_then(|policy| policy.belief()) else { return };
        if self.estimated.is_some_and(|at| at.elapsed() < ESTIMATES_EVERY) {
            return;
        }
        self.estimated = Some(Instant::now());
        let (nodes, features) = self.shape;
        self.estimates.resize(nodes * features, 0.0);
        for (node, estimate) in self.estimates.chunks_exact_mut(features.max(1)).enumerate() {
            belief.estimate(node, estimate);
        }
    }
}

impl Recorder for LiveRecorder {
    async fn record(
        &mut self,
        step: Step<'_>,
        policy: Option<&dyn Policy>,
    ) -> Result<(), TrialError> {
        let Step { slot, node, outcome, .. } = step;
        self.steps.push(LiveStep { slot, node: node as u32, outcome });
        self.through = slot;
        self.estimate(policy);
        self.tell_in_time().await
    }

    async fn idle(&mut self, slot: u64) -> Result<(), TrialError> {
        self.through = slot;
        self.tell_in_time().await
    }
}
