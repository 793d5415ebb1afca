//! The models of a run: read where the topology names them, and kept in the results directory.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use fogbit_scenario::{Checked, Fault, Faults, ProblemTopology, kept_model};

use crate::exit::Failure;

/// The models that the topology names, by the name of the policy; `learners` are the policies that
/// need one, and `read` reads that of a policy from a file.
///
/// # Errors
/// Every model that cannot be used, at its place.
pub(super) fn read_all<'s, T: ProblemTopology, L: 's, M>(
    scenario: &'s Checked<T>,
    learners: impl Iterator<Item = (&'s str, &'s L)>,
    read: impl Fn(&str, &Path, &L) -> Result<M, Fault>,
) -> Result<BTreeMap<String, M>, Failure> {
    let mut faults = Vec::new();
    let mut models = BTreeMap::new();
    let files: BTreeMap<&str, PathBuf> = scenario.model_files().into_iter().collect();
    for (name, learner) in learners {
        let Some(path) = files.get(name) else { continue };
        match read(name, path, learner) {
            Ok(model) => {
                models.insert(name.to_owned(), model);
            }
            Err(fault) => faults.push(scenario.model_fault(name, fault)),
        }
    }
    if faults.is_empty() { Ok(models) } else { Err(Faults(faults).into()) }
}

/// Keeps models in the results directory `results`, each as [`kept_model`] names it, so that the run
/// can be repeated.
///
/// # Errors
/// Which file cannot be written, and why.
pub(super) fn keep<'m>(
    results: &Path,
    models: impl Iterator<Item = (&'m String, &'m [u8])>,
) -> Result<(), (PathBuf, io::Error)> {
    for (name, bytes) in models {
        let path = results.join(kept_model(name));
        let folder = path.parent().unwrap_or(results);
        std::fs::create_dir_all(folder)
            .and_then(|()| std::fs::write(&path, bytes))
            .map_err(|error| (path, error))?;
    }
    Ok(())
}
