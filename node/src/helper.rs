//! The helper node as a state machine that is stepped from outside, slot by slot.
//!
//! Within a slot: (1) the node's own tasks arrive, (2) this is the state that is observed, (3) the
//! bit is drawn on it, (4) the offloaded task joins the queue, (5) the node serves.

use std::sync::Arc;

use fogbit_scenario::cqi;
use fogbit_scenario::deadline::{Demand, InTime};
use fogbit_scenario::draw::{Stream, normal_cdf, poisson};
use fogbit_scenario::feedback::{FeedbackModel, Outcome, bit};
use fogbit_scenario::instance::{
    CqiSpec, FeedbackDraws, HelperSpec, QueueSpec, StateSpec, UniformFeature,
};
use fogbit_scenario::link::LinkPath;
use fogbit_scenario::weights::WeightPath;

use crate::queue::FifoQueue;

/// A helper node within one trial. A clone goes its own way from here.
#[derive(Debug, Clone)]
pub struct Helper {
    weights: WeightPath,
    /// With a deadline: when the node answers in time. Then its weights say nothing.
    in_time: Option<Box<InTime>>,
    response: FeedbackModel,
    slot: u64,
    model: Model,
    feedback: Feedback,
    /// The node's own features in this slot.
    state: Vec<f64>,
}

#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "read in every slot: a box would cost a hop")]
enum Model {
    Model { queue: Queue, cqi: Cqi, noise: Vec<Noise> },
    Trace { width: usize, values: Arc<[f64]> },
}

/// A feature that says nothing.
#[derive(Debug, Clone)]
struct Noise {
    stream: Stream,
    low: f64,
    span: f64,
}

#[derive(Debug, Clone)]
enum Queue {
    Drawn {
        stream: Stream,
        low: f64,
        span: f64,
    },
    Fifo {
        queue: FifoQueue,
        own: Stream,
        own_rate: f64,
        exp_minus_rate: f64,
        own_tasks: u64,
        scale: f64,
    },
}

#[derive(Debug, Clone)]
enum Cqi {
    Iid {
        stream: Stream,
        low: f64,
        span: f64,
    },
    Autoregressive {
        stream: Stream,
        low: f64,
        span: f64,
        correlation: f64,
        noise: f64,
        /// The value of the slot before; none before the first.
        z: Option<f64>,
    },
    /// The feature from each of these slots on.
    Link(Arc<[(u64, f64)]>),
}

#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "read in every slot: a box would cost a hop")]
enum Feedback {
    Keyed(Stream),
    Trace(Arc<[f64]>),
}

impl Helper {
    /// The node at slot 1, with its own tasks of that slot arrived.
    pub fn new(spec: &HelperSpec) -> Helper {
        Helper::starting_at(spec, 1)
    }

    /// The node as it begins at slot `first`, as if there had been none before: its queue holds
    /// what arrives in that slot.
    pub fn starting_at(spec: &HelperSpec, first: u64) -> Helper {
        let (model, state) = match &spec.state {
            StateSpec::Model { queue, cpu_frequency, cqi, noise } => {
                let mut state = vec![0.0, *cpu_frequency, 0.0];
                state.resize(3 + noise.len(), 0.0);
                let noise = noise.iter().map(Noise::new).collect();
                (Model::Model { queue: Queue::new(queue), cqi: Cqi::new(cqi, spec), noise }, state)
            }
            StateSpec::Trace { width, values } => {
                let width = *width as usize;
                (Model::Trace { width, values: Arc::clone(values) }, vec![0.0; width])
            }
        };
        let feedback = match &spec.feedback {
            FeedbackDraws::Keyed(key) => Feedback::Keyed(Stream::new(key)),
            FeedbackDraws::Trace(draws) => Feedback::Trace(Arc::clone(draws)),
        };
        let (weights, response) = (WeightPath::new(spec), spec.model);
        let in_time = spec.in_time().map(Box::new);
        let mut helper = Helper { weights, in_time, response, slot: first, model, feedback, state };
        helper.begin_slot();
        helper
    }

