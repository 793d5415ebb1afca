//! What every topology has that was checked, whatever its problem; each problem's scenario holds one
//! of these, and its own besides.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use indexmap::IndexMap;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::fault::{Fault, Faults, Place};
use crate::scenario::trace_path;
use crate::topology::document::TopologyFile;
use crate::topology::places::{Places, way};
use crate::topology::{Naming, Problem, Seeds};

/// The topology file of some problem, as far as problems are alike.
pub trait ProblemTopology: Clone + Serialize + DeserializeOwned {
    /// Which problem it is.
    const PROBLEM: Problem;
    /// A policy, with its parameters.
    type Policy: NamesModel;
    /// An expectation.
    type Expect: Naming;

    /// The seeds of the run.
    fn seeds(&self) -> &Seeds;

    /// The policies by name.
    fn policies(&self) -> &IndexMap<String, Self::Policy>;

    /// The same, to change them.
    fn policies_mut(&mut self) -> &mut IndexMap<String, Self::Policy>;

    /// What the run is expected to show.
    fn expectations_mut(&mut self) -> &mut Vec<Self::Expect>;
}

/// A policy that may name the file of a trained model.
pub trait NamesModel {
    /// The file, relative to the topology file; none where no file is named.
    fn model(&self) -> Option<&String>;

    /// Where a policy of this kind names it; none where it has no model.
    fn model_mut(&mut self) -> Option<&mut Option<String>>;
}

/// Where a results directory keeps the model of the policy called `policy`.
pub fn kept_model(policy: &str) -> String {
    format!("models/{policy}.safetensors")
}

/// A topology without mistakes, and where it was read.
#[derive(Debug, Clone)]
pub struct Checked<T> {
    pub(crate) topology: T,
    pub(crate) path: PathBuf,
    /// Where the topology file names the models of policies, by policy.
    model_places: BTreeMap<String, Place>,
    clock_place: Place,
}

impl<T: ProblemTopology> Checked<T> {
    /// `topology` without mistakes. What is wrong with a model is found by whoever reads it.
    pub(crate) fn new(topology: T, places: &Places<'_>, path: &Path) -> Checked<T> {
        let named = topology.policies().iter().filter(|(_, spec)| spec.model().is_some());
        let place = |name: &String| places.of(&way!["policies", name, "model"]);
        let model_places = named.map(|(name, _)| (name.clone(), place(name))).collect();
        let clock_place = places.of(&way!["clock", "kind"]);
        Checked { topology, path: path.to_owned(), model_places, clock_place }
    }

    /// The topology with every default filled in.
    pub fn topology(&self) -> &T {
        &self.topology
    }

    /// The topology as a results directory keeps it, in which models have the names that `kept` gives
    /// them there ([`kept_model`]); the problem's own files are still named as they were. Expectations
    /// about policies that were not kept are left out: with them the text could not be read again.
    pub(crate) fn resolved(&self, kept: impl Fn(&str) -> String) -> T {
        let mut topology = self.topology.clone();
        let known = |name: &str| self.topology.policies().contains_key(name);
        topology.expectations_mut().retain(|expect| expect.names_only(known));
        for (name, spec) in topology.policies_mut() {
            if let Some(Some(model)) = spec.model_mut() {
                *model = kept(name);
            }
        }
        topology
    }

    /// A fault of the model of the policy called `policy`, underlined where the file names it.
    pub fn model_fault(&self, policy: &str, fault: Fault) -> Fault {
        let place = self.model_places.get(policy).cloned().map(Box::new);
        Fault { place, ..fault }
    }

    /// A fault of the clock, underlined where the file says how time passes.
    pub fn clock_fault(&self, fault: Fault) -> Fault {
        Fault { place: Some(Box::new(self.clock_place.clone())), ..fault }
    }

    /// The model files that policies name: name of the policy, and path.
    pub fn model_files(&self) -> Vec<(&str, PathBuf)> {
        self.policies()
            .filter_map(|(name, spec)| Some((name, trace_path(&self.path, spec.model()?))))
            .collect()
    }

    /// The folder of the topology file, from which the paths within it start.
    pub fn folder(&self) -> PathBuf {
        trace_path(&self.path, "")
    }

