//! A topology that has been checked: everything a run needs, nothing that can be wrong.

use std::path::{Path, PathBuf};

use crate::deadline::Scales;
use crate::event::{Change, Event};
use crate::fault::Faults;
use crate::feedback::FeedbackModel;
use crate::instance::Instance;
use crate::link::LinkPath;
use crate::rules::{Presence, TrialRules};
use crate::topology::document::TopologyFile;
use crate::topology::expect::Naming;
use crate::topology::{
    Clock, Cqi, Drift, Features, Feedback, FullScale, KeptFile, PolicySpec, Queue, Range,
    RunLength, Topology, WallClock, Weights,
};
use crate::trace::Trace;
use crate::validate::validate;

/// A validated topology with its traces read. Reading the same file gives the same scenario.
#[derive(Debug, Clone)]
pub struct Scenario {
    pub(crate) topology: Topology,
    pub(crate) trace: Option<Trace>,
    pub(crate) helpers: Vec<Helper>,
    pub(crate) links: Vec<LinkPath>,
    pub(crate) events: Vec<Event>,
    pub(crate) features: usize,
    pub(crate) path: PathBuf,
}

/// A helper node with nothing left to default.
#[derive(Debug, Clone, PartialEq)]
pub struct Helper {
    /// Its name.
    pub name: String,
    /// Where its weights come from; with a deadline it has none, and they are all 0.
    pub weights: Weights,
    /// How they drift.
    pub drift: Drift,
    /// Its CPU frequency in GHz; a fixed one has `min == max`.
    pub cpu_frequency_ghz: Range,
    /// Its channel quality.
    pub cqi: Cqi,
    /// Its queue.
    pub queue: Queue,
}

impl Scenario {
    /// Checks a topology file and reads the traces it names.
    ///
    /// # Errors
    /// Everything that is wrong, with places.
    pub fn from_file(file: &TopologyFile) -> Result<Scenario, Faults> {
        let (topology, places) = file.parse()?;
        validate(topology, &places, file.path())
    }

    /// The topology with every default filled in.
    pub fn topology(&self) -> &Topology {
        &self.topology
    }

    /// The topology with every default filled in, as TOML. A trace is named by its file name
    /// alone: it is meant to lie beside this text. So are the files of external policies.
    /// Expectations about policies that were not kept are left out: with them the text could not be
    /// read again.
    pub fn resolved_toml(&self) -> String {
        let mut topology = self.topology.clone();
        let known = |name: &str| self.topology.policies.contains_key(name);
        topology.expectations.retain(|expect| expect.names_only(known));
        topology.sweep = None;
        if let crate::topology::Features::Trace(trace) = &mut topology.features
            && let Some(name) = Path::new(&trace.path).file_name()
        {
            trace.path = name.to_string_lossy().into_owned();
        }
        for spec in topology.policies.values_mut() {
            if let PolicySpec::External(program) = spec {
                *program = program.beside_kept_files(&self.folder());
            }
        }
        toml::to_string_pretty(&topology).expect("a topology can be written as TOML")
    }

    /// The file of the trace, if the features come from one.
    pub fn trace_file(&self) -> Option<PathBuf> {
        match &self.topology.features {
            crate::topology::Features::Trace(trace) => Some(trace_path(&self.path, &trace.path)),
            crate::topology::Features::Model(_) => None,
        }
    }

