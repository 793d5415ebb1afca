//! What images come to, added up in the plainest way.

use std::collections::BTreeMap;

use fogbit_scenario::cascade::TokenBucket;
use serde_json::Value;

use super::super::read::ToldFate;
use super::super::tally::{Kpis, StageTimes};
use super::close;
use crate::stats::MeanSd;
use crate::verify::Compared;

/// The sums of some trials.
#[derive(Debug, Clone, Default)]
pub(super) struct Sums {
    pub(super) trials: u64,
    pub(super) images: u64,
    pub(super) wanted: u64,
    answered: u64,
    timed_out: u64,
    refused: u64,
    loss: f64,
    slots: u64,
    wasted: u64,
    /// Images at each level.
    pub(super) levels: BTreeMap<u64, u64>,
    /// Times of images that were kept, and of those that were answered.
    stages: [Vec<[f64; 6]>; 2],
}

impl Sums {
    /// One more image.
    pub(super) fn add(
        &mut self,
        gap: u32,
        level: u64,
        wasted: u64,
        wanted: bool,
        fate: ToldFate,
        loss: f64,
    ) {
        self.images += 1;
        self.wanted += u64::from(wanted);
        self.slots += u64::from(gap);
        self.wasted += wasted;
        self.loss += loss;
        *self.levels.entry(level).or_default() += 1;
        match fate {
            ToldFate::Kept => {}
            ToldFate::Answered => self.answered += 1,
            ToldFate::TimedOut => self.timed_out += 1,
            ToldFate::Refused => self.refused += 1,
        }
    }

    /// How long its stages took.
    pub(super) fn add_stages(&mut self, fate: ToldFate, ms: [f64; 5]) {
        let [a, b, c, d, e] = ms;
        let times = match fate {
            ToldFate::Kept => &mut self.stages[0],
            ToldFate::Answered => &mut self.stages[1],
            _ => return,
        };
        times.push([a, b, c, d, e, a + b + c + d + e]);
    }

    /// Those of another trial too.
    pub(super) fn merge(&mut self, other: Sums) {
        self.trials += other.trials;
        self.images += other.images;
        self.wanted += other.wanted;
        self.answered += other.answered;
        self.timed_out += other.timed_out;
        self.refused += other.refused;
        self.loss += other.loss;
        self.slots += other.slots;
        self.wasted += other.wasted;
        for (level, count) in other.levels {
            *self.levels.entry(level).or_default() += count;
        }
        for (into, from) in self.stages.iter_mut().zip(other.stages) {
            into.extend(from);
        }
    }

    /// The figures by name.
    fn figures(&self, bucket: &TokenBucket, pays: bool) -> Vec<(&'static str, Option<f64>)> {
        let share = |part: f64, all: f64| (all > 0.0).then(|| part / all);
        let (images, sent) = (self.images as f64, self.answered + self.timed_out + self.refused);
        let (refill, price) = (f64::from(bucket.refill), f64::from(bucket.price));
        let came = self.slots as f64 * refill / price;
        let wasted = self.wasted as f64 / price;
        vec![
            ("images", Some(images)),
            ("wanted", Some(self.wanted as f64)),
            ("offloaded", Some(sent as f64)),
            ("answered", Some(self.answered as f64)),
            ("timed_out", Some(self.timed_out as f64)),
            ("refused", Some(self.refused as f64)),
            ("average_loss", share(self.loss, images)),
            ("offloaded_share", share(sent as f64, images)),
            ("wanted_share", share(self.wanted as f64, images)),
            ("tokens_came", Some(came)),
            ("tokens_wasted", pays.then_some(wasted)),
            ("wasted_share", share(wasted, came).filter(|_| pays)),
            ("mean_gap", share(self.slots as f64, images - self.trials as f64)),
        ]
    }

    /// Compares what is told of these images.
    pub(super) fn check(
        &self,
        place: &str,
        told: &Kpis,
        bucket: &TokenBucket,
        pays: bool,
        compared: &mut Compared,
    ) {
        let json = serde_json::to_value(told).expect("figures are plain data");
        for (name, right) in self.figures(bucket, pays) {
            let found = json.get(name).and_then(Value::as_f64);
            let same = match (found, right) {
                // Losses may cancel each other.
                (Some(found), Some(right)) => close(found, right, 1e-3),
                (found, right) => found == right,
            };
            if !same {
                compared.find(place, format!("{name} {found:?} where {right:?} is right"));
            }
        }
    }

    /// Compares what is told of the stages of kept (0) or answered (1) images.
    pub(super) fn check_stages(
        &self,
        place: &str,
        which: usize,
        told: Option<&StageTimes<MeanSd>>,
        compared: &mut Compared,
    ) {
        let rows = &self.stages[which];
        let Some(told) = told else {
            if !rows.is_empty() {
                compared.find(place, format!("no times of {} images", rows.len()));
            }
            return;
        };
        for (index, (name, told)) in told.by_name().into_iter().enumerate() {
            let n = rows.len() as f64;
            let mean = rows.iter().map(|row| row[index]).sum::<f64>() / n;
            let squares: f64 = rows.iter().map(|row| (row[index] - mean).powi(2)).sum();
            let sd = (rows.len() > 1).then(|| (squares / (n - 1.0)).sqrt());
            let same_sd = match (told.sd, sd) {
                (Some(told), Some(right)) => close(told, right, 1e-3),
                (told, right) => told == right,
            };
            if rows.is_empty() || !close(told.mean, mean, 1e-3) || !same_sd {
                compared.find(place, format!("{name} {told:?} where {mean} is right, sd {sd:?}"));
            }
        }
    }
}
