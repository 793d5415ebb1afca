//! The results directory: never overwritten, never half written, explains itself.

mod curves;
mod manifest;
pub mod pairs;
pub mod read;
pub mod summary;

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

pub use curves::{Over, Point, curve_file, points_csv, write_curves};
pub use manifest::{Host, LAYOUT, Manifest, RunStatus, file_time};

/// The folder of a suite's experiments, each of which is a results directory.
pub const EXPERIMENTS: &str = "experiments";

/// A results directory of this run.
#[derive(Debug, Clone)]
pub struct ResultsDir {
    path: PathBuf,
}

/// Why results cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum ResultsError {
    /// The directory is there already.
    #[error("the results directory {0} exists already")]
    Exists(PathBuf),
    /// A file or folder cannot be written.
    #[error("cannot write {path}: {error}")]
    Write {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
}

impl ResultsDir {
    /// Makes a new directory with its folders.
    ///
    /// # Errors
    /// If it exists or cannot be made.
    pub fn create(path: &Path) -> Result<ResultsDir, ResultsError> {
        let failed = |path: &Path, error| ResultsError::Write { path: path.to_owned(), error };
        if let Some(parent) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
            fs::create_dir_all(parent).map_err(|error| failed(parent, error))?;
        }
        // `create_dir` decides between two runs that want the same name.
        fs::create_dir(path).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => ResultsError::Exists(path.to_owned()),
            _ => failed(path, error),
        })?;
        for folder in ["decisions", "logs"] {
            let folder = path.join(folder);
            fs::create_dir(&folder).map_err(|error| failed(&folder, error))?;
        }
        Ok(ResultsDir { path: path.to_owned() })
    }

    /// Makes a new directory `base/name-time`, with a number behind it if need be.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn create_unique(base: &Path, name: &str, time: &str) -> Result<ResultsDir, ResultsError> {
        let mut attempt = 1;
        loop {
            let suffix = if attempt == 1 { String::new() } else { format!("-{attempt}") };
            match ResultsDir::create(&base.join(format!("{name}-{time}{suffix}"))) {
                Err(ResultsError::Exists(_)) if attempt < 1000 => attempt += 1,
                other => return other,
            }
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The folder of the processes' logs.
    pub fn logs(&self) -> PathBuf {
        self.path.join("logs")
    }

    /// Writes a whole file: under another name first, so that it is never seen half written. Its folder
    /// is made if need be.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&self, name: &str, content: &[u8]) -> Result<(), ResultsError> {
        let path = self.path.join(name);
        if let Some(folder) = path.parent().filter(|folder| **folder != *self.path) {
            fs::create_dir_all(folder)
                .map_err(|error| ResultsError::Write { path: folder.to_owned(), error })?;
        }
        write_whole(&path, content).map_err(|error| ResultsError::Write { path, error })
    }

    /// Writes over a file where there is no room for another beside it. Where even that fails there
    /// is nothing left to do.
    pub fn overwrite(&self, name: &str, content: &[u8]) {
        if self.write(name, content).is_err() {
            let _ = fs::write(self.path.join(name), content);
        }
    }

    /// The decision file of a trial, to be written row by row.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn decisions(&self, policy: &str, seed: u64) -> io::Result<Box<dyn Write + Send>> {
        let path = self.path.join("decisions").join(decision_file(policy, seed));
        Ok(Box::new(BufWriter::with_capacity(1 << 16, File::create_new(path)?)))
    }
}

/// Name of a trial's decision file.
pub fn decision_file(policy: &str, seed: u64) -> String {
    format!("{policy}-{seed}.csv")
}

/// Writes a file under another name and moves it into place.
///
/// # Errors
/// If it cannot be written; nothing is left behind then.
pub fn write_whole(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    let part = path.with_file_name(name);
    let written = File::create(&part)
        .and_then(|mut file| file.write_all(content).and_then(|()| file.sync_data()))
        .and_then(|()| fs::rename(&part, path));
    if written.is_err() {
        let _ = fs::remove_file(&part);
    }
    written
}
