//! Results, computed anew from the decision files by a separate path, and compared run with run.
//!
//! What is here shares with the rest what a seed means (the stream of images, which has tests of its
//! own) and the policies, which are asked again for every image. Bucket, losses, and everything that
//! is summed or counted from there on are written again, in the plainest way. Decision files of
//! `sim` hold the first images of a trial; from there on it is played again without them.

mod diff;
mod head;
mod sums;
mod told;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use fogbit_policy::cascade::CascadePolicy;
use fogbit_scenario::TopologyFile;
use fogbit_scenario::cascade::{Arrival, CascadeInstance, CascadeScenario, ImageRow, Sight};
use fogbit_scenario::kept_model;

pub use self::diff::diff;
use self::head::{check_beside, check_head};
use self::sums::Sums;
use self::told::{check_expectations, check_levels, check_policies};
use super::plan::keeps_to_bucket;
use super::policies::Policies;
use super::read::{self, Decision, ToldFate};
use super::summary::{CascadeSummary, TrialSummary};
use crate::exit::{Exit, Failure};
use crate::plan::Status;
use crate::results::read::ReadError;
use crate::verify::Compared;

const NO_DECISIONS: &str = "a run keeps a file for each trial in decisions/, unless it was made with \
                            --no-decisions; without it there is nothing to look at";
/// No more findings than this are told of one trial: the first says what is wrong.
const MOST_FINDINGS: usize = 3;

fn unreadable(error: &ReadError) -> Failure {
    Failure::new(Exit::Usage, error)
}

/// Whether two sums agree to 1e-9 of the larger, or of `scale`.
fn close(a: f64, b: f64, scale: f64) -> bool {
    (a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(scale)
}

/// Recomputes every trial of a results directory.
///
/// # Errors
/// If the directory cannot be read, or keeps no decisions.
pub fn verify(dir: &Path) -> Result<Compared, Failure> {
    let summary = read::summary(dir).map_err(|error| unreadable(&error))?;
    let mut file = TopologyFile::read(&dir.join("topology.toml"))?;
    let mut compared = Compared::default();
    // Parameters are those of the file, before anything is put into it.
    check_beside(dir, &summary, &CascadeScenario::from_file(&file)?, &mut compared)?;
    if !compared.findings.is_empty() {
        return Ok(compared);
    }
    for policy in &summary.policies {
        // What a run trained at its start it keeps; its topology still asks for the training.
        let model = kept_model(&policy.name);
        if dir.join(&model).is_file() {
            file.set(&format!("policies.{}.model={model}", policy.name))?;
        }
    }
    let scenario = CascadeScenario::from_file(&file)?;
    check_head(&summary, &scenario, &mut compared);
    if !compared.findings.is_empty() {
        return Ok(compared);
    }
    let policies = Policies::prepare(&scenario, true, &AtomicBool::new(false))?;
    let names: Vec<&str> = scenario.policies().map(|(name, _)| name).collect();
    let mut pooled: BTreeMap<&str, Sums> = BTreeMap::new();
    for trial in &summary.trials {
        let place = format!("decisions/{}-{}.csv", trial.policy, trial.seed);
        let Some(index) = names.iter().position(|name| *name == trial.policy) else {
            compared.find(place, "topology.toml has no such policy");
            continue;
        };
        if trial.slots == 0 && trial.status != Status::Complete {
            continue; // it was not begun
        }
        let instance = scenario.instance(trial.seed);
        let policy = policies.of(index, &instance);
        let mut replay = Replay::new(&scenario, &summary, trial, instance, policy);
        let sums = replay.verify(dir, &place, &mut compared)?;
        if trial.status == Status::Complete {
            pooled.entry(&trial.policy).or_default().merge(sums);
        }
    }
    if summary.trials.is_empty() {
        compared.find("summary.json", "there is no trial");
    }
    if compared.findings.is_empty() {
        // What is said over seeds follows from the trials; it is looked at where these are right.
        check_policies(&summary, &scenario, &pooled, &mut compared);
        check_expectations(&summary, &scenario, &mut compared);
        check_levels(dir, &summary, &pooled, &mut compared)?;
    }
    Ok(compared)
}

/// A trial that is played again beside its file.
struct Replay<'r> {
    trial: &'r TrialSummary,
    instance: CascadeInstance,
    policy: Box<dyn CascadePolicy>,
    /// Whether images that are sent cost tokens.
    pays: bool,
    /// Whether metrics are those of the trace, and not of a classifier that ran.
    from_trace: bool,
    /// Whether every answer comes.
    in_sim: bool,
    /// So many images are in the file.
    kept: u64,
    planned: u64,
    level: u64,
    sent: bool,
}

/// An image as it must be.
struct Due {
    image: u64,
    arrival: Arrival,
    row: ImageRow,
    level: u64,
    wasted: u64,
}

