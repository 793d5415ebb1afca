//! Sites in virtual time.

use fogbit_scenario::pipeline::{Application, ApplicationFate, Conditions, Measured};

use super::trial::PipelineFog;
use crate::trial::TrialError;

/// Sites at which every application is done: how long that takes says the model, by which the
/// orchestrator judges placements itself.
#[derive(Debug, Clone, Copy, Default)]
pub struct SimSites;

impl PipelineFog for SimSites {
    async fn run(
        &mut self,
        _number: u64,
        _application: &Application,
        _conditions: &Conditions,
        _placement: &[u8],
    ) -> Result<(ApplicationFate, Option<Measured>), TrialError> {
        Ok((ApplicationFate::Done, None))
    }
}