    /// The slot it is in.
    #[inline]
    pub fn slot(&self) -> u64 {
        self.slot
    }

    /// The node's own features in this slot, as the task node observes them.
    #[inline]
    pub fn state(&self) -> &[f64] {
        &self.state
    }

    /// Whether an offloaded task changes what comes after.
    pub fn depends_on_offloads(&self) -> bool {
        matches!(self.model, Model::Model { queue: Queue::Fifo { .. }, .. })
    }

    /// The true queue, if it has one.
    pub fn fifo(&self) -> Option<&FifoQueue> {
        match &self.model {
            Model::Model { queue: Queue::Fifo { queue, .. }, .. } => Some(queue),
            _ => None,
        }
    }

    /// How many tasks of its own have arrived at a true queue, whether they found room or not.
    pub fn own_tasks(&self) -> u64 {
        match &self.model {
            Model::Model { queue: Queue::Fifo { own_tasks, .. }, .. } => *own_tasks,
            _ => 0,
        }
    }

    /// The last slot that the node can be in: a trace ends.
    pub fn last_slot(&self) -> u64 {
        let states = match &self.model {
            Model::Model { .. } => u64::MAX,
            Model::Trace { width, values } => (values.len() / (*width).max(1)) as u64,
        };
        match &self.feedback {
            Feedback::Keyed(_) => states,
            Feedback::Trace(draws) => states.min(draws.len() as u64),
        }
    }

    /// How many features the node expects of a task.
    pub fn task_width(&self) -> usize {
        self.weights.len() - self.state.len()
    }

    /// Takes a task with the given features in this slot: draws the bit, then queues the task.
    #[inline]
    pub fn offload(&mut self, task: &[f64]) -> Outcome {
        self.offload_drawing(self.slot, task)
    }

    /// As [`offload`](Self::offload), with the draw and the weights that belong to slot `sent`: in
    /// real time a task may arrive in another slot than it was sent in, and two must not share a
    /// draw.
    #[inline]
    pub fn offload_drawing(&mut self, sent: u64, task: &[f64]) -> Outcome {
        debug_assert_eq!(task.len(), self.task_width());
        let worth = self.worth(sent, task);
        let draw = match &mut self.feedback {
            Feedback::Keyed(stream) => stream.uniform(sent),
            Feedback::Trace(draws) => draws[sent as usize - 1],
        };
        let bit = bit(draw, self.response.told(self.response.happiness(worth)));
        if self.join() { Outcome::Answered(bit) } else { Outcome::Refused }
    }

    /// Takes a task whose bit is not drawn but measured, as with a deadline in real time: queues it and
    /// says how long the node keeps it, in nanoseconds (waiting and execution, from the state that it
    /// is in). `None` if its queue is full.
    ///
    /// # Panics
    /// If the node has no deadline.
    pub fn take(&mut self, task: &[f64]) -> Option<f64> {
        let deadline = self.response.deadline().expect("with a deadline bits are measured");
        let service = deadline.service_ns(&Demand::of(task, &self.state));
        self.join().then_some(service)
    }

    /// Whether bits in real time are measured rather than drawn.
    pub fn is_timed(&self) -> bool {
        self.in_time.is_some()
    }

    /// What a task that was sent in slot `sent` is worth to the node in the state that it is in.
    #[inline]
    fn worth(&mut self, sent: u64, task: &[f64]) -> f64 {
        if let Some(in_time) = &mut self.in_time {
            return in_time.probability(sent, &Demand::of(task, &self.state));
        }
        let mut product = 0.0;
        for (x, w) in task.iter().chain(&self.state).zip(self.weights.at(sent)) {
            product += x * w;
        }
        product
    }

    /// Lets a task join the queue; `false` if it is full.
    #[inline]
    fn join(&mut self) -> bool {
        match &mut self.model {
            Model::Model { queue: Queue::Fifo { queue, .. }, .. } => queue.join(),
            Model::Model { .. } | Model::Trace { .. } => true,
        }
    }

