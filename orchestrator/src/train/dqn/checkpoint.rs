//! Checkpoints of a training in a file, with a digest of their own.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use fogbit_neural::{Checkpoint, LoadError, ModelFault, SaveError};
use sha2::{Digest, Sha256};

/// The entry of the metadata with the digest of everything else.
const DIGEST: &str = "sha256";

/// Why a checkpoint is of no use.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// It is not there, or is none.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// It is not what was written.
    #[error("the checkpoint {} is damaged: its digest is not that of its content", .0.display())]
    Damaged(PathBuf),
}

/// Writes a checkpoint to `path`, in the stead of what was there.
///
/// # Errors
/// If a number is not finite or the file cannot be written; what was there is there still then.
pub fn save_checkpoint(mut checkpoint: Checkpoint, path: &Path) -> Result<(), SaveError> {
    checkpoint.metadata.remove(DIGEST);
    let digest = digest(&checkpoint).map_err(SaveError::Model)?;
    checkpoint.metadata.insert(DIGEST.into(), digest);
    checkpoint.save(path)
}

/// Reads a checkpoint, which has to be what was written, to the last bit.
///
/// # Errors
/// If it is not there, is no checkpoint, or is damaged.
pub fn load_checkpoint(path: &Path) -> Result<Checkpoint, CheckpointError> {
    let mut checkpoint = Checkpoint::load(path)?;
    let told = checkpoint.metadata.remove(DIGEST);
    match digest(&checkpoint) {
        Ok(right) if told.as_deref() == Some(&right) => Ok(checkpoint),
        _ => Err(CheckpointError::Damaged(path.to_owned())),
    }
}

/// The digest of a checkpoint without one, as its file would be.
fn digest(checkpoint: &Checkpoint) -> Result<String, ModelFault> {
    let bytes = Sha256::digest(checkpoint.to_bytes()?);
    Ok(bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    }))
}
