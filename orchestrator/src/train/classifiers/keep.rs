//! The three files of a training, in one folder.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use fogbit_neural::ModelFault;

use super::fit::Trained;
use super::trace::write_trace;

/// The weak classifier.
pub const WEAK_FILE: &str = "weak.safetensors";
/// The strong classifier.
pub const STRONG_FILE: &str = "strong.safetensors";
/// The trace.
pub const TRACE_FILE: &str = "trace.csv.gz";
/// All of them.
pub const FILES: [&str; 3] = [WEAK_FILE, STRONG_FILE, TRACE_FILE];

/// Files could not be kept.
#[derive(Debug, thiserror::Error)]
pub enum KeepError {
    /// The place of the folder is taken by something else.
    #[error("{} is no folder", .0.display())]
    NoFolder(PathBuf),
    /// The folder is to lie in one that is not there.
    #[error("there is no folder {} to make it in", .0.display())]
    NoParent(PathBuf),
    /// There is such a file.
    #[error("{} is there already", .0.display())]
    Present(PathBuf),
    /// A weight is not finite.
    #[error(transparent)]
    Model(#[from] ModelFault),
    /// A file cannot be written.
    #[error("{} cannot be written: {error}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
}

/// Looks whether the files can be kept in `folder`, which is made later if it is not there, before
/// time is spent on them.
///
/// # Errors
/// If not; with `force` files that are there are no reason.
pub fn check_room(folder: &Path, force: bool) -> Result<(), KeepError> {
    if !folder.exists() {
        let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty());
        if let Some(parent) = parent.filter(|parent| !parent.is_dir()) {
            return Err(KeepError::NoParent(parent.to_owned()));
        }
        // Whether it can be made is found out now, not after the training.
        let tried = fs::create_dir(folder).and_then(|()| fs::remove_dir(folder));
        return tried.map_err(|error| KeepError::Write { path: folder.to_owned(), error });
    }
    if !folder.is_dir() {
        return Err(KeepError::NoFolder(folder.to_owned()));
    }
    for path in FILES.map(|name| folder.join(name)) {
        let found = fs::symlink_metadata(&path);
        if found.is_ok_and(|found| !force || !found.is_file()) {
            return Err(KeepError::Present(path));
        }
    }
    Ok(())
}

/// Writes the three files into `folder`: first all of them under other names, so that what is there
/// under their own names is whole.
///
/// # Errors
/// If one cannot be written; none is left behind then, but for those that were there before.
pub fn keep(trained: &Trained, folder: &Path) -> Result<(), KeepError> {
    let mut trace = Vec::new();
    let written = |path: &Path, error| KeepError::Write { path: path.to_owned(), error };
    write_trace(&trained.rows, &mut trace).map_err(|error| written(folder, error))?;
    let contents = [trained.weak.to_bytes()?, trained.strong.to_bytes()?, trace];
    let made = !folder.exists();
    if made {
        fs::create_dir(folder).map_err(|error| written(folder, error))?;
    }
    let part = |name: &str| folder.join(format!("{name}.{}.part", std::process::id()));
    let result = FILES
        .iter()
        .zip(&contents)
        .try_for_each(|(name, bytes)| {
            fs::write(part(name), bytes).map_err(|error| written(&folder.join(name), error))
        })
        .and_then(|()| {
            FILES.iter().try_for_each(|name| {
                let path = folder.join(name);
                fs::rename(part(name), &path).map_err(|error| written(&path, error))
            })
        });
    if result.is_err() {
        FILES.iter().for_each(|name| drop(fs::remove_file(part(name))));
        if made {
            let _ = fs::remove_dir(folder);
        }
    }
    result
}
