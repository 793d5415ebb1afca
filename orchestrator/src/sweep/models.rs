//! Trained models in a sweep: those that points name, and those that are trained for points.

use std::path::Path;

use fogbit_scenario::{Checked, ProblemTopology};

use super::dir::MODELS;
use super::plan::{PointPlan, sha256};
use crate::exit::{Exit, Failure};

/// The names under which the models of a point are kept. All points keep theirs in one folder, so that
/// they have to tell what is in them.
#[derive(Debug, Clone)]
pub struct KeptModels(Vec<(String, String)>);

impl KeptModels {
    /// Of the models that `scenario` names.
    ///
    /// # Errors
    /// If one cannot be read.
    pub fn of<T: ProblemTopology>(scenario: &Checked<T>) -> Result<KeptModels, Failure> {
        let named = scenario.model_files().into_iter().map(|(policy, path)| {
            let file = format!("{MODELS}/{policy}-{}.safetensors", content(&path)?);
            Ok((policy.to_owned(), file))
        });
        Ok(KeptModels(named.collect::<Result<_, Failure>>()?))
    }

    /// The name of the model of `policy`; empty where it names none.
    pub fn model(&self, policy: &str) -> String {
        let found = self.0.iter().find(|(name, _)| name == policy);
        found.map_or_else(String::new, |(_, file)| file.clone())
    }
}

/// The first digits of the SHA-256 of a file.
///
/// # Errors
/// If it cannot be read.
pub fn content(path: &Path) -> Result<String, Failure> {
    let bytes = std::fs::read(path).map_err(|error| {
        Failure::new(Exit::Usage, format!("cannot read {}: {error}", path.display()))
    })?;
    Ok(sha256(&bytes)[..12].to_owned())
}

/// Where a sweep keeps the model that it has trained for a policy of a point.
pub fn model_of(point: &str, policy: &str) -> String {
    format!("{MODELS}/{point}-{policy}.safetensors")
}

/// The models that are trained before a point is played: those of its policies of a kind that learns
/// for which it names none.
pub fn trainings(point: &PointPlan, kind: &str) -> Vec<String> {
    let named = |policy: &str| {
        let start = format!("{MODELS}/{policy}-");
        point.files.keys().any(|file| file.starts_with(&start))
    };
    let learners = point.policies.iter().filter(|policy| policy.kind == kind);
    let untrained = learners.filter(|policy| !named(&policy.name));
    untrained.map(|policy| model_of(&point.point, &policy.name)).collect()
}
