//! Teacher, student and distilled student from few labels to many.

use std::collections::BTreeMap;
use std::io;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use fogbit_scenario::pipeline::PipelineScenario;
use fogbit_scenario::topology::{DistilledPipeline, PipelineTraining};
use rayon::prelude::*;

use super::fit::{Lesson, PipelineTrainError, Teaching, train};
use super::judge::Judge;
use super::labels::{Examples, LabelError, LabelSet, Part};
use super::learn::Trainee;
use super::origin::Origin;
use super::rows::Rows;
use super::table::{LabelRow, MODELS};
use crate::results::read::ReadError;

/// What is swept.
#[derive(Debug, Clone)]
pub struct SweepPlan<'s> {
    /// Where applications come from.
    pub scenario: &'s PipelineScenario,
    /// The student, with its teacher.
    pub student: &'s DistilledPipeline,
    /// Numbers of labels.
    pub labels: Vec<u32>,
    /// Seeds of labels and training.
    pub seeds: Vec<u64>,
    /// The least number of rows that a training goes through, however few labels there are; with
    /// fewer than its epochs come to, there are more epochs.
    pub least_rows: u64,
    /// Applications by which all are judged.
    pub judged: u64,
}

/// Why a sweep came to no end.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// A training came to nothing.
    #[error("{labels} labels, seed {seed}: {error}")]
    Train {
        /// With so many labels.
        labels: u32,
        /// And this seed.
        seed: u64,
        /// Why.
        error: PipelineTrainError,
    },
    /// There is nothing to judge networks by.
    #[error("the applications by which networks are judged: {0}")]
    Judge(LabelError),
    /// Somebody asked to stop.
    #[error("the sweep was stopped")]
    Stopped,
    /// The file cannot be read or written.
    #[error("{} cannot be {what}: {error}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// `read` or `written`.
        what: &'static str,
        /// Why.
        error: io::Error,
    },
    /// The file holds something else.
    #[error(transparent)]
    Other(#[from] ReadError),
}

impl SweepPlan<'_> {
    /// How `training` goes with so many labels of this seed.
    fn training(&self, training: &PipelineTraining, labels: u32, seed: u64) -> PipelineTraining {
        let least = self.least_rows.div_ceil(u64::from(labels)) as u32;
        PipelineTraining { seed, labels, epochs: training.epochs.max(least), ..training.clone() }
    }

    /// Trains and judges the three networks of so many labels.
    fn point(
        &self,
        rows: &Rows,
        (labels, seed): (u32, u64),
        judge: &Judge,
        stop: &AtomicBool,
    ) -> Result<Vec<LabelRow>, PipelineTrainError> {
        let origin = Origin::of(self.scenario);
        let watch = |_: &_| match stop.load(Ordering::Relaxed) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        };
        let student = Trainee::Distilled(self.student);
        let teacher = Trainee::Imitation(&self.student.teacher);
        let mut teaching: Option<Teaching> = None;
        let mut found = Vec::new();
        for model in MODELS {
            let own = if model == "teacher" { teacher } else { student };
            let training = self.training(own.training(), labels, seed);
            let from = teaching.as_ref().filter(|_| model == "distilled");
            let (count, hidden) = (labels as usize, own.hidden());
            let lesson = Lesson { rows, count, training: &training, hidden, teaching: from };
            let net = Arc::new(train(&lesson, &origin, watch)?);
            let judged = judge.net(&net);
            found.push(LabelRow {
                labels: u64::from(labels),
                seed,
                model: model.into(),
                delay_ratio: judged.delay_ratio,
                label_accuracy: judged.label_accuracy,
                exact_match: judged.exact_match,
            });
            if model == "teacher" {
                let DistilledPipeline { temperature, alpha, .. } = *self.student;
                teaching = Some(Teaching { teacher: net, temperature, alpha });
            }
        }
        Ok(found)
    }

    /// Whether `row` is one of this sweep.
    pub fn has(&self, row: &LabelRow) -> bool {
        self.seeds.contains(&row.seed)
            && self.labels.iter().any(|labels| u64::from(*labels) == row.labels)
    }

    /// Numbers of labels and seeds of which `rows` lacks a model; each seed with its numbers.
    fn missing(&self, rows: &[LabelRow]) -> Vec<(u64, Vec<u32>)> {
        let has = |labels: u32, seed: u64| {
            MODELS.iter().all(|model| {
                let same = |row: &&LabelRow| (row.labels, row.seed) == (labels.into(), seed);
                rows.iter().filter(same).any(|row| row.model == *model)
            })
        };
        let of = |seed: &u64| {
            let labels = self.labels.iter().copied().filter(|labels| !has(*labels, *seed));
            (*seed, labels.collect::<Vec<u32>>())
        };
        self.seeds.iter().map(of).filter(|(_, labels)| !labels.is_empty()).collect()
    }
}

/// Plays what is missing of a sweep in `known`, over the cores, and gives all of its rows, by labels, seed
/// and model. After each point `keep` is given all rows that there are, in this order, with those of
/// `known` that are none of this sweep.
///
/// # Errors
/// If a training comes to nothing, `stop` is set, or `keep` fails.
pub fn sweep(
    plan: &SweepPlan<'_>,
    known: Vec<LabelRow>,
    stop: &AtomicBool,
    keep: impl Fn(&[LabelRow]) -> Result<(), SweepError> + Sync,
) -> Result<Vec<LabelRow>, SweepError> {
    let stopped = |error: LabelError| match error {
        LabelError::Stopped => SweepError::Stopped,
        error => SweepError::Judge(error),
    };
    let judge_seed = plan.student.train.seed;
    let judge = Judge::new(plan.scenario, judge_seed, plan.judged, stop).map_err(stopped)?;
    let missing = plan.missing(&known);
    let all = Mutex::new(BTreeMap::new());
    let add = |rows: Vec<LabelRow>| {
        let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
        for row in rows {
            let place = MODELS.iter().position(|model| *model == row.model);
            all.insert((row.labels, row.seed, place), row);
        }
        // Still locked: nobody keeps fewer rows after more.
        keep(&all.values().cloned().collect::<Vec<LabelRow>>())
    };
    add(known)?;
    // The longest first, so that no core is left with one at the end.
    let mut points: Vec<(u32, u64)> = missing
        .iter()
        .flat_map(|(seed, labels)| labels.iter().map(|labels| (*labels, *seed)))
        .collect();
    points.sort_by_key(|(labels, seed)| (std::cmp::Reverse(*labels), *seed));
    points.into_par_iter().with_max_len(1).try_for_each(|(labels, seed)| {
        let failed = |error| match error {
            PipelineTrainError::Stopped => SweepError::Stopped,
            error => SweepError::Train { labels, seed, error },
        };
        let examples = Examples::new(plan.scenario, seed, Part::Training);
        let set = LabelSet::make(&examples, labels.into(), stop, |_| ());
        let rows = set.and_then(|set| Rows::new(plan.scenario, seed, &set));
        let rows = rows.map_err(|error| failed(error.into()))?;
        add(plan.point(&rows, (labels, seed), &judge, stop).map_err(failed)?)
    })?;
    let all = all.into_inner().unwrap_or_else(PoisonError::into_inner).into_values();
    Ok(all.filter(|row| plan.has(row)).collect())
}
