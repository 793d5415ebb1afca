//! Checkpoints of a training that one may want to go on with.

use std::path::{Path, PathBuf};

use fogbit_neural::{Checkpoint, SaveError};

use crate::exit::{Failure, tell};
use crate::train::dqn::{CheckpointError, DqnTrainer, load_checkpoint, save_checkpoint};
use crate::train::lock::{FileLock, LockError};

/// Checkpoints in a training, unless it is said how often.
const CHECKPOINTS: u32 = 20;

/// Keeps checkpoints, or none where nothing is to be written.
pub(super) struct Keeper {
    path: Option<PathBuf>,
    every: u32,
    /// Held as long as checkpoints are kept.
    lock: Option<FileLock>,
}

impl Keeper {
    /// Keeps them in `checkpoint`, or else beside the model `out`, `every` so many iterations of
    /// `iterations`.
    pub(super) fn new(
        checkpoint: Option<&Path>,
        out: Option<&Path>,
        every: Option<u32>,
        iterations: u32,
    ) -> Keeper {
        let beside = |out: &Path| {
            let mut path = out.as_os_str().to_owned();
            path.push(".checkpoint");
            PathBuf::from(path)
        };
        Keeper {
            path: checkpoint.map(PathBuf::from).or_else(|| out.map(beside)),
            every: every.unwrap_or(iterations.div_ceil(CHECKPOINTS)),
            lock: None,
        }
    }

    /// Where to go on from, if that is wanted. One that is there is not overwritten unless by
    /// `force`. From here on nobody else keeps checkpoints there.
    pub(super) fn resumed(
        &mut self,
        wanted: bool,
        force: bool,
        out: Option<&Path>,
    ) -> Result<Option<Checkpoint>, Failure> {
        if self.path.is_some() && self.path.as_deref() == out {
            let message = "--checkpoint and --out are one file";
            return Err(Failure::usage(message).help("a checkpoint is removed at the end"));
        }
        if let Some(path) = &self.path {
            self.lock = Some(FileLock::new(path).map_err(|error| {
                let help = match error {
                    LockError::Busy(_) => "wait for its end, or --checkpoint with another file",
                    _ => "checkpoints are kept beside the model, or where --checkpoint says",
                };
                Failure::usage(error).help(help)
            })?);
        }
        match (&self.path, wanted) {
            (None, true) => Err(Failure::usage("--resume: from which checkpoint?")
                .help("--out with the model of the training that was interrupted")),
            (Some(path), true) => match load_checkpoint(path) {
                Ok(checkpoint) => Ok(Some(checkpoint)),
                Err(CheckpointError::Damaged(_)) => Err(damaged(path)),
                Err(error) => Err(Failure::usage(format!("--resume: {error}")).help(
                    "a checkpoint that `fogbit train dqn` left; to begin anew delete it, or --force \
                     without --resume",
                )),
            },
            (Some(path), false) if path.exists() && !is_ours(path) => {
                let message = format!("{} is there, and is no checkpoint", path.display());
                Err(Failure::usage(message).help("--checkpoint with another file"))
            }
            (Some(path), false) if path.exists() && !force => {
                if load_checkpoint(path).is_err() {
                    return Err(damaged(path));
                }
                let message = format!("there is a checkpoint {}", path.display());
                Err(Failure::usage(message)
                    .help("--resume goes on from it, --force begins the training anew"))
            }
            _ => Ok(None),
        }
    }

    /// Whether one is to be kept after so many iterations.
    pub(super) fn is_due(&self, iteration: u32) -> bool {
        iteration.is_multiple_of(self.every)
    }

    /// Keeps where `trainer` stands, in the stead of what was kept.
    pub(super) fn keep(&self, trainer: &DqnTrainer) -> Result<(), SaveError> {
        match &self.path {
            Some(path) => save_checkpoint(trainer.checkpoint(), path),
            None => Ok(()),
        }
    }

    /// The training is over.
    pub(super) fn forget(&self) {
        if let Some(path) = &self.path {
            // Where it cannot be removed the next training will say that it is there.
            let _ = std::fs::remove_file(path);
        }
    }

    /// Says how one could go on.
    pub(super) fn say_where(&self) {
        match &self.path {
            Some(path) => tell(format_args!(
                "interrupted: --resume goes on from the checkpoint {}",
                path.display()
            )),
            None => tell(format_args!("interrupted: nothing was written")),
        }
    }
}

/// Whether what lies at `path` may be written over: it is a checkpoint, or what is left of one.
fn is_ours(path: &Path) -> bool {
    path.extension().is_some_and(|end| end == "checkpoint") || Checkpoint::load(path).is_ok()
}

/// A checkpoint that is not what was written.
fn damaged(path: &Path) -> Failure {
    Failure::usage(CheckpointError::Damaged(path.to_owned()))
        .help("delete it, or --force without --resume: the training begins anew then")
}
