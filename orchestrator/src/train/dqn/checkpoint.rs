//! Checkpoints of a training in a file: with a digest of their own, and for one training at a time.

use std::fmt::Write as _;
use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt;
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
    /// Another training keeps its checkpoints there.
    #[error("another training keeps its checkpoints in {}", .0.display())]
    Busy(PathBuf),
    /// Nothing can be written there.
    #[error("{} cannot be written: {error}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
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

/// Nobody else keeps checkpoints in a file as long as this lives. It is an empty file beside it, which
/// is removed at the end; one that a killed process left is in nobody's way.
#[derive(Debug)]
pub struct CheckpointLock {
    path: PathBuf,
    _file: File,
}

impl CheckpointLock {
    /// For the checkpoint `of`.
    ///
    /// # Errors
    /// If another process has it, or the file cannot be made.
    pub fn new(of: &Path) -> Result<CheckpointLock, CheckpointError> {
        let mut path = of.as_os_str().to_owned();
        path.push(".lock");
        let path = PathBuf::from(path);
        let failed = |error| CheckpointError::Write { path: path.clone(), error };
        loop {
            let mut options = File::options();
            let file =
                options.create(true).truncate(false).write(true).open(&path).map_err(failed)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Err(CheckpointError::Busy(of.to_owned())),
                Err(TryLockError::Error(error)) => return Err(failed(error)),
            }
            // Whoever had it may have removed the file since it was opened.
            let own = file.metadata().map_err(failed)?;
            if fs::metadata(&path).is_ok_and(|found| found.ino() == own.ino()) {
                remove_parts(of);
                return Ok(CheckpointLock { path, _file: file });
            }
        }
    }
}

/// Removes what processes left that were killed while they wrote `of`; nobody writes it now.
fn remove_parts(of: &Path) {
    let (Some(folder), Some(name)) = (of.parent(), of.file_name()) else { return };
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let start = format!("{}.", name.to_string_lossy());
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let found = entry.file_name().to_string_lossy().into_owned();
        let number = found.strip_prefix(&start).and_then(|rest| rest.strip_suffix(".part"));
        if number.is_some_and(|number| number.parse::<u32>().is_ok()) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

impl Drop for CheckpointLock {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time_and_nothing_is_left() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("m.checkpoint");
        let first = CheckpointLock::new(&path).unwrap();
        assert!(matches!(CheckpointLock::new(&path), Err(CheckpointError::Busy(of)) if of == path));
        drop(first);
        drop(CheckpointLock::new(&path).unwrap());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        // What a killed process left; another file is in nobody's way.
        for name in ["m.checkpoint.lock", "m.checkpoint.123.part", "m.checkpoint.mine.part"] {
            fs::write(dir.path().join(name), "").unwrap();
        }
        drop(CheckpointLock::new(&path).unwrap());
        let left: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|own| own.unwrap()).collect();
        assert_eq!(left.len(), 1);
        assert_eq!(left[0].file_name(), "m.checkpoint.mine.part");
        let nowhere = CheckpointLock::new(&dir.path().join("no/m.checkpoint"));
        assert!(matches!(nowhere, Err(CheckpointError::Write { .. })));
    }
}
