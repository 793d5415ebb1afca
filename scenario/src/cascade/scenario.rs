//! A topology of the problem `cascade` that has been checked.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::bucket::TokenBucket;
use super::images::ImageTable;
use super::instance::CascadeInstance;
use super::setting::Setting;
use super::stream::{ArrivalProcess, RingWalk};
use crate::fault::{Fault, Faults, Place};
use crate::link::LinkPath;
use crate::placement::kept_model;
use crate::scenario::trace_path;
use crate::topology::document::TopologyFile;
use crate::topology::expect::Naming;
use crate::topology::{CascadeClock, CascadePolicySpec, CascadeTopology, Pictures, Problem};
use crate::validate::validate_cascade;

/// A validated topology of the problem `cascade`. Reading the same files gives the same scenario.
#[derive(Debug, Clone)]
pub struct CascadeScenario {
    pub(crate) topology: CascadeTopology,
    /// Images to learn from.
    pub(crate) train: ImageTable,
    /// Images of the trials.
    pub(crate) test: ImageTable,
    pub(crate) bucket: TokenBucket,
    pub(crate) edge: EdgeNode,
    /// None where nothing is emulated.
    pub(crate) link: Option<LinkPath>,
    pub(crate) path: PathBuf,
    /// Where the topology file names the models of policies, by policy.
    pub(crate) model_places: BTreeMap<String, Place>,
    /// Where it names the folders of pictures and of classifiers.
    pub(crate) picture_places: [Place; 2],
}

/// The helper node with the strong classifier.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EdgeNode {
    /// Its name.
    pub name: String,
    /// Images that it classifies at once.
    pub workers: u32,
    /// Images that may wait.
    pub queue_limit: u32,
    /// Bytes of an image where there are no pictures.
    pub image_bytes: u64,
    /// How long it takes for an image where there are no pictures, in nanoseconds.
    pub service_ns: u64,
}

impl CascadeScenario {
    /// Checks a topology file of the problem `cascade`, and reads its trace.
    ///
    /// # Errors
    /// Everything that is wrong, with places.
    pub fn from_file(file: &TopologyFile) -> Result<CascadeScenario, Faults> {
        let (topology, places) = file.parse_as(Problem::Cascade)?;
        validate_cascade(topology, &places, file.path())
    }

    /// As [`from_file`](Self::from_file), for somebody who is about to train models: those that the
    /// file names need not be there, and the scenario names none.
    ///
    /// # Errors
    /// Everything else that is wrong, with places.
    pub fn for_training(file: &TopologyFile) -> Result<CascadeScenario, Faults> {
        let (mut topology, places): (CascadeTopology, _) = file.parse_as(Problem::Cascade)?;
        for spec in topology.policies.values_mut() {
            if let CascadePolicySpec::Dqn(dqn) = spec {
                dqn.model = None;
            }
        }
        validate_cascade(topology, &places, file.path())
    }

    /// Checks a topology that was made by a program; `path` names it and is what relative paths
    /// within it start from. Places in faults are those of its text.
    ///
    /// # Errors
    /// Everything that is wrong.
    pub fn from_topology(
        topology: &CascadeTopology,
        path: &Path,
    ) -> Result<CascadeScenario, Faults> {
        let text = toml::to_string_pretty(topology).expect("a topology can be written as TOML");
        CascadeScenario::from_file(&TopologyFile::from_text(path, text))
    }

    /// A fault of the model of the policy called `policy`, underlined where the file names it.
    pub fn model_fault(&self, policy: &str, fault: Fault) -> Fault {
        let place = self.model_places.get(policy).cloned().map(Box::new);
        Fault { place, ..fault }
    }

    /// The topology with every default filled in.
    pub fn topology(&self) -> &CascadeTopology {
        &self.topology
    }

    /// The topology with every default filled in, as TOML, as a results directory keeps it: trace and
    /// models are named as they are kept beside it ([`kept_trace`](Self::kept_trace),
    /// [`kept_model`]), pictures by their full paths. Expectations about policies that were not kept
    /// are left out: with them the text could not be read again. So is `[sweep]`, which is not played.
    pub fn resolved_toml(&self) -> String {
        let mut topology = self.resolved(self.kept_trace(), kept_model);
        if let Some(pictures) = &mut topology.pictures {
            for folder in [&mut pictures.from, &mut pictures.classifiers] {
                let path = trace_path(&self.path, folder);
                let path = std::path::absolute(&path).unwrap_or(path);
                *folder = path.to_string_lossy().into_owned();
            }
        }
        toml::to_string_pretty(&topology).expect("a topology can be written as TOML")
    }

    /// The same for virtual time alone, which needs no pictures; `trace` is the name under which the
    /// trace is kept beside the text, and `model` gives that of the model of a policy.
    pub fn resolved_toml_for_sim(&self, trace: &str, model: impl Fn(&str) -> String) -> String {
        let topology = CascadeTopology { pictures: None, ..self.resolved(trace, model) };
        toml::to_string_pretty(&topology).expect("a topology can be written as TOML")
    }

