//! One trial: place, run, record, application after application.

use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};

use fogbit_policy::pipeline::{PipelinePolicy, Sight};
use fogbit_scenario::pipeline::{
    Application, ApplicationFate, ApplicationStep, Conditions, Measured, PipelineInstance,
};

use crate::trial::{TrialEnd, TrialError};

/// The sites, wherever they are.
pub trait PipelineFog {
    /// Has application `number` run under `placement`. Gives what became of it, and what was measured
    /// of that.
    fn run(
        &mut self,
        number: u64,
        application: &Application,
        conditions: &Conditions,
        placement: &[u8],
    ) -> impl Future<Output = Result<(ApplicationFate, Option<Measured>), TrialError>>;
}

/// Who is told what happened.
pub trait PipelineRecorder {
    /// Takes note of one application. They come in order, and all of them.
    fn record(&mut self, step: ApplicationStep) -> impl Future<Output = Result<(), TrialError>>;
}

/// Who has a policy place applications.
pub trait Placer {
    /// Writes where the sub-tasks run that `sight` shows, as [`PipelinePolicy::place`] does.
    fn place(
        &mut self,
        sight: &Sight<'_>,
        placement: &mut Vec<u8>,
    ) -> impl Future<Output = Result<(), TrialError>>;
}

impl Placer for dyn PipelinePolicy + '_ {
    async fn place(
        &mut self,
        sight: &Sight<'_>,
        placement: &mut Vec<u8>,
    ) -> Result<(), TrialError> {
        PipelinePolicy::place(self, sight, placement);
        Ok(())
    }
}

/// What is played.
#[derive(Debug)]
pub struct PipelineTrial<'i> {
    /// The applications.
    pub instance: &'i PipelineInstance,
}

impl PipelineTrial<'_> {
    /// Plays all applications, or until `stop` is set.
    ///
    /// # Errors
    /// The first error of the sites or the recorder, or of a policy that places a sub-task where it may
    /// not run; the trial is then void from that application on.
    pub async fn play<F, W, R>(
        &self,
        fog: &mut F,
        placer: &mut W,
        recorder: &mut R,
        stop: &AtomicBool,
    ) -> Result<TrialEnd, TrialError>
    where
        F: PipelineFog,
        W: Placer + ?Sized,
        R: PipelineRecorder,
    {
        let mut placement = Vec::new();
        for number in 1..=self.instance.applications {
            if stop.load(Ordering::Relaxed) {
                return Ok(TrialEnd::Stopped(number - 1));
            }
            let application = self.instance.application(number);
            let conditions = self.instance.conditions(number);
            let sight = Sight { number, application: &application, conditions: &conditions };
            placer.place(&sight, &mut placement).await?;
            if !application.allows(&placement) {
                let told = format!("application {number} cannot run under {placement:?}");
                return Err(TrialError::Order(told));
            }
            let (fate, measured) = fog.run(number, &application, &conditions, &placement).await?;
            let step = ApplicationStep {
                application: number,
                placement: placement.clone(),
                fate,
                measured,
            };
            recorder.record(step).await?;
        }
        Ok(TrialEnd::Complete)
    }
}
