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
    pub label: Option<Label>,
    /// Whether its series are there from the start, at 0.
    pub from_start: bool,
}

/// A label of a metric, with the values that it has.
#[derive(Debug, Clone, Copy)]
pub enum Label {
    /// `node`: the helper nodes.
    Node,
    /// `site`: the task node and the helper nodes.
    Site,
    /// `fate`: what became of something.
    Fate(&'static [&'static str]),
}

impl Label {
    fn name(self) -> &'static str {
        match self {
            Label::Node => "node",
            Label::Site => "site",
            Label::Fate(_) => "fate",
        }
    }
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
        Metric { name, help, kind: MetricKind::Counter, label: None, from_start: true }
    }

    /// A gauge of each policy.
    pub const fn gauge(name: &'static str, help: &'static str) -> Metric {
        Metric { name, help, kind: MetricKind::Gauge, label: None, from_start: false }
    }

    /// The same with one series for each value of a label.
    pub const fn by(self, label: Label) -> Metric {
        Metric { label: Some(label), ..self }
    }

    /// The same, but there with its first value alone: not every policy or run has it.
    pub const fn from_first_value(self) -> Metric {
        Metric { from_start: false, ..self }
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
        // There are few, but for those of each node.
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
            let own = metric.label.map(Label::name);
            let labels: Vec<&str> = ["policy"].into_iter().chain(own).collect();
            let Metric { name, help, kind, .. } = *metric;
            let family = match kind {
                MetricKind::Counter => Family::Counter(make.counter(name, help, &labels)?),
                MetricKind::Gauge => Family::Gauge(make.gauge(name, help, &labels)?),
            };
            Ok((name, family))
        };
        let made = ProblemMetrics {
            run: RunMetrics::new(&make, labels, policies.iter().map(String::as_str))?,
            families: metrics.iter().map(family).collect::<prometheus::Result<_>>()?,
            policies,
            sites,
        };
        metrics.iter().filter(|metric| metric.from_start).for_each(|metric| made.begin(metric));
        Ok(made)
    }

    /// Shows all series of a metric at 0.
    fn begin(&self, metric: &Metric) {
        let sites = || self.sites.iter().map(String::as_str);
        let labels: Vec<Option<&str>> = match metric.label {
            None => vec![None],
            Some(Label::Node) => sites().skip(1).map(Some).collect(),
            Some(Label::Site) => sites().map(Some).collect(),
            Some(Label::Fate(fates)) => fates.iter().copied().map(Some).collect(),
        };
        for policy in 0..self.policies.len() {
            let mut shown = Shown::default();
            let mut series = self.trial(policy, &mut shown);
            labels.iter().for_each(|label| series.put(metric, *label, 0.0));
        }
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

    /// The value of a metric for a fate.
    pub fn set_of(&mut self, metric: &Metric, label: &str, value: f64) {
        self.put(metric, Some(label), value);
    }

    /// The value of a metric for the site of this number, where 0 is the task node.
    pub fn set_at(&mut self, metric: &Metric, site: usize, value: f64) {
        let metrics = self.metrics;
        self.put(metric, Some(&metrics.sites[site]), value);
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