    /// Ends this slot (the node serves) and begins the next (its own tasks arrive).
    #[inline]
    pub fn advance(&mut self) {
        if let Model::Model { queue: Queue::Fifo { queue, .. }, .. } = &mut self.model {
            queue.serve();
        }
        self.slot += 1;
        self.begin_slot();
    }

    #[inline]
    fn begin_slot(&mut self) {
        match &mut self.model {
            Model::Model { queue, cqi, noise } => {
                self.state[0] = queue.begin_slot(self.slot);
                self.state[2] = cqi.begin_slot(self.slot);
                for (value, noise) in self.state[3..].iter_mut().zip(noise) {
                    *value = noise.low + noise.stream.uniform(self.slot) * noise.span;
                }
            }
            Model::Trace { width, values } => {
                // Past its end a trace says nothing; a trial is never longer than its trace.
                let first = (self.slot as usize - 1) * *width;
                if let Some(row) = values.get(first..first + *width) {
                    self.state.copy_from_slice(row);
                }
            }
        }
    }
}

impl Noise {
    fn new(feature: &UniformFeature) -> Noise {
        let UniformFeature { key, low, span } = feature;
        Noise { stream: Stream::new(key), low: *low, span: *span }
    }
}

impl Queue {
    fn new(spec: &QueueSpec) -> Queue {
        match spec {
            QueueSpec::Drawn(f) => {
                Queue::Drawn { stream: Stream::new(&f.key), low: f.low, span: f.span }
            }
            QueueSpec::Fifo { capacity, service_micro, own_rate, own_key, scale } => Queue::Fifo {
                queue: FifoQueue::new(*capacity, *service_micro),
                own: Stream::new(own_key),
                own_rate: *own_rate,
                exp_minus_rate: libm::exp(-own_rate),
                own_tasks: 0,
                scale: *scale,
            },
        }
    }

    /// Lets the own tasks of `slot` arrive and gives the feature.
    #[inline]
    fn begin_slot(&mut self, slot: u64) -> f64 {
        match self {
            Queue::Drawn { stream, low, span } => *low + stream.uniform(slot) * *span,
            Queue::Fifo { queue, own, own_rate, exp_minus_rate, own_tasks, scale } => {
                let arrived = poisson(own.uniform(slot), *own_rate, *exp_minus_rate);
                for _ in 0..arrived {
                    queue.join();
                }
                *own_tasks += u64::from(arrived);
                queue.fullness() * *scale
            }
        }
    }
}

impl Cqi {
    fn new(cqi: &CqiSpec, spec: &HelperSpec) -> Cqi {
        match cqi {
            CqiSpec::Iid(f) => Cqi::Iid { stream: Stream::new(&f.key), low: f.low, span: f.span },
            CqiSpec::Autoregressive { feature, correlation } => Cqi::Autoregressive {
                stream: Stream::new(&feature.key),
                low: feature.low,
                span: feature.span,
                correlation: *correlation,
                noise: libm::sqrt(1.0 - correlation * correlation),
                z: None,
            },
            CqiSpec::Link { bandwidth_mhz, scale } => {
                let states = spec.link.iter().flat_map(LinkPath::states);
                let index = |rate| cqi::index(rate, *bandwidth_mhz);
                Cqi::Link(
                    states.map(|(at, s)| (at, index(s.spec.up.rate_bits_s) * scale)).collect(),
                )
            }
        }
    }

    /// Steps to `slot` and gives the feature.
    #[inline]
    fn begin_slot(&mut self, slot: u64) -> f64 {
        match self {
            Cqi::Iid { stream, low, span } => *low + stream.uniform(slot) * *span,
            Cqi::Autoregressive { stream, low, span, correlation, noise, z } => {
                let innovation = stream.normal(slot);
                // The first value comes from the stationary distribution.
                let now = match *z {
                    Some(before) => *correlation * before + *noise * innovation,
                    None => innovation,
                };
                *z = Some(now);
                *low + normal_cdf(now) * *span
            }
            Cqi::Link(steps) => {
                let next = steps.partition_point(|(at, _)| *at <= slot);
                next.checked_sub(1).map_or(0.0, |last| steps[last].1)
            }
        }
    }
}
