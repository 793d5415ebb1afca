//! The directory of a sweep: made once, or opened again to go on; in one process at a time.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::plan::{LAYOUT, SweepPlan, Unit};
use super::resolve::ResolvedPoint;
use crate::results::{Manifest, ResultsError, RunStatus, write_whole};

/// The file that says what the sweep is; it is written when everything that it names is there.
pub const PLAN_FILE: &str = "sweep.json";
/// The folder of models that the sweep has trained.
pub const MODELS: &str = "models";
/// Held as long as a process works in the directory; the lock goes with the process, the file stays.
const LOCK_FILE: &str = "lock";

/// The directory of a sweep or of a shard, locked.
#[derive(Debug)]
pub struct SweepDir {
    path: PathBuf,
    _lock: File,
}

/// Why a sweep's directory is of no use.
#[derive(Debug, thiserror::Error)]
pub enum DirError {
    /// It cannot be made or written.
    #[error(transparent)]
    Results(#[from] ResultsError),
    /// It is not there.
    #[error("there is no directory {0}")]
    Missing(PathBuf),
    /// It holds something else.
    #[error("{0} is not the directory of a sweep")]
    NoSweep(PathBuf),
    /// Another process works in it.
    #[error("another process works in {0}")]
    Busy(PathBuf),
    /// A file of it is not what it should be.
    #[error("{path}: {reason}")]
    Content {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

/// `manifest.json` of a sweep: the one file that differs between sweeps that are the same.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SweepManifest {
    /// As for a run.
    #[serde(flatten)]
    pub run: Manifest,
    /// What the directory holds: `sweep`, or `shard I/N`.
    pub part: String,
    /// How often it was resumed.
    pub resumed: u64,
}

impl SweepManifest {
    /// As it is written.
    pub fn to_json(&self) -> Vec<u8> {
        let mut json = serde_json::to_vec_pretty(self).expect("a manifest is plain data");
        json.push(b'\n');
        json
    }
}

fn failed(path: &Path, error: io::Error) -> DirError {
    ResultsError::Write { path: path.to_owned(), error }.into()
}

impl SweepDir {
    /// Makes a new directory with its folders.
    ///
    /// # Errors
    /// If it exists or cannot be made.
    pub fn create(path: &Path) -> Result<SweepDir, DirError> {
        if let Some(parent) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
            fs::create_dir_all(parent).map_err(|error| failed(parent, error))?;
        }
        fs::create_dir(path).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => ResultsError::Exists(path.to_owned()).into(),
            _ => failed(path, error),
        })?;
        SweepDir::lock(path)
    }

    /// Makes a new directory `base/name-time`, with a number behind it if need be.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn create_unique(base: &Path, name: &str, time: &str) -> Result<SweepDir, DirError> {
        let mut attempt = 1;
        loop {
            let suffix = if attempt == 1 { String::new() } else { format!("-{attempt}") };
            match SweepDir::create(&base.join(format!("{name}-{time}{suffix}"))) {
                Err(DirError::Results(ResultsError::Exists(_))) if attempt < 1000 => attempt += 1,
                other => return other,
            }
        }
    }

    /// Opens a directory to go on in it. Its plan is missing where it was stopped before that was
    /// written; nothing was played then.
    ///
    /// # Errors
    /// If it is no sweep's, or another process works in it.
    pub fn open(path: &Path) -> Result<(SweepDir, Option<SweepPlan>), DirError> {
        if !path.is_dir() {
            return Err(DirError::Missing(path.to_owned()));
        }
        let begun = path.join(LOCK_FILE).exists();
        let empty = || fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none());
        if !begun && !path.join(PLAN_FILE).exists() && !empty() {
            return Err(DirError::NoSweep(path.to_owned()));
        }
        let dir = SweepDir::lock(path)?;
        let plan = match path.join(PLAN_FILE).exists() {
            true => Some(read_plan(path)?),
            false => None,
        };
        Ok((dir, plan))
    }

    fn lock(path: &Path) -> Result<SweepDir, DirError> {
        let lock_path = path.join(LOCK_FILE);
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&lock_path)
            .map_err(|error| failed(&lock_path, error))?;
        match lock.try_lock() {
            Ok(()) => Ok(SweepDir { path: path.to_owned(), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(DirError::Busy(path.to_owned())),
            Err(TryLockError::Error(error)) => Err(failed(&lock_path, error)),
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a whole file; it is never seen half written.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&self, name: &str, content: &[u8]) -> Result<(), ResultsError> {
        let path = self.path.join(name);
        write_whole(&path, content).map_err(|error| ResultsError::Write { path, error })
    }

    /// Writes a unit's file. It is moved into place as a whole but not forced to the disk, which
    /// would take longer than many a unit: its own digest tells whether it survived a power cut.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write_unit(
        &self,
        plan: &SweepPlan,
        unit: Unit,
        bytes: &[u8],
    ) -> Result<(), ResultsError> {
        let path = self.path.join(plan.played.unit_file(unit));
        let part = path.with_extension("part");
        let written = fs::write(&part, bytes).and_then(|()| fs::rename(&part, &path));
        written.map_err(|error| {
            let _ = fs::remove_file(&part);
            ResultsError::Write { path, error }
        })
    }

    /// Writes what explains the sweep: folders, the points' topologies with what they need, and
    /// `sweep.json` at last.
    ///
    /// # Errors
    /// If something cannot be written.
    pub fn describe(&self, plan: &SweepPlan, points: &[ResolvedPoint]) -> Result<(), DirError> {
        self.folders(plan)?;
        for point in points {
            self.write(&point.plan.topology_file(), point.toml.as_bytes())?;
            for (source, name) in &point.files {
                self.copy_beside(source, name)?;
            }
        }
        self.write_plan(plan)
    }

    /// Copies the file `from`, which topologies name as `name`, beside them.
    ///
    /// # Errors
    /// If it cannot be read or written.
    pub fn copy_beside(&self, from: &Path, name: &str) -> Result<(), DirError> {
        let path = self.path.join("topologies").join(name);
        let folder = path.parent().unwrap_or(&self.path);
        let part = path.with_added_extension("part");
        // A copy keeps what may be run: an external program is one.
        let copied = fs::create_dir_all(folder)
            .and_then(|()| fs::copy(from, &part))
            .and_then(|_| fs::rename(&part, &path));
        copied.map_err(|error| {
            let _ = fs::remove_file(&part);
            failed(&path, error)
        })
    }

    /// Makes the folders that are not there.
    ///
    /// # Errors
    /// If one cannot be made.
    pub fn folders(&self, plan: &SweepPlan) -> Result<(), DirError> {
        let curves = plan.played.said().curves().iter().any(|own| own.file.starts_with("curves/"));
        let models = !plan.played.trainings().is_empty();
        let folders = ["topologies", "units"].into_iter().chain(curves.then_some("curves"));
        let folders = folders.chain(models.then_some(MODELS));
        for folder in folders {
            let folder = self.path.join(folder);
            fs::create_dir_all(&folder).map_err(|error| failed(&folder, error))?;
        }
        Ok(())
    }

    /// Takes away files that were being written when a process was killed.
    pub fn tidy(&self) {
        for folder in ["", "topologies", "units", "curves", MODELS] {
            let Ok(entries) = fs::read_dir(self.path.join(folder)) else { continue };
            let parts = entries.flatten().map(|entry| entry.path());
            for part in parts.filter(|path| path.extension().is_some_and(|e| e == "part")) {
                // One that cannot be taken away is in nobody's way but the next writer's, who says so.
                let _ = fs::remove_file(part);
            }
        }
    }

    /// Writes `sweep.json`.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write_plan(&self, plan: &SweepPlan) -> Result<(), DirError> {
        let mut json = serde_json::to_vec_pretty(plan).expect("a plan is plain data");
        json.push(b'\n');
        Ok(self.write(PLAN_FILE, &json)?)
    }

    /// Writes `manifest.json`; where the disk is full, over the one that is there.
    pub fn write_manifest(&self, manifest: &SweepManifest) {
        let json = manifest.to_json();
        if self.write("manifest.json", &json).is_err() {
            let _ = fs::write(self.path.join("manifest.json"), json);
        }
    }

    /// Writes the manifest at the end of work in this directory.
    pub fn end(&self, manifest: &mut SweepManifest, status: RunStatus, reason: Option<String>) {
        manifest.run.end(status, reason, true);
        self.write_manifest(manifest);
    }
}

