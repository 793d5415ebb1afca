//! One trial: observe, decide, run, learn, record, task after task.

use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};

use fogbit_policy::placement::{OraclePolicy, PlacementPolicy};
use fogbit_scenario::placement::{
    Execution, PlacementInstance, Shadows, Site, SiteSight, Step, Task, TaskDraws,
};

use crate::trial::{TrialEnd, TrialError};

/// All sites, wherever they are: the task node itself and the helper nodes.
pub trait PlacementFog {
    /// Begins `slot`: changes of links take effect, and whoever has to know is told. Called once a
    /// slot, in order.
    fn begin(&mut self, slot: u64) -> impl Future<Output = Result<(), TrialError>>;

    /// Measures what is to be measured before the decision of `slot`, and writes what the task node
    /// sees of each site into `sights`, in the order of [`Site::index`]. It takes no time of the
    /// task.
    fn observe(
        &mut self,
        slot: u64,
        sights: &mut [SiteSight],
    ) -> impl Future<Output = Result<(), TrialError>>;

    /// Runs `task` at `site` and waits until it is done, or known never to be. A task that is
    /// refused or times out is no error but a [`Fate`](fogbit_scenario::placement::Fate).
    fn run(
        &mut self,
        slot: u64,
        task: &Task,
        site: Site,
    ) -> impl Future<Output = Result<Execution, TrialError>>;

    /// Waits between the end of the task of `slot`, with its shadows, and the next slot.
    fn rest(&mut self, slot: u64) -> impl Future<Output = Result<(), TrialError>>;
}

/// Who is told what happened.
pub trait PlacementRecorder {
    /// Takes note of one slot. Slots come in order, and all of them.
    fn record(&mut self, step: &Step) -> impl Future<Output = Result<(), TrialError>>;
}

/// Who knows how long tasks truly take, for the policy `oracle`. Nobody else asks.
pub trait PlacementOracle {
    /// Replaces the contents of `expected` by the seconds that `task` is expected to take at each
    /// site in `slot`, with the true state of everything.
    fn expected_s(
        &mut self,
        slot: u64,
        task: &Task,
        expected: &mut Vec<f64>,
    ) -> impl Future<Output = Result<(), TrialError>>;
}

/// For trials whose policy decides by itself.
#[derive(Debug, Clone, Copy)]
pub enum NoPlacementOracle {}

impl PlacementOracle for NoPlacementOracle {
    async fn expected_s(
        &mut self,
        _slot: u64,
        _task: &Task,
        _expected: &mut Vec<f64>,
    ) -> Result<(), TrialError> {
        match *self {}
    }
}

/// The truth, where it is in this process.
#[derive(Debug, Clone)]
pub struct InstanceOracle(pub PlacementInstance);

impl PlacementOracle for InstanceOracle {
    async fn expected_s(
        &mut self,
        slot: u64,
        task: &Task,
        expected: &mut Vec<f64>,
    ) -> Result<(), TrialError> {
        self.0.expected_into(slot, task, expected);
        Ok(())
    }
}

/// Who decides.
pub enum PlacementDecider<O> {
    /// A policy that sees what a task node sees.
    Policy(Box<dyn PlacementPolicy>),
    /// The policy `oracle`, with whom to ask.
    Oracle(O),
}

impl<O> std::fmt::Debug for PlacementDecider<O> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            PlacementDecider::Policy(_) => "PlacementDecider::Policy",
            PlacementDecider::Oracle(_) => "PlacementDecider::Oracle",
        })
    }
}

impl<O: PlacementOracle> PlacementDecider<O> {
    /// The site of the task of the step, whose predictions are written into it.
    async fn decide(&mut self, step: &mut Step) -> Result<Site, TrialError> {
        match self {
            PlacementDecider::Policy(policy) => {
                let site = policy.decide(step.slot, &step.task, &step.sights);
                step.predicted_s.clear();
                step.predicted_s.extend_from_slice(policy.predictions());
                Ok(site)
            }
            PlacementDecider::Oracle(oracle) => {
                oracle.expected_s(step.slot, &step.task, &mut step.predicted_s).await?;
                Ok(OraclePolicy::choose(&step.predicted_s))
            }
        }
    }

    fn learn(&mut self, step: &Step) {
        if let PlacementDecider::Policy(policy) = self {
            policy.learn(step.slot, &step.task, &step.sights, &step.execution);
        }
    }
}

/// What is played.
#[derive(Debug)]
pub struct PlacementTrial {
    /// The tasks.
    pub tasks: TaskDraws,
    /// The slots whose tasks are tried at all sites, if any are.
    pub shadow: Option<Shadows>,
    /// Number of sites: the task node and the helper nodes.
    pub sites: usize,
    /// The last slot.
    pub slots: u64,
}

impl PlacementTrial {
    /// Plays the slots from 1 on, or until `stop` is set.
    ///
    /// # Errors
    /// The first error of the fog or the recorder, or a choice that there is not; the trial is then
    /// void from that slot on.
    pub async fn play<F, O, R>(
        &mut self,
        fog: &mut F,
        decider: &mut PlacementDecider<O>,
        recorder: &mut R,
        stop: &AtomicBool,
    ) -> Result<TrialEnd, TrialError>
    where
        F: PlacementFog,
        O: PlacementOracle,
        R: PlacementRecorder,
    {
        let mut step = Step::blank(self.sites);
        for slot in 1..=self.slots {
            if stop.load(Ordering::Relaxed) {
                return Ok(TrialEnd::Stopped(slot - 1));
            }
            step.slot = slot;
            step.task = self.tasks.task(slot);
            fog.begin(slot).await?;
            fog.observe(slot, &mut step.sights).await?;
            let site = decider.decide(&mut step).await?;
            if site.index() >= self.sites {
                let (node, nodes) = (site.index() - 1, self.sites - 1);
                return Err(TrialError::NoSuchNode { slot, node, nodes });
            }
            step.execution = fog.run(slot, &step.task, site).await?;
            decider.learn(&step);
            self.shadows(fog, &mut step).await?;
            recorder.record(&step).await?;
            fog.rest(slot).await?;
        }
        Ok(TrialEnd::Complete)
    }

    /// Tries the task at all other sites, one after the other, if this slot is one for that.
    async fn shadows<F: PlacementFog>(
        &mut self,
        fog: &mut F,
        step: &mut Step,
    ) -> Result<(), TrialError> {
        step.shadows.clear();
        let Some(shadow) = &mut self.shadow else { return Ok(()) };
        if !shadow.include(step.slot) {
            return Ok(());
        }
        for site in (0..self.sites).map(Site::at).filter(|site| *site != step.execution.site) {
            step.shadows.push(fog.run(step.slot, &step.task, site).await?);
        }
        Ok(())
    }
}
