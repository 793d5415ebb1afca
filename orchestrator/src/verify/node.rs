//! Tasks and helper nodes, written again in the plainest way.

use std::collections::VecDeque;

use fogbit_scenario::Bit;
use fogbit_scenario::draw::{Key, Stream, normal_cdf, poisson, uniform};
use fogbit_scenario::feedback::{Outcome, Response};
use fogbit_scenario::instance::{
    CqiSpec, FeedbackDraws, HelperSpec, QueueSpec, StateSpec, TaskSpec, UniformFeature,
};
use fogbit_scenario::link::LinkSpec;

use super::deadline;

/// The draw of a slot, straight from its key.
fn draw(key: &Key, slot: u64) -> u64 {
    Stream::new(key).at(slot)
}

fn uniform_feature(feature: &UniformFeature, slot: u64) -> f64 {
    feature.low + uniform(draw(&feature.key, slot)) * feature.span
}

pub(super) fn task(tasks: &TaskSpec, slot: u64) -> Vec<f64> {
    match tasks {
        TaskSpec::Drawn(features) => features.iter().map(|f| uniform_feature(f, slot)).collect(),
        TaskSpec::Trace { width, values } => row(values, *width, slot),
    }
}

/// What the link to a node is in a slot, if there is one.
fn link_at(spec: &HelperSpec, slot: u64) -> Option<&LinkSpec> {
    let link = spec.link.as_ref()?;
    let mut now = &link.first;
    for change in &link.changes {
        if change.at <= slot {
            now = &change.state;
        }
    }
    Some(&now.spec)
}

fn row(values: &[f64], width: u32, slot: u64) -> Vec<f64> {
    let width = width as usize;
    values[(slot as usize - 1) * width..slot as usize * width].to_vec()
}

/// A helper node in plain words.
pub(super) struct Node {
    spec: HelperSpec,
    /// Work left of each task in the queue, in millionths of a task, first in first out.
    queue: VecDeque<u64>,
    /// State of the autoregressive channel.
    channel: f64,
}

impl Node {
    pub(super) fn new(spec: &HelperSpec) -> Node {
        Node { spec: spec.clone(), queue: VecDeque::new(), channel: 0.0 }
    }

    /// Lets the node's own tasks arrive and gives its features.
    pub(super) fn observe(&mut self, slot: u64) -> Vec<f64> {
        match &self.spec.state {
            StateSpec::Trace { width, values } => row(values, *width, slot),
            StateSpec::Model { queue, cpu_frequency, cqi, noise } => {
                let queue = match queue {
                    QueueSpec::Drawn(feature) => uniform_feature(feature, slot),
                    QueueSpec::Fifo { capacity, own_rate, own_key, scale, .. } => {
                        let u = uniform(draw(own_key, slot));
                        for _ in 0..poisson(u, *own_rate, libm::exp(-own_rate)) {
                            if self.queue.len() < *capacity as usize {
                                self.queue.push_back(1_000_000);
                            }
                        }
                        self.queue.len() as f64 / f64::from(*capacity) * scale
                    }
                };
                let cqi = match cqi {
                    CqiSpec::Iid(feature) => uniform_feature(feature, slot),
                    CqiSpec::Autoregressive { feature, correlation } => {
                        let noise = fogbit_scenario::draw::normal(draw(&feature.key, slot));
                        self.channel = if slot == 1 {
                            noise
                        } else {
                            let spread = libm::sqrt(1.0 - correlation * correlation);
                            correlation * self.channel + spread * noise
                        };
                        feature.low + normal_cdf(self.channel) * feature.span
                    }
                    CqiSpec::Link { bandwidth_mhz, scale } => {
                        link_at(&self.spec, slot).map_or(0.0, |link| {
                            deadline::channel_quality(link.up.rate_bits_s, *bandwidth_mhz) * scale
                        })
                    }
                };
                let mut features = vec![queue, *cpu_frequency, cqi];
                features.extend(noise.iter().map(|feature| uniform_feature(feature, slot)));
                features
            }
        }
    }

    /// The node's weights in a slot.
    pub(super) fn weights(&self, slot: u64) -> Vec<f64> {
        let HelperSpec { weights, motion, .. } = &self.spec;
        let mut now = (1, weights, &motion.turn);
        for change in &motion.changes {
            if change.from <= slot {
                now = (change.from, &change.weights, &change.turn);
            }
        }
        let (from, weights, Some(turn)) = now else { return now.1.clone() };
        let angle = std::f64::consts::TAU * ((slot - from) as f64 / turn.period);
        let turned = weights.iter().zip(&turn.toward);
        turned.map(|(w, v)| libm::cos(angle) * w + libm::sin(angle) * v).collect()
    }

    /// What a task is worth to it, where `x` are the features of both.
    pub(super) fn worth(&self, slot: u64, x: &[f64]) -> f64 {
        match &self.spec.model.response {
            Response::Deadline(model) => deadline::in_time(model, link_at(&self.spec, slot), x),
            Response::Logit | Response::Probit | Response::Threshold(_) => {
                x.iter().zip(self.weights(slot)).fold(0.0, |sum, (x, w)| sum + x * w)
            }
        }
    }

    /// Whether what a task is worth is only nearly the same from one way of computing it to another.
    pub(super) fn is_rounded(&self) -> bool {
        matches!(self.spec.model.response, Response::Deadline(_))
    }

    /// Probability that it is happy with a task of this worth.
    pub(super) fn happiness(&self, product: f64) -> f64 {
        match self.spec.model.response {
            Response::Logit => 1.0 / (1.0 + libm::exp(-product)),
            Response::Probit => normal_cdf(product),
            Response::Threshold(level) if product >= level => 1.0,
            Response::Threshold(_) => 0.0,
            Response::Deadline(_) => product,
        }
    }

    /// Probability that a happy bit is told by a node of this happiness.
    pub(super) fn told(&self, happiness: f64) -> f64 {
        let flip = self.spec.model.flip;
        flip + (1.0 - 2.0 * flip) * happiness
    }

    /// The bit it tells of a task that makes it so happy.
    pub(super) fn bit(&self, slot: u64, happiness: f64) -> Bit {
        let u = match &self.spec.feedback {
            FeedbackDraws::Keyed(key) => uniform(draw(key, slot)),
            FeedbackDraws::Trace(draws) => draws[slot as usize - 1],
        };
        if u < self.told(happiness) { Bit::Happy } else { Bit::Unhappy }
    }

    /// Draws the bit and queues the task.
    pub(super) fn take(&mut self, slot: u64, happiness: f64) -> Outcome {
        if let StateSpec::Model { queue: QueueSpec::Fifo { capacity, .. }, .. } = &self.spec.state {
            if self.queue.len() >= *capacity as usize {
                return Outcome::Refused;
            }
            self.queue.push_back(1_000_000);
        }
        Outcome::Answered(self.bit(slot, happiness))
    }

    /// Ends the slot.
    pub(super) fn serve(&mut self) {
        let StateSpec::Model { queue: QueueSpec::Fifo { service_micro, .. }, .. } =
            &self.spec.state
        else {
            return;
        };
        let mut left = *service_micro;
        while let Some(first) = self.queue.front_mut() {
            let work = left.min(*first);
            *first -= work;
            left -= work;
            if *first > 0 {
                break;
            }
            self.queue.pop_front();
        }
    }
}