/// Reads `sweep.json`.
///
/// # Errors
/// If it is missing or something else.
pub fn read_plan(dir: &Path) -> Result<SweepPlan, DirError> {
    let path = dir.join(PLAN_FILE);
    let text = fs::read(&path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound if dir.is_dir() => DirError::NoSweep(dir.to_owned()),
        io::ErrorKind::NotFound => DirError::Missing(dir.to_owned()),
        _ => DirError::Content { path: path.clone(), reason: error.to_string() },
    })?;
    /// What is known of a plan of any version.
    #[derive(Deserialize)]
    struct Any {
        layout: u32,
    }
    let content = |reason: String| DirError::Content { path: path.clone(), reason };
    let any: Any = serde_json::from_slice(&text).map_err(|error| content(error.to_string()))?;
    if any.layout != LAYOUT {
        let reason = format!("it has layout {}, not {LAYOUT}: another Fogbit made it", any.layout);
        return Err(content(reason));
    }
    let plan: SweepPlan =
        serde_json::from_slice(&text).map_err(|error| content(error.to_string()))?;
    if plan.digest != plan.played.digest() {
        let reason = "it was changed: its digest is not that of its content".into();
        return Err(DirError::Content { path, reason });
    }
    Ok(plan)
}

/// Reads `manifest.json` of a sweep, if it is one.
pub fn read_manifest(dir: &Path) -> Option<SweepManifest> {
    serde_json::from_slice(&fs::read(dir.join("manifest.json")).ok()?).ok()
}

/// Reads the resolved topologies and checks that they, and what lies beside them, are what the
/// plan says.
///
/// # Errors
/// If a file is missing or was changed.
pub fn read_topologies(dir: &Path, plan: &SweepPlan) -> Result<Vec<String>, DirError> {
    let mut texts = Vec::with_capacity(plan.played.points.len());
    let mut known = std::collections::BTreeMap::new();
    for point in &plan.played.points {
        let mut text = String::new();
        for (name, digest) in &point.files {
            let path = match name.as_str() {
                "topology" => dir.join(point.topology_file()),
                other => dir.join("topologies").join(other),
            };
            if known.get(&path) == Some(digest) {
                continue;
            }
            let content = |reason: String| DirError::Content { path: path.clone(), reason };
            let bytes = fs::read(&path).map_err(|error| content(error.to_string()))?;
            if super::plan::sha256(&bytes) != *digest {
                return Err(content("it is not what the sweep was begun with".into()));
            }
            if name == "topology" {
                text = String::from_utf8(bytes).map_err(|error| content(error.to_string()))?;
            }
            known.insert(path, digest.clone());
        }
        texts.push(text);
    }
    Ok(texts)
}
