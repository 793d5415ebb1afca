//! A whole training, judged now and then.

use std::ops::ControlFlow;
use std::sync::Arc;

use fogbit_neural::Checkpoint;
use fogbit_policy::cascade::DqnModel;
use fogbit_scenario::cascade::Setting;
use fogbit_scenario::topology::DqnTraining;

use super::referee::{Referee, Verdict};
use super::trainer::{DqnTrainError, DqnTrainer};

/// How often a policy is judged in a training.
const VERDICTS: u32 = 20;
/// Before so many iterations a policy that does always the same is nothing to worry about.
const EARLIEST: u32 = 100;

/// How far a training is.
#[derive(Debug, Clone, PartialEq)]
pub struct DqnProgress<'t> {
    /// Iterations that are done.
    pub iteration: u32,
    /// Mean loss of the last one.
    pub loss: f64,
    /// How the policy does, where it was judged after this iteration.
    pub verdict: Option<Verdict>,
    /// Average losses of others on the same stream.
    pub rivals: &'t [(&'static str, f64)],
}

/// A trained network and how its policy does.
#[derive(Debug, Clone)]
pub struct TrainedDqn {
    /// The model.
    pub model: Arc<DqnModel>,
    /// The bytes of its file.
    pub bytes: Vec<u8>,
    /// How its policy does.
    pub verdict: Verdict,
    /// Average losses of others on the same stream.
    pub rivals: Vec<(&'static str, f64)>,
}

/// Trains a network for `setting`, from the beginning or from where a checkpoint stands. `watch` is
/// told of each iteration, and may end the training. The same setting and parameters give the same
/// bytes on one host.
///
/// # Errors
/// If the loss stops being finite, the policy does always the same after a twentieth of the iterations
/// and still after another, `from` is of another training, or `watch` asked to stop.
pub fn train(
    setting: &Setting,
    how: &DqnTraining,
    from: Option<Checkpoint>,
    mut watch: impl FnMut(&DqnTrainer, &DqnProgress<'_>) -> ControlFlow<()>,
) -> Result<TrainedDqn, DqnTrainError> {
    let mut trainer = DqnTrainer::new(setting, how, from)?;
    let referee = Referee::new(setting, how.seed);
    let every = how.iterations.div_ceil(VERDICTS);
    let mut suspected = false;
    while trainer.done() < how.iterations {
        let loss = trainer.iterate()?;
        let iteration = trainer.done();
        let mut verdict = None;
        if iteration.is_multiple_of(every) {
            let own = referee.judge(Arc::new(trainer.model()?));
            match own.degenerate {
                Some(does) if suspected => {
                    return Err(DqnTrainError::Degenerate { iteration, does });
                }
                found => suspected = found.is_some() && iteration >= EARLIEST,
            }
            verdict = Some(own);
        }
        let progress = DqnProgress { iteration, loss, verdict, rivals: referee.rivals() };
        if watch(&trainer, &progress).is_break() && iteration < how.iterations {
            return Err(DqnTrainError::Stopped);
        }
    }
    let model = Arc::new(trainer.model()?);
    let bytes = model.to_bytes()?;
    let verdict = referee.judge(Arc::clone(&model));
    Ok(TrainedDqn { model, bytes, verdict, rivals: referee.rivals().to_vec() })
}
