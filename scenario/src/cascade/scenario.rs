//! A topology of the problem `cascade` that has been checked.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::bucket::TokenBucket;
use super::images::ImageTable;
use super::instance::CascadeInstance;
use super::setting::Setting;
use super::stream::{ArrivalProcess, RingWalk};
use crate::checked::{Checked, NamesModel, kept_model, scenario_of, toml_of};
use crate::fault::{Fault, Place};
use crate::link::LinkPath;
use crate::scenario::trace_path;
use crate::topology::{
    CascadeClock, CascadeExpect, CascadePolicySpec, CascadeTopology, Edge, Pictures, Problem,
};
use crate::validate::validate_cascade;

/// A validated topology of the problem `cascade`; what all of them have is in [`Checked`]. Reading the same files gives the same scenario.
#[derive(Debug, Clone)]
pub struct CascadeScenario {
    pub(crate) checked: Checked<CascadeTopology>,
    /// Images to learn from.
    pub(crate) train: ImageTable,
    /// Images of the trials.
    pub(crate) test: ImageTable,
    pub(crate) bucket: TokenBucket,
    pub(crate) edge: EdgeNode,
    /// None where nothing is emulated.
    pub(crate) link: Option<LinkPath>,
    /// Where the topology file names the folders of pictures and of classifiers.
    pub(crate) picture_places: [Place; 2],
}

scenario_of!(
    CascadeScenario,
    CascadeTopology,
    CascadePolicySpec,
    CascadeExpect,
    Problem::Cascade,
    validate_cascade
);

impl NamesModel for CascadePolicySpec {
    fn model(&self) -> Option<&String> {
        match self {
            CascadePolicySpec::Dqn(dqn) => dqn.model.as_ref(),
            _ => None,
        }
    }

    fn model_mut(&mut self) -> Option<&mut Option<String>> {
        match self {
            CascadePolicySpec::Dqn(dqn) => Some(&mut dqn.model),
            _ => None,
        }
    }
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
        toml_of(&topology)
    }

    /// Keys of `[edge]` that have no effect on a run with pictures, which are as large and take as long
    /// as they do.
    pub fn keys_without_effect(&self) -> Vec<&'static str> {
        if self.topology.pictures.is_none() {
            return Vec::new();
        }
        let (edge, left_out) = (&self.topology.edge, Edge::default());
        let given = [
            ("edge.image_kb", edge.image_kb != left_out.image_kb),
            ("edge.service_ms", edge.service_ms != left_out.service_ms),
        ];
        given.into_iter().filter_map(|(key, given)| given.then_some(key)).collect()
    }

    /// How many states each policy has to plan for: levels of the bucket, places of the stream and
    /// states of the arrivals; 0 for one that does not.
    pub fn planned_states(&self, spec: &CascadePolicySpec) -> u64 {
        match spec {
            CascadePolicySpec::Belief(plan) | CascadePolicySpec::HiddenState(plan) => {
                let arrivals = u64::from(self.topology.arrivals.kind() == "markov") + 1;
                arrivals * u64::from(plan.places) * (u64::from(self.bucket.depth) + 1)
            }
            _ => 0,
        }
    }

    /// The same for virtual time alone, which needs no pictures; `trace` is the name under which the
    /// trace is kept beside the text, and `model` gives that of the model of a policy.
    pub fn resolved_toml_for_sim(&self, trace: &str, model: impl Fn(&str) -> String) -> String {
        toml_of(&CascadeTopology { pictures: None, ..self.resolved(trace, model) })
    }

    fn resolved(&self, trace: &str, model: impl Fn(&str) -> String) -> CascadeTopology {
        let mut topology = self.checked.resolved(model);
        topology.sweep = None;
        trace.clone_into(&mut topology.trace.file);
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

    /// Length of each trial in images.
    pub fn images(&self) -> u64 {
        self.topology.images
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
