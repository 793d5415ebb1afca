//! What a task node tells Prometheus (`docs/metrics.md`).

use std::time::{Duration, Instant};

use fogbit_policy::{Belief, Policy};
use fogbit_scenario::{Bit, Contexts};
use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{
    GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounterVec, Opts, Registry,
    exponential_buckets,
};

use crate::connections::Connections;
use crate::external::ExternalPolicy;

/// All metrics of a task node, over its trials.
#[derive(Debug, Clone)]
pub struct TaskNodeMetrics {
    decision: HistogramVec,
    round_trip: HistogramVec,
    lateness: HistogramVec,
    state_age: HistogramVec,
    connections: Connections,
}

impl TaskNodeMetrics {
    /// Makes them and registers them with `registry`.
    ///
    /// # Errors
    /// If the registry has metrics of these names already.
    pub fn new(registry: &Registry) -> prometheus::Result<TaskNodeMetrics> {
        let histogram = |name: &str, help: &str, first: f64| {
            // Each bucket is twice as wide as the one before, over six orders of magnitude.
            let options =
                HistogramOpts::new(name, help).buckets(exponential_buckets(first, 2.0, 20)?);
            let vec = HistogramVec::new(options, &["policy"])?;
            registry.register(Box::new(vec.clone()))?;
            Ok::<_, prometheus::Error>(vec)
        };
        let connections = Connections::default();
        registry.register(Box::new(PathCollector::new(connections.clone())?))?;
        Ok(TaskNodeMetrics {
            decision: histogram(
                "fogbit_decision_seconds",
                "Time of one decision of the policy",
                100e-9,
            )?,
            round_trip: histogram(
                "fogbit_feedback_round_trip_seconds",
                "From sending a task to its answer",
                10e-6,
            )?,
            lateness: histogram(
                "fogbit_slot_lateness_seconds",
                "How late slots began against their schedule (wall clock)",
                10e-6,
            )?,
            state_age: histogram(
                "fogbit_state_age_seconds",
                "Age of the states that decisions were made on (wall clock)",
                100e-6,
            )?,
            connections,
        })
    }

    /// The connections that are told of.
    pub(crate) fn connections(&self) -> &Connections {
        &self.connections
    }

    /// Those of one trial of `policy`.
    pub(crate) fn trial(&self, policy: &str) -> TrialMetrics {
        TrialMetrics { all: self.clone(), labels: [policy.to_owned()] }
    }
}

/// The metrics of one trial.
#[derive(Debug, Clone)]
pub(crate) struct TrialMetrics {
    all: TaskNodeMetrics,
    labels: [String; 1],
}

impl TrialMetrics {
    pub(crate) fn round_trip(&self) -> Histogram {
        self.all.round_trip.with_label_values(&self.labels)
    }

    pub(crate) fn lateness(&self) -> Histogram {
        self.all.lateness.with_label_values(&self.labels)
    }

    pub(crate) fn state_age(&self) -> Histogram {
        self.all.state_age.with_label_values(&self.labels)
    }

    /// An external policy, with the time of its decisions measured.
    pub(crate) fn timed_external(&self, policy: ExternalPolicy) -> ExternalPolicy {
        policy.timed(self.all.decision.with_label_values(&self.labels))
    }

    /// `policy`, with the time of its decisions measured.
    pub(crate) fn timed(&self, policy: Box<dyn Policy>) -> Box<dyn Policy> {
        let histogram = self.all.decision.with_label_values(&self.labels);
        Box::new(Timed { policy, histogram })
    }
}

/// Seconds of a duration.
pub(crate) fn seconds(duration: Duration) -> f64 {
    duration.as_secs_f64()
}

/// A policy whose decisions are timed.
struct Timed {
    policy: Box<dyn Policy>,
    histogram: Histogram,
}

impl Policy for Timed {
    fn decide(&mut self, slot: u64, contexts: &Contexts) -> usize {
        let began = Instant::now();
        let node = self.policy.decide(slot, contexts);
        self.histogram.observe(seconds(began.elapsed()));
        node
    }

    fn learn(&mut self, slot: u64, contexts: &Contexts, node: usize, bit: Bit) {
        self.policy.learn(slot, contexts, node, bit);
    }

    fn scores(&self) -> &[f64] {
        self.policy.scores()
    }

    fn belief(&self) -> Option<&dyn Belief> {
        self.policy.belief()
    }
}

/// What QUIC knows of the paths to the helper nodes, asked at each scrape.
struct PathCollector {
    connections: Connections,
    rtt: GaugeVec,
    window: GaugeVec,
    sent_packets: IntCounterVec,
    lost_packets: IntCounterVec,
    sent_bytes: IntCounterVec,
    received_bytes: IntCounterVec,
}

impl PathCollector {
    fn new(connections: Connections) -> prometheus::Result<PathCollector> {
        let gauge = |name: &str, help: &str| GaugeVec::new(Opts::new(name, help), &["node"]);
        let counter = |name: &str, help: &str| IntCounterVec::new(Opts::new(name, help), &["node"]);
        Ok(PathCollector {
            connections,
            rtt: gauge("fogbit_quic_rtt_seconds", "Smoothed round trip to the helper node")?,
            window: gauge("fogbit_quic_congestion_window_bytes", "Congestion window")?,
            sent_packets: counter("fogbit_quic_sent_packets_total", "Packets sent")?,
            lost_packets: counter("fogbit_quic_lost_packets_total", "Packets declared lost")?,
            sent_bytes: counter("fogbit_quic_sent_bytes_total", "UDP payload sent")?,
            received_bytes: counter("fogbit_quic_received_bytes_total", "UDP payload received")?,
        })
    }

    fn parts(&self) -> [&dyn Collector; 6] {
        [
            &self.rtt,
            &self.window,
            &self.sent_packets,
            &self.lost_packets,
            &self.sent_bytes,
            &self.received_bytes,
        ]
    }
}

impl Collector for PathCollector {
    fn desc(&self) -> Vec<&Desc> {
        self.parts().into_iter().flat_map(Collector::desc).collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        for (name, connection) in self.connections.open() {
            let (stats, node) = (connection.stats(), [name.as_str()]);
            self.rtt.with_label_values(&node).set(seconds(stats.path.rtt));
            self.window.with_label_values(&node).set(stats.path.cwnd as f64);
            // They count from the start of the connection; a new one starts anew, as counters may.
            let set = |counters: &IntCounterVec, value: u64| {
                let counter = counters.with_label_values(&node);
                counter.reset();
                counter.inc_by(value);
            };
            set(&self.sent_packets, stats.path.sent_packets);
            set(&self.lost_packets, stats.path.lost_packets);
            set(&self.sent_bytes, stats.udp_tx.bytes);
            set(&self.received_bytes, stats.udp_rx.bytes);
        }
        self.parts().into_iter().flat_map(Collector::collect).collect()
    }
}
