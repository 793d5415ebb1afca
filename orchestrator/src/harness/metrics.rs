//! What Prometheus is told of a run while it goes on, in all problems but `one-bit`
//! (`docs/metrics.md`).

use prometheus::{CounterVec, GaugeVec, Registry};

use crate::run_metrics::{Maker, RunLabels, RunMetrics};

/// A metric that a problem has of each policy, beside those that every run has.
#[derive(Debug, Clone, Copy)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// What it says.
    pub help: &'static str,
    /// What its values are.
    pub kind: MetricKind,
    /// Its label beside `policy`.
    pub label: Option<&'static str>,
}

/// How the values of a metric follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricKind {
    /// They rise within a trial, and go on from seed to seed.
    Counter,
    /// Each trial has its own.
    Gauge,
}

impl Metric {
    /// A counter of each policy.
    pub const fn counter(name: &'static str, help: &'static str) -> Metric {
        Metric { name, help, kind: MetricKind::Counter, label: None }
    }

    /// A gauge of each policy.
    pub const fn gauge(name: &'static str, help: &'static str) -> Metric {
        Metric { name, help, kind: MetricKind::Gauge, label: None }
    }

    /// The same with one series for each value of a label.
    pub const fn by(self, label: &'static str) -> Metric {
        Metric { label: Some(label), ..self }
    }
}

/// What a trial has told Prometheus so far: the last value of each series.
#[derive(Debug, Clone, Default)]
pub struct Shown(Vec<Value>);

#[derive(Debug, Clone)]
struct Value {
    /// Name of the metric.
    metric: &'static str,
    label: String,
    value: f64,
}

impl Shown {
    /// Puts `value` in the place of the last one of this series, and gives that: 0 at first.
    fn replace(&mut self, metric: &'static str, label: &str, value: f64) -> f64 {
        // A trial has a dozen of them.
        match self.0.iter_mut().find(|shown| shown.metric == metric && shown.label == label) {
            Some(shown) => std::mem::replace(&mut shown.value, value),
            None => {
                self.0.push(Value { metric, label: label.to_owned(), value });
                0.0
            }
        }
    }
}

/// The metrics of a run of some problem.
#[derive(Debug)]
pub struct ProblemMetrics {
    /// Those that every run has.
    pub run: RunMetrics,
    /// The problem's own, by their names.
    families: Vec<(&'static str, Family)>,
    policies: Vec<String>,
    /// The task node and the helper nodes.
    sites: Vec<String>,
}

#[derive(Debug)]
enum Family {
    Counter(CounterVec),
    Gauge(GaugeVec),
}

impl ProblemMetrics {
    /// Of a run of `policies` at `sites`, the task node first, that has not begun; they go to
    /// `registry`.
    ///
    /// # Errors
    /// If the registry has metrics of these names already.
    pub fn new(
        labels: RunLabels<'_>,
        metrics: &[Metric],
        policies: Vec<String>,
        sites: Vec<String>,
        registry: &Registry,
    ) -> prometheus::Result<ProblemMetrics> {
        let make = Maker(registry);
        let family = |metric: &Metric| {
            let labels: Vec<&str> = ["policy"].into_iter().chain(metric.label).collect();
            let Metric { name, help, kind, .. } = *metric;
            let family = match kind {
                MetricKind::Counter => Family::Counter(make.counter(name, help, &labels)?),
                MetricKind::Gauge => Family::Gauge(make.gauge(name, help, &labels)?),
            };
            Ok((name, family))
        };
        Ok(ProblemMetrics {
            run: RunMetrics::new(&make, labels, policies.iter().map(String::as_str))?,
            families: metrics.iter().map(family).collect::<prometheus::Result<_>>()?,
            policies,
            sites,
        })
    }

    /// The series of a trial of `policy`, of which `shown` was told before.
    pub fn trial<'m>(&'m self, policy: usize, shown: &'m mut Shown) -> TrialSeries<'m> {
        TrialSeries { metrics: self, policy: &self.policies[policy], shown }
    }
}

/// Where a ledger tells what its trial has come to.
#[derive(Debug)]
pub struct TrialSeries<'m> {
    metrics: &'m ProblemMetrics,
    policy: &'m str,
    shown: &'m mut Shown,
}

impl TrialSeries<'_> {
    /// The value of a metric without a label of its own.
    pub fn set(&mut self, metric: &Metric, value: f64) {
        self.put(metric, None, value);
    }

    /// The value of a metric for one value of its label.
    pub fn set_of(&mut self, metric: &Metric, label: &str, value: f64) {
        self.put(metric, Some(label), value);
    }

    /// The value of a metric for the site of this number, where 0 is the task node.
    pub fn set_at(&mut self, metric: &Metric, site: usize, value: f64) {
        let metrics = self.metrics;
        self.put(metric, metrics.sites.get(site).map(String::as_str), value);
    }

    fn put(&mut self, metric: &Metric, label: Option<&str>, value: f64) {
        let before = self.shown.replace(metric.name, label.unwrap_or_default(), value);
        let labels: Vec<&str> = [self.policy].into_iter().chain(label).collect();
        let families = &self.metrics.families;
        let found = families.iter().find(|(name, _)| *name == metric.name);
        let (_, family) = found.expect("a ledger shows the metrics that its problem names");
        match family {
            // Rounding may give a sum a little less than before.
            Family::Counter(family) => {
                family.with_label_values(&labels).inc_by((value - before).max(0.0));
            }
            Family::Gauge(family) => family.with_label_values(&labels).set(value),
        }
    }
}
