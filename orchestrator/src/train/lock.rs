//! Files that one training at a time writes.

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Why a file cannot be had alone.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another training writes it.
    #[error("another training writes {}", .0.display())]
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

/// No other training writes a file as long as this lives. It is an empty file beside it, which is removed
/// at the end; one that a killed process left is in nobody's way.
#[derive(Debug)]
pub struct FileLock {
    path: PathBuf,
    _file: File,
}

impl FileLock {
    /// For the file `of`, a model, a checkpoint or a table, which need not be there.
    ///
    /// # Errors
    /// If another process has it, or the file cannot be made.
    pub fn new(of: &Path) -> Result<FileLock, LockError> {
        let mut path = of.as_os_str().to_owned();
        path.push(".lock");
        let path = PathBuf::from(path);
        let failed = |error| LockError::Write { path: path.clone(), error };
        loop {
            let mut options = File::options();
            let file =
                options.create(true).truncate(false).write(true).open(&path).map_err(failed)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Err(LockError::Busy(of.to_owned())),
                Err(TryLockError::Error(error)) => return Err(failed(error)),
            }
            // Whoever had it may have removed the file since it was opened.
            let own = file.metadata().map_err(failed)?;
            if fs::metadata(&path).is_ok_and(|found| found.ino() == own.ino()) {
                remove_parts(of);
                return Ok(FileLock { path, _file: file });
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
        let Some(rest) = found.strip_prefix(&start) else { continue };
        let number = rest.strip_suffix(".part").and_then(|number| number.parse::<u32>().ok());
        if rest == "part" || number.is_some() {
            let _ = fs::remove_file(entry.path());
        }
    }
}

impl Drop for FileLock {
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
        let first = FileLock::new(&path).unwrap();
        assert!(matches!(FileLock::new(&path), Err(LockError::Busy(of)) if of == path));
        drop(first);
        drop(FileLock::new(&path).unwrap());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        // What a killed process left; another file is in nobody's way.
        for own in ["lock", "part", "123.part", "mine.part"] {
            fs::write(dir.path().join(format!("m.checkpoint.{own}")), "").unwrap();
        }
        drop(FileLock::new(&path).unwrap());
        let left: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|own| own.unwrap()).collect();
        assert_eq!(left.len(), 1);
        assert_eq!(left[0].file_name(), "m.checkpoint.mine.part");
        let nowhere = FileLock::new(&dir.path().join("no/m.checkpoint"));
        assert!(matches!(nowhere, Err(LockError::Write { .. })));
    }
}
