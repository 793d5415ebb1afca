//! What a helper node tells Prometheus (`docs/metrics.md`).

use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry, exponential_buckets,
};

use crate::helper::Helper;
use crate::queue::QueueCounts;

/// All metrics of a helper node, over its sessions.
#[derive(Debug, Clone)]
pub struct HelperMetrics {
    sessions: IntGauge,
    slots: IntCounterVec,
    accepted: IntCounterVec,
    queue_length: IntGaugeVec,
    queue_capacity: IntGaugeVec,
    own_tasks: IntCounterVec,
    turned_away: IntCounterVec,
    served: IntCounterVec,
    busy_slots: IntCounterVec,
    queueing_slots: HistogramVec,
    queueing_seconds: HistogramVec,
}

impl HelperMetrics {
    /// Makes them and registers them with `registry`, which adds the node's name to each.
    ///
    /// # Errors
    /// If the registry has metrics of these names already.
    pub fn new(registry: &Registry) -> prometheus::Result<HelperMetrics> {
        let counter = |name: &str, help: &str| -> prometheus::Result<IntCounterVec> {
            let vec = IntCounterVec::new(Opts::new(name, help), &["policy"])?;
            registry.register(Box::new(vec.clone()))?;
            Ok(vec)
        };
        let gauge = |name: &str, help: &str| -> prometheus::Result<IntGaugeVec> {
            let vec = IntGaugeVec::new(Opts::new(name, help), &["policy"])?;
            registry.register(Box::new(vec.clone()))?;
            Ok(vec)
        };
        let histogram = |name: &str, help: &str, buckets: Vec<f64>| {
            let options = HistogramOpts::new(name, help).buckets(buckets);
            let vec = HistogramVec::new(options, &["policy"])?;
            registry.register(Box::new(vec.clone()))?;
            Ok::<_, prometheus::Error>(vec)
        };
        let sessions = IntGauge::new("fogbit_sessions", "Open sessions, one for each trial")?;
        registry.register(Box::new(sessions.clone()))?;
        let queueing = "From joining the queue to the end of service, of offloaded tasks";
        Ok(HelperMetrics {
            sessions,
            slots: counter("fogbit_helper_slots_total", "Slots the node has gone through")?,
            accepted: counter("fogbit_accepted_tasks_total", "Offloaded tasks that were taken")?,
            queue_length: gauge("fogbit_queue_length", "Tasks in the queue, with that in service")?,
            queue_capacity: gauge("fogbit_queue_capacity", "Tasks the queue holds")?,
            own_tasks: counter("fogbit_own_tasks_total", "The node's own tasks that arrived")?,
            turned_away: counter(
                "fogbit_turned_away_tasks_total",
                "Own and offloaded tasks that found the queue full",
            )?,
            served: counter("fogbit_served_tasks_total", "Tasks served to the end")?,
            busy_slots: counter(
                "fogbit_busy_slots_total",
                "Slots in which the node had something to serve",
            )?,
            queueing_slots: histogram(
                "fogbit_queueing_time_slots",
                &format!("{queueing}, in slots"),
                exponential_buckets(1.0, 2.0, 13)?,
            )?,
            queueing_seconds: histogram(
                "fogbit_queueing_time_seconds",
                &format!("{queueing}, in seconds (wall clock)"),
                exponential_buckets(0.001, 2.0, 18)?,
            )?,
        })
    }

    /// Counts a session as open until what this gives is dropped.
    pub(crate) fn open_session(&self) -> OpenSession {
        self.sessions.inc();
        OpenSession(self.sessions.clone())
    }

    /// Those of one session of `policy`; a slot takes `slot_seconds` where real time passes.
    pub(crate) fn session(&self, policy: &str, slot_seconds: Option<f64>) -> SessionMetrics {
        SessionMetrics {
            _open: self.open_session(),
            slots: self.slots.with_label_values(&[policy]),
            accepted: self.accepted.with_label_values(&[policy]),
            all: self.clone(),
            policy: policy.to_owned(),
            slot_seconds,
            told_slot: None,
            queue: None,
        }
    }
}

/// The metrics of one session; tells what changed since it told last.
#[derive(Debug)]
pub(crate) struct SessionMetrics {
    _open: OpenSession,
    slots: IntCounter,
    accepted: IntCounter,
    all: HelperMetrics,
    policy: String,
    slot_seconds: Option<f64>,
    /// The slot told last.
    told_slot: Option<u64>,
    /// Those of a true queue, if there is one.
    queue: Option<QueueMetrics>,
}

#[derive(Debug)]
struct QueueMetrics {
    length: IntGauge,
    own_tasks: IntCounter,
    turned_away: IntCounter,
    served: IntCounter,
    busy_slots: IntCounter,
    queueing_slots: Histogram,
    queueing_seconds: Option<Histogram>,
    told: QueueCounts,
    told_own: u64,
}

impl SessionMetrics {
    /// Tells where the node is now.
    pub(crate) fn tell(&mut self, helper: &Helper) {
        // The first slot itself counts.
        let before = self.told_slot.replace(helper.slot()).unwrap_or(helper.slot() - 1);
        self.slots.inc_by(helper.slot() - before);
        let Some(fifo) = helper.fifo() else { return };
        let queue = self.queue.get_or_insert_with(|| {
            let capacity = self.all.queue_capacity.with_label_values(&[&self.policy]);
            capacity.set(fifo.capacity().into());
            QueueMetrics::new(&self.all, &self.policy, self.slot_seconds.is_some())
        });
        let (counts, own) = (fifo.counts(), helper.own_tasks());
        queue.length.set(fifo.length().into());
        queue.own_tasks.inc_by(own - queue.told_own);
        queue.turned_away.inc_by(counts.turned_away - queue.told.turned_away);
        queue.served.inc_by(counts.served - queue.told.served);
        queue.busy_slots.inc_by(counts.busy_slots - queue.told.busy_slots);
        (queue.told, queue.told_own) = (counts, own);
    }

    /// Tells of a task that was offloaded to the node just now, and whether it was taken.
    pub(crate) fn offloaded(&mut self, helper: &Helper, taken: bool) {
        self.tell(helper);
        if !taken {
            return;
        }
        self.accepted.inc();
        // It was the last to join.
        let (Some(fifo), Some(queue)) = (helper.fifo(), &self.queue) else { return };
        let slots = fifo.slots_to_serve() as f64;
        queue.queueing_slots.observe(slots);
        if let (Some(seconds), Some(slot)) = (&queue.queueing_seconds, self.slot_seconds) {
            seconds.observe(slots * slot);
        }
    }
}

impl QueueMetrics {
    fn new(all: &HelperMetrics, policy: &str, real_time: bool) -> QueueMetrics {
        let labels = &[policy];
        QueueMetrics {
            length: all.queue_length.with_label_values(labels),
            own_tasks: all.own_tasks.with_label_values(labels),
            turned_away: all.turned_away.with_label_values(labels),
            served: all.served.with_label_values(labels),
            busy_slots: all.busy_slots.with_label_values(labels),
            queueing_slots: all.queueing_slots.with_label_values(labels),
            queueing_seconds: real_time.then(|| all.queueing_seconds.with_label_values(labels)),
            told: QueueCounts::default(),
            told_own: 0,
        }
    }
}

/// A session that is open.
#[derive(Debug)]
pub(crate) struct OpenSession(IntGauge);

impl Drop for OpenSession {
    fn drop(&mut self) {
        self.0.dec();
    }
}