impl<'r> Replay<'r> {
    fn new(
        scenario: &CascadeScenario,
        summary: &CascadeSummary,
        trial: &'r TrialSummary,
        instance: CascadeInstance,
        policy: Box<dyn CascadePolicy>,
    ) -> Replay<'r> {
        let kind = scenario.policies().find(|(name, _)| *name == trial.policy);
        let in_sim = summary.run.backend == "sim";
        Replay {
            trial,
            policy,
            pays: kind.is_none_or(|(_, spec)| keeps_to_bucket(spec.kind())),
            from_trace: in_sim || scenario.pictures().is_none(),
            in_sim,
            kept: summary.run.kept_images.unwrap_or(u64::MAX),
            planned: scenario.images(),
            level: u64::from(instance.bucket.depth),
            sent: false,
            instance,
        }
    }

    /// Compares the trial; gives what it comes to.
    fn verify(
        &mut self,
        dir: &Path,
        place: &str,
        compared: &mut Compared,
    ) -> Result<Sums, Failure> {
        let trial = self.trial;
        let mut rows = read::decisions(dir, &trial.policy, trial.seed)
            .map_err(|error| unreadable(&error).help(NO_DECISIONS))?;
        let next = |row: Option<Result<Decision, ReadError>>| {
            row.transpose().map_err(|error| unreadable(&error))
        };
        compared.trials += 1;
        let before = compared.findings.len();
        let mut stream = self.instance.stream();
        let mut sums = Sums::default();
        sums.trials = 1;
        for image in 1..=trial.slots {
            let due = self.due(image, stream.next_image());
            let row = if image <= self.kept { next(rows.next())? } else { None };
            if row.is_none() && image <= self.kept {
                compared.find(place, format!("it ends before image {image} of {}", trial.slots));
                return Ok(sums);
            }
            compared.slots += 1;
            if let Err(why) = self.step(&due, row.as_ref(), &mut sums) {
                compared.find(format!("{place}: image {image}"), why);
            }
            if compared.findings.len() >= before + MOST_FINDINGS {
                return Ok(sums);
            }
        }
        let complete = trial.slots == self.planned;
        if next(rows.next())?.is_some() {
            compared.find(place, format!("it goes on after image {}", trial.slots.min(self.kept)));
        } else if (trial.status == Status::Complete) != complete {
            let (status, planned) = (trial.status, self.planned);
            let difference = format!("{} of {planned} images, and {status:?}", trial.slots);
            compared.find(place, difference);
        } else if compared.findings.len() == before {
            sums.check(place, &trial.whole, &self.instance.bucket, self.pays, compared);
        }
        Ok(sums)
    }

    /// The bucket, slot by slot.
    fn due(&mut self, image: u64, arrival: Arrival) -> Due {
        let bucket = self.instance.bucket;
        let (most, price) = (u64::from(bucket.depth), u64::from(bucket.price));
        if self.sent && self.pays {
            self.level -= price;
        }
        let mut wasted = 0;
        for _ in 0..arrival.gap {
            self.level += u64::from(bucket.refill);
            wasted += self.level.saturating_sub(most);
            self.level = self.level.min(most);
        }
        let row = self.instance.table.rows()[arrival.rank as usize];
        Due { image, arrival, row, level: self.level, wasted }
    }

    /// Holds a row, if there is one, against what must be, and adds the image up.
    fn step(&mut self, due: &Due, row: Option<&Decision>, sums: &mut Sums) -> Result<(), String> {
        let bucket = self.instance.bucket;
        let metric = row.map_or(due.row.metric, |row| row.metric);
        let sight = Sight { metric, gap: due.arrival.gap, level: due.level as u32 };
        let wanted = self.policy.decide(&sight, &due.arrival.hidden);
        self.sent = wanted && (!self.pays || due.level >= u64::from(bucket.price));
        let fate = match (row, self.sent) {
            (Some(row), _) => row.fate,
            (None, true) => ToldFate::Answered,
            (None, false) => ToldFate::Kept,
        };
        let gained = if fate == ToldFate::Answered { f64::from(due.row.reward) } else { 0.0 };
        let loss = f64::from(due.row.weak_loss) - gained;
        sums.add(due.arrival.gap, due.level, due.wasted, wanted, fate, loss);
        let Some(row) = row else { return Ok(()) };
        if let Some(ms) = row.stages_ms {
            sums.add_stages(fate, ms);
        }
        let Due { image, arrival, .. } = *due;
        let hidden = arrival.hidden;
        let right = [
            ("image", row.image == image),
            ("slot", row.slot == arrival.slot),
            ("gap", row.gap == arrival.gap),
            ("id", row.id == due.row.id),
            ("place", row.place == hidden.place),
            ("state", row.state == hidden.state),
            ("tokens", row.tokens == due.level as f64 / f64::from(bucket.price)),
            ("wasted", row.wasted == due.wasted as f64 / f64::from(bucket.price)),
            ("metric", !self.from_trace || row.metric == due.row.metric),
            ("wanted", row.wanted == wanted),
            ("fate", row.offloaded() == self.sent),
            ("fate", !self.in_sim || matches!(fate, ToldFate::Kept | ToldFate::Answered)),
            ("loss", row.loss == loss),
        ];
        match right.iter().find(|(_, right)| !right) {
            None => Ok(()),
            Some((column, _)) => Err(format!(
                "{column} is not right in {}; due: {arrival:?}, level {} of {}, wanted {wanted}, \
                 loss {loss:?}",
                row.line, due.level, bucket.depth
            )),
        }
    }
}
