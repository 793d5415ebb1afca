//! Trained models in a sweep: those that points name, and those that are trained for points.

use std::path::{Path, PathBuf};

use fogbit_scenario::{Checked, NamesModel, ProblemTopology};

use super::dir::MODELS;
use super::plan::{PointPlan, sha256};
use crate::exit::{Exit, Failure};
use crate::results::write_whole;

/// So many digits of a digest are part of a name.
const DIGEST: usize = 12;

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
    Ok(sha256(&bytes)[..DIGEST].to_owned())
}

/// Where a sweep keeps the model that it has trained for a policy of a point.
fn model_of(point: &str, policy: &str) -> String {
    format!("{MODELS}/{point}-{policy}.safetensors")
}

/// Beside a model `file`: the digest of the point's topology and of the model, so that no other one is
/// taken for it.
pub fn digest_of(file: &str) -> String {
    format!("{file}.sha256")
}

/// The model of a policy of a point, which the sweep trains itself.
#[derive(Debug, Clone)]
pub struct TrainedModel {
    /// As the topology of the point names it.
    named: String,
    path: PathBuf,
    /// The digest of the point's topology.
    topology: String,
}

impl TrainedModel {
    /// That of `policy` at `point`, whose topology lies at `topology` in a folder of the sweep's.
    pub fn of(point: &PointPlan, policy: &str, topology: &Path) -> TrainedModel {
        let file = model_of(&point.point, policy);
        TrainedModel {
            named: format!("../{file}"),
            path: topology.with_file_name("..").join(file),
            topology: point.files.get("topology").cloned().unwrap_or_default(),
        }
    }

    /// The topology, with this for every policy that plays a model.
    pub fn named_in<T: ProblemTopology>(&self, topology: &T) -> T {
        let mut topology = topology.clone();
        for (_, spec) in topology.policies_mut() {
            if let Some(model) = spec.model_mut() {
                *model = Some(self.named.clone());
            }
        }
        // Those about other policies would not be understood.
        topology.expectations_mut().clear();
        topology
    }

    /// Whether it was trained already.
    ///
    /// # Errors
    /// If what is there is not what was trained.
    pub fn is_there(&self) -> Result<bool, Failure> {
        let Ok(bytes) = std::fs::read(&self.path) else { return Ok(false) };
        let digest = std::fs::read_to_string(self.digest_path()).unwrap_or_default();
        if digest == self.digest(&bytes) {
            return Ok(true);
        }
        Err(Failure::new(
            Exit::Failed,
            format!(
                "{} is not what this sweep has trained: delete it, and the same is trained anew",
                self.path.display()
            ),
        ))
    }

    /// Keeps it.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn keep(&self, bytes: &[u8]) -> Result<(), Failure> {
        // A digest without a model is nothing; a model without its digest would be refused.
        write_whole(&self.digest_path(), self.digest(bytes).as_bytes())
            .and_then(|()| write_whole(&self.path, bytes))
            .map_err(|error| {
                let message = format!("cannot write {}: {error}", self.path.display());
                Failure::new(Exit::Failed, message)
            })
    }

    fn digest(&self, bytes: &[u8]) -> String {
        sha256(format!("{} {}", self.topology, sha256(bytes)).as_bytes())
    }

    fn digest_path(&self) -> PathBuf {
        PathBuf::from(digest_of(&self.path.to_string_lossy()))
    }
}

/// The models that are trained before a point is played: those of its policies of `kinds` that learn for
/// which it names none.
pub fn trainings(point: &PointPlan, kinds: &[&str]) -> Vec<String> {
    // The name of another policy may begin like this one's.
    let is_model = |file: &str, policy: &str| {
        let rest = file.strip_prefix(&format!("{MODELS}/{policy}-"));
        let digest = rest.and_then(|rest| rest.strip_suffix(".safetensors"));
        digest.is_some_and(|digest| digest.len() == DIGEST && !digest.contains('-'))
    };
    let named = |policy: &str| point.files.keys().any(|file| is_model(file, policy));
    let learners = point.policies.iter().filter(|policy| kinds.contains(&policy.kind.as_str()));
    let untrained = learners.filter(|policy| !named(&policy.name));
    untrained.map(|policy| model_of(&point.point, &policy.name)).collect()
}
