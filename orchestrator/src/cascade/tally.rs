//! What a trial comes to: a few numbers that are added up image by image.

use fogbit_scenario::cascade::{Fate, ImageRow, ImageStep, Stages, TokenBucket};
use serde::{Deserialize, Serialize};

use crate::stats::Running;

/// The sums of a trial, or of several.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Tally {
    /// Trials: the first image of each comes after no gap.
    pub trials: u64,
    /// Images.
    pub images: u64,
    /// Images that the policy wanted to send.
    pub wanted: u64,
    /// Images that the strong classifier answered.
    pub answered: u64,
    /// Images without an answer in time.
    pub timed_out: u64,
    /// Images that the helper node refused.
    pub refused: u64,
    /// Sum of the losses.
    pub loss: f64,
    /// Slots from the first image to the last.
    pub slots: u64,
    /// Levels that came and found the bucket full.
    pub wasted: u64,
    /// Images at each level of the bucket, as policies saw it.
    pub levels: Vec<u64>,
    /// How long stages took.
    pub stages: StageTally,
}

impl Tally {
    /// Of nothing yet, with room for each level of `bucket`.
    pub fn new(bucket: &TokenBucket) -> Tally {
        let levels = vec![0; bucket.depth as usize + 1];
        Tally { trials: 1, levels, ..Tally::default() }
    }

    /// One more image, that of `row`; gives its loss. The level must be one of the bucket.
    #[inline]
    pub fn add(&mut self, step: &ImageStep, row: &ImageRow) -> f64 {
        let loss = loss(step.fate, row);
        self.images += 1;
        self.wanted += u64::from(step.wanted);
        self.loss += loss;
        self.slots += u64::from(step.sight.gap);
        self.wasted += step.wasted;
        self.levels[step.sight.level as usize] += 1;
        match step.fate {
            Fate::Kept => {}
            Fate::Answered => self.answered += 1,
            Fate::TimedOut => self.timed_out += 1,
            Fate::Refused(_) => self.refused += 1,
        }
        // Nobody measures in virtual time.
        if step.stages != Stages::default() {
            self.stages.add(step);
        }
        loss
    }

    /// Those of another trial too.
    pub fn merge(&mut self, other: &Tally) {
        self.trials += other.trials;
        self.images += other.images;
        self.wanted += other.wanted;
        self.answered += other.answered;
        self.timed_out += other.timed_out;
        self.refused += other.refused;
        self.loss += other.loss;
        self.slots += other.slots;
        self.wasted += other.wasted;
        if self.levels.len() < other.levels.len() {
            self.levels.resize(other.levels.len(), 0);
        }
        for (into, count) in self.levels.iter_mut().zip(&other.levels) {
            *into += count;
        }
        self.stages.merge(&other.stages);
    }

    /// Images that were sent.
    pub fn offloaded(&self) -> u64 {
        self.answered + self.timed_out + self.refused
    }

    /// Its figures; `pays` says whether images that are sent cost tokens.
    pub fn kpis(&self, bucket: &TokenBucket, pays: bool) -> Kpis {
        let share = |part: f64, all: f64| (all > 0.0).then(|| part / all);
        let (images, came) = (self.images as f64, self.slots as f64 * f64::from(bucket.refill));
        let wasted = self.wasted as f64;
        Kpis {
            counts: Counts {
                images: self.images,
                wanted: self.wanted,
                offloaded: self.offloaded(),
                answered: self.answered,
                timed_out: self.timed_out,
                refused: self.refused,
            },
            average_loss: share(self.loss, images),
            offloaded_share: share(self.offloaded() as f64, images),
            wanted_share: share(self.wanted as f64, images),
            tokens_came: came / f64::from(bucket.price),
            tokens_wasted: pays.then(|| wasted / f64::from(bucket.price)),
            wasted_share: share(wasted, came).filter(|_| pays),
            mean_gap: share(self.slots as f64, images - self.trials as f64),
        }
    }

    /// The one answer that the policy gave to every image, if it only ever gave one.
    pub fn only_answer(&self) -> Option<Answer> {
        match self.wanted {
            _ if self.images == 0 => None,
            0 => Some(Answer::Keep),
            wanted if wanted == self.images => Some(Answer::Send),
            _ => None,
        }
    }
}

/// What is lost with an image of this fate.
#[inline]
pub fn loss(fate: Fate, row: &ImageRow) -> f64 {
    let gained = if fate == Fate::Answered { f64::from(row.reward) } else { 0.0 };
    f64::from(row.weak_loss) - gained
}