    fn resolved(&self, trace: &str, model: impl Fn(&str) -> String) -> CascadeTopology {
        let mut topology = self.topology.clone();
        let known = |name: &str| self.topology.policies.contains_key(name);
        topology.expectations.retain(|expect| expect.names_only(known));
        topology.sweep = None;
        topology.trace.file = trace.to_owned();
        for (name, spec) in &mut topology.policies {
            if let CascadePolicySpec::Dqn(dqn) = spec
                && let Some(file) = &mut dqn.model
            {
                *file = model(name);
            }
        }
        topology
    }

    /// The trace file.
    pub fn trace_file(&self) -> PathBuf {
        trace_path(&self.path, &self.topology.trace.file)
    }

    /// The name under which a results directory keeps the trace.
    pub fn kept_trace(&self) -> &'static str {
        if self.topology.trace.file.to_lowercase().ends_with(".gz") {
            "trace.csv.gz"
        } else {
            "trace.csv"
        }
    }

    /// The pictures with their folders as paths: idx files, and classifiers.
    pub fn pictures(&self) -> Option<(PathBuf, PathBuf)> {
        let Pictures { from, classifiers } = self.topology.pictures.as_ref()?;
        Some((trace_path(&self.path, from), trace_path(&self.path, classifiers)))
    }

    /// Whether the folders of the pictures are there, and the classifiers in theirs. Only runs over
    /// processes need them: a scenario is valid without, so that its results can be read elsewhere.
    ///
    /// # Errors
    /// If something is missing, with its place.
    pub fn check_pictures(&self) -> Result<(), Fault> {
        let Some((from, classifiers)) = self.pictures() else { return Ok(()) };
        let [from_place, classifiers_place] = self.picture_places.clone().map(Box::new);
        let fault = |message: String, help: &str, place| {
            Err(Fault { place: Some(place), ..Fault::new(message).help(help) })
        };
        if !from.is_dir() {
            let message = format!("there is no folder {}", from.display());
            let help = "the folder with the idx files of Fashion-MNIST, relative to this file; with \
                        `--backend sim` no pictures are needed";
            return fault(message, help, from_place);
        }
        for name in ["weak.safetensors", "strong.safetensors"] {
            let file = classifiers.join(name);
            if !file.is_file() {
                let message = format!("there is no classifier {}", file.display());
                let help = "the folder that `fogbit train classifiers` wrote, relative to this file; \
                            with `--backend sim` no pictures are needed";
                return fault(message, help, classifiers_place);
            }
        }
        Ok(())
    }

    /// The model files that policies name: name of the policy, and path.
    pub fn model_files(&self) -> Vec<(&str, PathBuf)> {
        self.policies()
            .filter_map(|(name, spec)| match spec {
                CascadePolicySpec::Dqn(dqn) => {
                    dqn.model.as_ref().map(|model| (name, trace_path(&self.path, model)))
                }
                _ => None,
            })
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

    /// Length of each trial in images.
    pub fn images(&self) -> u64 {
        self.topology.images
    }

    /// The seeds of the run, in the order in which they are run.
    pub fn seeds(&self) -> Vec<u64> {
        self.topology.seeds.to_vec()
    }

    /// The images of the trials.
    pub fn test(&self) -> &ImageTable {
        &self.test
    }

    /// The token bucket.
    pub fn bucket(&self) -> TokenBucket {
        self.bucket
    }

    /// The helper node.
    pub fn edge(&self) -> &EdgeNode {
        &self.edge
    }

    /// The link over a trial, in slots; none where nothing is emulated.
    pub fn link(&self) -> Option<&LinkPath> {
        self.link.as_ref()
    }

    /// How gaps come about.
    pub fn arrivals(&self) -> ArrivalProcess {
        ArrivalProcess::new(&self.topology.arrivals)
    }

    /// What a policy may know beforehand.
    pub fn setting(&self) -> Setting {
        Setting {
            images: self.train.clone(),
            walk: RingWalk::new(&self.topology.stream, self.train.rows().len() as u32),
            trial_images: self.test.rows().len() as u32,
            arrivals: self.arrivals(),
            bucket: self.bucket,
        }
    }

    /// The policies that are compared, by name.
    pub fn policies(&self) -> impl Iterator<Item = (&str, &CascadePolicySpec)> {
        self.topology.policies.iter().map(|(name, spec)| (name.as_str(), spec))
    }

    /// Keeps only the policies whose name `wanted` accepts. Expectations about others stay, and are
    /// reported as not evaluated.
    pub fn keep_policies(&mut self, wanted: impl Fn(&str) -> bool) {
        self.topology.policies.retain(|name, _| wanted(name));
    }

    /// Whether time is real.
    pub fn is_wall(&self) -> bool {
        matches!(self.topology.clock, CascadeClock::Wall(_))
    }

    /// Length of a slot and the time after which an answer is given up, in nanoseconds; none in
    /// virtual time.
    pub fn wall_ns(&self) -> Option<(u64, u64)> {
        match &self.topology.clock {
            CascadeClock::Wall(wall) => {
                Some((wall.slot.0.as_nanos() as u64, wall.timeout.0.as_nanos() as u64))
            }
            CascadeClock::Slot(_) => None,
        }
    }

    /// Derives all keys under `seed`.
    pub fn instance(&self, seed: u64) -> CascadeInstance {
        CascadeInstance::new(self, seed)
    }
}