    /// A short name for the run: the file name of the topology without its ending.
    pub fn name(&self) -> String {
        self.path.file_stem().map_or("run".into(), |stem| stem.to_string_lossy().into_owned())
    }

    /// The seeds of the run, in the order in which they are run.
    pub fn seeds(&self) -> Vec<u64> {
        self.topology.seeds().to_vec()
    }

    /// The policies that are compared, by name.
    pub fn policies(&self) -> impl Iterator<Item = (&str, &T::Policy)> {
        self.topology.policies().iter().map(|(name, spec)| (name.as_str(), spec))
    }

    /// Keeps only the policies whose name `wanted` accepts. Expectations about others stay, and are
    /// reported as not evaluated.
    pub fn keep_policies(&mut self, wanted: impl Fn(&str) -> bool) {
        self.topology.policies_mut().retain(|name, _| wanted(name));
    }
}

/// Reads a topology file for somebody who is about to train models: those that it names need not be
/// there, and the topology names none.
pub(crate) fn without_models<T: ProblemTopology>(
    file: &TopologyFile,
) -> Result<(T, Places<'_>), Faults> {
    let (mut topology, places): (T, _) = file.parse_as(T::PROBLEM)?;
    for model in topology.policies_mut().values_mut().filter_map(NamesModel::model_mut) {
        *model = None;
    }
    Ok((topology, places))
}

/// The text of a topology that was made by a program; `path` names it and is what relative paths
/// within it start from.
pub(crate) fn as_file(topology: &impl ProblemTopology, path: &Path) -> TopologyFile {
    TopologyFile::from_text(path, toml_of(topology))
}

/// The text of a topology.
pub(crate) fn toml_of(topology: &impl Serialize) -> String {
    toml::to_string_pretty(topology).expect("a topology can be written as TOML")
}

/// Makes a scenario of what problems have alike: it is read from a file by `$validate`, and lends what
/// is in its field `checked`. The topology's policies, seeds and expectations are fields of these names.
macro_rules! scenario_of {
    ($scenario:ident, $topology:ident, $policy:ty, $expect:ty, $problem:expr, $validate:path) => {
        impl $crate::checked::ProblemTopology for $topology {
            const PROBLEM: $crate::topology::Problem = $problem;
            type Policy = $policy;
            type Expect = $expect;

            fn seeds(&self) -> &$crate::topology::Seeds {
                &self.seeds
            }

            fn policies(&self) -> &indexmap::IndexMap<String, $policy> {
                &self.policies
            }

            fn policies_mut(&mut self) -> &mut indexmap::IndexMap<String, $policy> {
                &mut self.policies
            }

            fn expectations_mut(&mut self) -> &mut Vec<$expect> {
                &mut self.expectations
            }
        }

        impl std::ops::Deref for $scenario {
            type Target = $crate::checked::Checked<$topology>;

            fn deref(&self) -> &Self::Target {
                &self.checked
            }
        }

        impl std::ops::DerefMut for $scenario {
            fn deref_mut(&mut self) -> &mut Self::Target {
                &mut self.checked
            }
        }

        impl $scenario {
            /// Checks a topology file of this problem, and reads the traces that it names.
            ///
            /// # Errors
            /// Everything that is wrong, with places.
            pub fn from_file(
                file: &$crate::TopologyFile,
            ) -> Result<$scenario, $crate::fault::Faults> {
                let (topology, places) = file.parse_as($problem)?;
                $validate(topology, &places, file.path())
            }

            /// As [`from_file`](Self::from_file), for somebody who is about to train models: those
            /// that the file names need not be there, and the scenario names none.
            ///
            /// # Errors
            /// Everything else that is wrong, with places.
            pub fn for_training(
                file: &$crate::TopologyFile,
            ) -> Result<$scenario, $crate::fault::Faults> {
                let (topology, places) = $crate::checked::without_models(file)?;
                $validate(topology, &places, file.path())
            }

            /// Checks a topology that was made by a program; `path` names it and is what relative
            /// paths within it start from. Places in faults are those of its text.
            ///
            /// # Errors
            /// Everything that is wrong.
            pub fn from_topology(
                topology: &$topology,
                path: &std::path::Path,
            ) -> Result<$scenario, $crate::fault::Faults> {
                <$scenario>::from_file(&$crate::checked::as_file(topology, path))
            }
        }
    };
}
pub(crate) use scenario_of;