/// What a policy says of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// It is kept.
    Keep,
    /// It is to be sent.
    Send,
}

impl Answer {
    /// In a word.
    pub fn name(self) -> &'static str {
        match self {
            Answer::Keep => "keep",
            Answer::Send => "send",
        }
    }
}

/// What became of images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counts {
    /// Images.
    pub images: u64,
    /// Images that the policy wanted to send, affordable or not.
    pub wanted: u64,
    /// Images that were sent.
    pub offloaded: u64,
    /// Images that the strong classifier answered.
    pub answered: u64,
    /// Images without an answer in time.
    pub timed_out: u64,
    /// Images that the helper node refused.
    pub refused: u64,
}

/// The figures of a trial, or of several; null where there is no such thing.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Kpis {
    /// What became of the images.
    #[serde(flatten)]
    pub counts: Counts,
    /// Mean loss of an image.
    pub average_loss: Option<f64>,
    /// Share of the images that were sent.
    pub offloaded_share: Option<f64>,
    /// Share of the images that the policy wanted to send.
    pub wanted_share: Option<f64>,
    /// Tokens that came.
    pub tokens_came: f64,
    /// Those of them that found the bucket full; null for who pays nothing.
    pub tokens_wasted: Option<f64>,
    /// Their share of those that came; null for who pays nothing.
    pub wasted_share: Option<f64>,
    /// Mean number of slots between images.
    pub mean_gap: Option<f64>,
}

/// How long the stages of images took, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct StageTally {
    /// Images that were kept.
    pub kept: StageTimes<Running>,
    /// Images that were sent and answered.
    pub answered: StageTimes<Running>,
}

/// A value for each stage of a classification.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct StageTimes<T> {
    /// The weak classifier, with entropy and metric.
    pub weak: T,
    /// The decision.
    pub decision: T,
    /// Sending the image and hearing the answer.
    pub transmission: T,
    /// Waiting for a worker of the helper node.
    pub queued: T,
    /// The strong classifier.
    pub strong: T,
    /// All of them.
    pub all: T,
}

impl<T> StageTimes<T> {
    /// The stages by name, in their order.
    pub fn by_name(&self) -> [(&'static str, &T); 6] {
        let StageTimes { weak, decision, transmission, queued, strong, all } = self;
        [
            ("weak", weak),
            ("decision", decision),
            ("transmission", transmission),
            ("queued", queued),
            ("strong", strong),
            ("all", all),
        ]
    }

    /// Something else of each.
    pub fn map<U>(&self, of: impl Fn(&T) -> U) -> StageTimes<U> {
        StageTimes {
            weak: of(&self.weak),
            decision: of(&self.decision),
            transmission: of(&self.transmission),
            queued: of(&self.queued),
            strong: of(&self.strong),
            all: of(&self.all),
        }
    }

    fn each(&mut self) -> [&mut T; 6] {
        let StageTimes { weak, decision, transmission, queued, strong, all } = self;
        [weak, decision, transmission, queued, strong, all]
    }
}

/// The stages of an image in milliseconds, in their order, and all together.
pub fn stage_ms(stages: &Stages) -> [f64; 6] {
    let Stages { weak_ns, decision_ns, transmission_ns, queued_ns, strong_ns } = *stages;
    let all = weak_ns + decision_ns + transmission_ns + queued_ns + strong_ns;
    [weak_ns, decision_ns, transmission_ns, queued_ns, strong_ns, all].map(milliseconds)
}

/// Nanoseconds in milliseconds.
pub fn milliseconds(ns: u64) -> f64 {
    ns as f64 / 1e6
}

impl StageTally {
    fn add(&mut self, step: &ImageStep) {
        let times = match step.fate {
            Fate::Kept => &mut self.kept,
            Fate::Answered => &mut self.answered,
            // How long nothing came says nothing of a stage.
            Fate::TimedOut | Fate::Refused(_) => return,
        };
        for (into, ms) in times.each().into_iter().zip(stage_ms(&step.stages)) {
            into.add(ms);
        }
    }

    fn merge(&mut self, other: &StageTally) {
        for (into, from) in [(&mut self.kept, &other.kept), (&mut self.answered, &other.answered)] {
            for (into, (_, from)) in into.each().into_iter().zip(from.by_name()) {
                into.merge(from);
            }
        }
    }
}

#[cfg(test)]
#[path = "tally_tests.rs"]
mod tests;
