//! Applications with their best placements.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

use fogbit_policy::pipeline::{BranchAndBound, Greedy, TooHard};
use fogbit_scenario::draw::{Key, Purpose};
use fogbit_scenario::pipeline::{Application, Conditions, CostTable, PipelineScenario};
use rayon::prelude::*;

use crate::exit::Exit;

/// Labels are made in pieces of so many, each in parallel over the cores.
pub const PIECE: u64 = 5_000;
/// So many are made one after the other on a core.
const AT_ONCE: usize = 64;
/// The site of a sub-task that an application has not.
const NONE: u8 = u8::MAX;

/// What a set of applications is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Networks are trained on it.
    Training,
    /// Networks are judged by it.
    Judging,
}

/// The applications that are drawn for a training, apart from those of any run.
#[derive(Debug, Clone)]
pub struct Examples<'s> {
    scenario: &'s PipelineScenario,
    applications: Key,
    conditions: Key,
}

impl<'s> Examples<'s> {
    /// Those of a training with `seed`.
    pub fn new(scenario: &'s PipelineScenario, seed: u64, part: Part) -> Examples<'s> {
        let number = match part {
            Part::Training => 0,
            Part::Judging => 1,
        };
        let key = Key::derive(seed, Purpose::TrainingApplications(number), 0);
        Examples { scenario, applications: key.child(0), conditions: key.child(1) }
    }

    /// Application `number`, from 1, and what it meets.
    pub fn example(&self, number: u64) -> (Application, Conditions) {
        let application = self.scenario.source().application(&self.applications, number);
        (application, self.scenario.condition_draws().conditions(&self.conditions, number))
    }

    /// The most sub-tasks of one.
    pub fn most(&self) -> usize {
        self.scenario.source().most_sub_tasks()
    }
}

/// Best placements of the first applications of a training, in their order; of several best ones the
/// first in lexicographic order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LabelSet {
    /// Most sub-tasks of an application.
    most: usize,
    /// The least delay of each, in nanoseconds.
    delays: Vec<u64>,
    /// `[application, sub-task]`; 255 beyond its sub-tasks.
    sites: Vec<u8>,
}

/// Why there are no labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LabelError {
    /// Somebody asked to stop.
    #[error("the making of labels was stopped")]
    Stopped,
    /// One cannot be found.
    #[error("application {0} of the training: {1}")]
    TooHard(u64, #[source] TooHard),
    /// A label that was read is none of these applications.
    #[error("label {0} is not the best placement of its application")]
    Wrong(u64),
}

impl LabelError {
    /// What a command ends with because of it.
    pub(crate) fn exit(self) -> Exit {
        match self {
            LabelError::Stopped => Exit::Interrupted,
            LabelError::TooHard(..) => Exit::Failed,
            LabelError::Wrong(_) => Exit::Usage,
        }
    }
}

impl LabelSet {
    /// None yet, of applications with up to `most` sub-tasks.
    pub fn new(most: usize) -> LabelSet {
        LabelSet { most, ..LabelSet::default() }
    }

    /// The labels of the first `count` examples, made in parallel over the cores. `watch` is told how
    /// many there are.
    ///
    /// # Errors
    /// If `stop` is set, or branch and bound gives up.
    pub fn make(
        examples: &Examples<'_>,
        count: u64,
        stop: &AtomicBool,
        mut watch: impl FnMut(u64),
    ) -> Result<LabelSet, LabelError> {
        let mut set = LabelSet::new(examples.most());
        while set.len() < count {
            let end = count.min(set.len() + PIECE);
            set.add(&LabelSet::piece(examples, set.len() + 1..end + 1, stop)?);
            watch(set.len());
        }
        Ok(set)
    }

    /// The labels of the examples with these numbers.
    ///
    /// # Errors
    /// If `stop` is set, or branch and bound gives up.
    pub(super) fn piece(
        examples: &Examples<'_>,
        numbers: Range<u64>,
        stop: &AtomicBool,
    ) -> Result<LabelSet, LabelError> {
        let numbers: Vec<u64> = numbers.collect();
        let made = numbers.par_chunks(AT_ONCE).map(|numbers| {
            let (mut greedy, mut search) = (Greedy::default(), BranchAndBound::default());
            let (mut table, mut known) = (CostTable::default(), Vec::new());
            let mut own = LabelSet::new(examples.most());
            for number in numbers {
                if stop.load(Ordering::Relaxed) {
                    return Err(LabelError::Stopped);
                }
                let (application, conditions) = examples.example(*number);
                table.fill(&application, &conditions);
                greedy.place(&application, &table, &mut known);
                let best = search.search(&application, &table, &known);
                let best = best.map_err(|error| LabelError::TooHard(*number, error))?;
                own.push(&best.placement, best.delay_ns);
            }
            Ok(own)
        });
        // Of several failures the first one is told, whichever came first.
        let made: Vec<Result<LabelSet, LabelError>> = made.collect();
        let made: Vec<LabelSet> = made.into_iter().collect::<Result<_, _>>()?;
        let mut piece = LabelSet::new(examples.most());
        made.iter().for_each(|own| piece.add(own));
        Ok(piece)
    }

    fn push(&mut self, placement: &[u8], delay_ns: u64) {
        self.delays.push(delay_ns);
        self.sites.extend_from_slice(placement);
        self.sites.resize(self.delays.len() * self.most, NONE);
    }

    fn add(&mut self, other: &LabelSet) {
        self.delays.extend_from_slice(&other.delays);
        self.sites.extend_from_slice(&other.sites);
    }

    /// How many there are.
    pub fn len(&self) -> u64 {
        self.delays.len() as u64
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.delays.is_empty()
    }

    /// Keeps the first `count`.
    pub(super) fn truncate(&mut self, count: u64) {
        self.delays.truncate(count as usize);
        self.sites.truncate(self.delays.len() * self.most);
    }

    /// The label of application `number`, from 1: the site of each of its sub-tasks.
    pub fn placement(&self, number: u64) -> &[u8] {
        let all = &self.sites[(number as usize - 1) * self.most..][..self.most];
        &all[..all.iter().position(|site| *site == NONE).unwrap_or(self.most)]
    }

    /// The least delay of application `number`, from 1, in nanoseconds.
    pub fn delay_ns(&self, number: u64) -> u64 {
        self.delays[number as usize - 1]
    }

    /// How many bytes each has in a file.
    pub(super) fn bytes_each(&self) -> usize {
        8 + self.most
    }

    /// The bytes of a file: of each the delay as 8 bytes, little endian, and a byte for each sub-task.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.delays.len() * self.bytes_each());
        for (delay, sites) in self.delays.iter().zip(self.sites.chunks_exact(self.most)) {
            bytes.extend(delay.to_le_bytes());
            bytes.extend(sites);
        }
        bytes
    }

    /// Adds what [`LabelSet::to_bytes`] wrote, as many whole ones as there are.
    pub(super) fn add_bytes(&mut self, bytes: &[u8]) {
        for own in bytes.chunks_exact(self.bytes_each()) {
            let (delay, sites) = own.split_first_chunk::<8>().expect("8 bytes and more");
            self.delays.push(u64::from_le_bytes(*delay));
            self.sites.extend_from_slice(sites);
        }
    }
}