    /// The files of external policies; they too are meant to lie beside the resolved text.
    pub fn policy_files(&self) -> Vec<KeptFile> {
        let folder = self.folder();
        self.policies()
            .filter_map(|(_, spec)| match spec {
                PolicySpec::External(program) => Some(program.kept_files(&folder)),
                _ => None,
            })
            .flatten()
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

    /// Length of each trial.
    pub fn length(&self) -> RunLength {
        self.topology.slots
    }

    /// The last slot of each trial; the largest number where trials are endless.
    pub fn last_slot(&self) -> u64 {
        self.topology.slots.last_slot()
    }

    /// Number of helper nodes N.
    pub fn nodes(&self) -> usize {
        self.helpers.len()
    }

    /// Number of features d.
    pub fn features(&self) -> usize {
        self.features
    }

    /// How many of the features say nothing; they are the last.
    pub fn noise_features(&self) -> usize {
        match &self.topology.features {
            crate::topology::Features::Model(model) => model.noise as usize,
            crate::topology::Features::Trace(_) => self.trace.as_ref().map_or(0, Trace::noise),
        }
    }

    /// Who is there in which slot, and when bits are learnt.
    pub fn rules(&self) -> TrialRules {
        let schedule = self.events.iter().filter_map(|event| match event.change {
            Change::Presence { node, present } => {
                Some(Presence { at: event.at, node: node as u32, present })
            }
            Change::Weights { .. } | Change::Link { .. } => None,
        });
        let mut schedule: Vec<Presence> = schedule.collect();
        // Who joins first is away until then.
        for node in 0..self.helpers.len() as u32 {
            let first = schedule.iter().position(|presence| presence.node == node);
            if first.is_some_and(|first| schedule[first].present) {
                schedule.insert(0, Presence { at: 1, node, present: false });
            }
        }
        TrialRules { delay_slots: self.topology.feedback.delay_slots(), schedule }
    }

    /// The helper nodes.
    pub fn helpers(&self) -> &[Helper] {
        &self.helpers
    }

    /// The link to each helper node over a trial; empty where nothing is emulated.
    pub fn links(&self) -> &[LinkPath] {
        &self.links
    }

    /// What changes while a trial goes on, in the order of the slots.
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// The trace the features come from, if any.
    pub fn trace(&self) -> Option<&Trace> {
        self.trace.as_ref()
    }

    /// The seeds, in the order in which they are run.
    pub fn seeds(&self) -> Vec<u64> {
        self.topology.seeds.to_vec()
    }

    /// How time passes.
    pub fn clock(&self) -> &Clock {
        &self.topology.clock
    }

    /// How many slots ahead helper nodes announce their states; in real time they look nowhere.
    pub fn lookahead(&self) -> u32 {
        match &self.topology.clock {
            Clock::Slot(clock) => clock.lookahead,
            Clock::Wall(_) => 0,
        }
    }

    /// The wall clock, if real time passes.
    pub fn wall_clock(&self) -> Option<&WallClock> {
        match &self.topology.clock {
            Clock::Wall(wall) => Some(wall),
            Clock::Slot(_) => None,
        }
    }

    /// The policies by name, in the order of the file.
    pub fn policies(&self) -> impl Iterator<Item = (&str, &PolicySpec)> {
        self.topology.policies.iter().map(|(name, spec)| (name.as_str(), spec))
    }

    /// Keeps only the policies whose name `wanted` accepts. Expectations about others stay, and are
    /// reported as not evaluated.
    pub fn keep_policies(&mut self, wanted: impl Fn(&str) -> bool) {
        self.topology.policies.retain(|name, _| wanted(name));
    }

    /// Whether some queue depends on the policy's own choices: regret is then measured on each
    /// policy's own path, and reward is to be compared beside it.
    pub fn depends_on_choices(&self) -> bool {
        self.trace.is_none() && self.helpers.iter().any(|h| matches!(h.queue, Queue::Fifo(_)))
    }

    /// The feature of a raw value at full scale: `1 / sqrt(d)`, so that `||x|| <= 1`.
    pub fn unit(&self) -> f64 {
        1.0 / libm::sqrt(self.features as f64)
    }

    /// How helper nodes answer.
    pub fn feedback(&self) -> FeedbackModel {
        self.topology.feedback.model(self.scales())
    }

    /// Whether helper nodes have hidden weights: with a deadline there are none.
    pub fn has_weights(&self) -> bool {
        !matches!(self.topology.feedback, Feedback::Deadline(_))
    }

    /// The raw values that features of 1 stand for; with features from a trace nobody knows them.
    fn scales(&self) -> Scales {
        let full = match &self.topology.features {
            Features::Model(model) => model.full_scale.clone(),
            Features::Trace(_) => FullScale::default(),
        };
        let unit = self.unit();
        Scales {
            bytes: full.length_kb * 1000.0 / unit,
            cycles: full.complexity_cycles / unit,
            queue: 1.0 / unit,
            gigahertz: full.cpu_frequency_ghz / unit,
        }
    }

    /// Draws the hidden truth of `seed` and derives all keys.
    pub fn instance(&self, seed: u64) -> Instance {
        Instance::new(self, seed)
    }
}

/// A trace's path, which is written relative to its topology file.
pub(crate) fn trace_path(topology: &Path, trace: &str) -> PathBuf {
    topology.parent().unwrap_or(Path::new("")).join(trace)
}
