//! What a trial comes to: a few numbers that are added up application by application.

use fogbit_policy::pipeline::Optimum;
use fogbit_scenario::pipeline::{Application, ApplicationFate, ApplicationStep, Measured};
use serde::{Deserialize, Serialize};

use crate::stats::sample::{Distribution, Sample};

/// The first applications of a trial are kept as they were placed, so many of them: one is drawn in
/// the report.
pub const MOST_KEPT: u64 = 100;

/// Nanoseconds in milliseconds.
pub fn milliseconds(ns: u64) -> f64 {
    ns as f64 / 1e6
}

/// An application that was placed, and what the model says of it.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'e> {
    /// What happened.
    pub step: &'e ApplicationStep,
    /// The application.
    pub application: &'e Application,
    /// Its modelled delay under the placement of the step, in nanoseconds.
    pub delay_ns: u64,
    /// Its best placement.
    pub label: &'e Optimum,
    /// By how much its sub-tasks took longer than they were to, all together, in nanoseconds; 0 where
    /// nobody measured.
    pub held_up_ns: u64,
}

impl Entry<'_> {
    /// Sub-tasks that are placed as in the label.
    pub fn as_label(&self) -> u64 {
        as_label(&self.step.placement, &self.label.placement)
    }

    /// The modelled delay over the least one. Nothing but an application without any work has a least
    /// delay of 0, and then every delay is measured in nanoseconds.
    pub fn ratio(&self) -> f64 {
        ratio(self.delay_ns, self.label.delay_ns)
    }
}

/// How many sub-tasks two placements have at the same site.
pub fn as_label(placement: &[u8], label: &[u8]) -> u64 {
    placement.iter().zip(label).filter(|(own, best)| own == best).count() as u64
}

/// A delay over the least one: 1 where both are 0.
pub fn ratio(delay_ns: u64, optimum_ns: u64) -> f64 {
    if delay_ns == optimum_ns { 1.0 } else { delay_ns as f64 / optimum_ns.max(1) as f64 }
}

/// What became of applications: `applications = done + timed_out + refused`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counts {
    /// Applications.
    pub applications: u64,
    /// All of their sub-tasks ran.
    pub done: u64,
    /// They were not done in time.
    pub timed_out: u64,
    /// A site refused its part.
    pub refused: u64,
    /// Sub-tasks of all of them.
    pub sub_tasks: u64,
    /// Sub-tasks that are placed as in the label.
    pub as_label: u64,
    /// Applications that are placed exactly as in the label.
    pub exact: u64,
    /// Applications whose modelled delay is the least one.
    pub optimal: u64,
}

impl Counts {
    fn add(&mut self, entry: &Entry<'_>) {
        let (step, as_label) = (entry.step, entry.as_label());
        let sub_tasks = step.placement.len() as u64;
        self.applications += 1;
        match step.fate {
            ApplicationFate::Done => self.done += 1,
            ApplicationFate::TimedOut => self.timed_out += 1,
            ApplicationFate::Refused(_) => self.refused += 1,
        }
        self.sub_tasks += sub_tasks;
        self.as_label += as_label;
        self.exact += u64::from(as_label == sub_tasks);
        self.optimal += u64::from(entry.delay_ns == entry.label.delay_ns);
    }

    fn merge(&mut self, other: &Counts) {
        self.applications += other.applications;
        self.done += other.done;
        self.timed_out += other.timed_out;
        self.refused += other.refused;
        self.sub_tasks += other.sub_tasks;
        self.as_label += other.as_label;
        self.exact += other.exact;
        self.optimal += other.optimal;
    }
}

/// What really happened beside what the model says, of the applications that were done and measured.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct MeasuredTally {
    /// Sum of the measured delays, in nanoseconds.
    delay_ns: u128,
    /// Sum of the modelled delays of the same applications.
    modelled_ns: u128,
    /// Measured over modelled delay.
    ratio: Sample,
    /// Applications that the host held up.
    late: u64,
}

/// Whether the host held up the sub-tasks of an application for more than a twentieth of its measured
/// delay: work is timed, so it was busy with something else.
pub fn is_late(held_up_ns: u64, measured_ns: u64) -> bool {
    u128::from(held_up_ns) * 20 > u128::from(measured_ns)
}

impl MeasuredTally {
    /// Sum of the measured delays, in nanoseconds.
    pub fn delay_ns(&self) -> u128 {
        self.delay_ns
    }

    /// Sum of the modelled delays of the same applications, in nanoseconds.
    pub fn modelled_ns(&self) -> u128 {
        self.modelled_ns
    }

    /// How many applications were measured.
    pub fn count(&self) -> u64 {
        self.ratio.running().n
    }

    /// How many of them the host held up.
    pub fn late(&self) -> u64 {
        self.late
    }

    fn add(&mut self, measured_ns: u64, modelled_ns: u64, held_up_ns: u64) {
        self.late += u64::from(is_late(held_up_ns, measured_ns));
        self.delay_ns += u128::from(measured_ns);
        self.modelled_ns += u128::from(modelled_ns);
        self.ratio.add(ratio(measured_ns, modelled_ns));
    }

    fn merge(&mut self, other: &MeasuredTally) {
        self.delay_ns += other.delay_ns;
        self.modelled_ns += other.modelled_ns;
        self.ratio.merge(&other.ratio);
        self.late += other.late;
    }

    fn kpis(&self) -> Option<MeasuredKpis> {
        let ratio = self.ratio.distribution()?;
        let mean = |sum: u128| sum as f64 / ratio.count as f64 / 1e6;
        Some(MeasuredKpis {
            mean_delay_ms: mean(self.delay_ns),
            mean_modelled_ms: mean(self.modelled_ns),
            late: self.late,
            ratio,
        })
    }
}

/// One of the first applications of a trial.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptApplication {
    /// Its number.
    pub application: u64,
    /// Where its sub-tasks were placed.
    pub placement: Vec<u8>,
    /// Where they had best been.
    pub label: Vec<u8>,
    /// What really happened, in real time over processes.
    pub measured: Option<Measured>,
}

/// The sums of a trial, or of several.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Tally {
    /// What became of applications.
    pub counts: Counts,
    /// Sum of the modelled delays, in nanoseconds.
    pub delay_ns: u128,
    /// Sum of the least delays.
    pub optimum_ns: u128,
    /// Sub-tasks at each site.
    pub at_site: Vec<u64>,
    /// Modelled delays in milliseconds.
    pub delays_ms: Sample,
    /// Modelled delays over the least ones.
    pub ratios: Sample,
    /// What was measured.
    pub measured: MeasuredTally,
    /// The first applications. Those of a trial that is merged into another one are left out.
    pub first: Vec<KeptApplication>,
}

impl Tally {
    /// One more application.
    pub fn add(&mut self, entry: &Entry<'_>) {
        let Entry { step, delay_ns, label, .. } = *entry;
        self.counts.add(entry);
        self.delay_ns += u128::from(delay_ns);
        self.optimum_ns += u128::from(label.delay_ns);
        for site in &step.placement {
            let site = usize::from(*site);
            if self.at_site.len() <= site {
                self.at_site.resize(site + 1, 0);
            }
            self.at_site[site] += 1;
        }
        self.delays_ms.add(milliseconds(delay_ns));
        self.ratios.add(entry.ratio());
        if let Some(measured) = step.measured.as_ref().filter(|_| is_done(step)) {
            self.measured.add(measured.delay_ns, delay_ns, entry.held_up_ns);
        }
        if step.application <= MOST_KEPT {
            self.first.push(KeptApplication {
                application: step.application,
                placement: step.placement.clone(),
                label: label.placement.clone(),
                measured: step.measured.clone(),
            });
        }
    }

    /// Those of another trial too, but for its first applications.
    pub fn merge(&mut self, other: &Tally) {
        self.counts.merge(&other.counts);
        self.delay_ns += other.delay_ns;
        self.optimum_ns += other.optimum_ns;
        if self.at_site.len() < other.at_site.len() {
            self.at_site.resize(other.at_site.len(), 0);
        }
        for (into, count) in self.at_site.iter_mut().zip(&other.at_site) {
            *into += count;
        }
        self.delays_ms.merge(&other.delays_ms);
        self.ratios.merge(&other.ratios);
        self.measured.merge(&other.measured);
    }

    /// What all placements so far have cost beyond the best ones, in milliseconds.
    pub fn lost_ms(&self) -> f64 {
        self.delay_ns.saturating_sub(self.optimum_ns) as f64 / 1e6
    }

    /// What was measured; none where nobody did.
    pub fn measured_kpis(&self) -> Option<MeasuredKpis> {
        self.measured.kpis()
    }

    /// Its figures, of applications over so many sites.
    pub fn kpis(&self, sites: usize) -> Kpis {
        let counts = self.counts;
        let share = |part: u64, all: u64| (all > 0).then(|| part as f64 / all as f64);
        let mean_ms = |sum: u128| {
            (counts.applications > 0).then(|| sum as f64 / counts.applications as f64 / 1e6)
        };
        let at = |site: usize| self.at_site.get(site).copied().unwrap_or(0);
        Kpis {
            counts,
            mean_delay_ms: mean_ms(self.delay_ns),
            mean_optimum_ms: mean_ms(self.optimum_ns),
            delay_ratio: (self.optimum_ns > 0)
                .then(|| self.delay_ns as f64 / self.optimum_ns as f64),
            label_accuracy: share(counts.as_label, counts.sub_tasks),
            exact_match: share(counts.exact, counts.applications),
            optimal_share: share(counts.optimal, counts.applications),
            site_share: match counts.sub_tasks {
                0 => Vec::new(),
                all => (0..sites).map(|site| at(site) as f64 / all as f64).collect(),
            },
            delay_ms: self.delays_ms.distribution(),
            ratio: self.ratios.distribution(),
            measured: self.measured_kpis(),
        }
    }
}

fn is_done(step: &ApplicationStep) -> bool {
    step.fate == ApplicationFate::Done
}

/// The figures of a trial, or of several; null where there is no such thing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Kpis {
    /// What became of the applications.
    #[serde(flatten)]
    pub counts: Counts,
    /// Mean modelled delay in milliseconds.
    pub mean_delay_ms: Option<f64>,
    /// Mean of the least delays in milliseconds.
    pub mean_optimum_ms: Option<f64>,
    /// Sum of the modelled delays over the sum of the least ones.
    pub delay_ratio: Option<f64>,
    /// Share of the sub-tasks that are placed as in the label.
    pub label_accuracy: Option<f64>,
    /// Share of the applications that are placed exactly as in the label.
    pub exact_match: Option<f64>,
    /// Share of the applications whose delay is the least one.
    pub optimal_share: Option<f64>,
    /// Share of the sub-tasks at each site, the device first; empty where there are none.
    pub site_share: Vec<f64>,
    /// How modelled delays are spread, in milliseconds.
    pub delay_ms: Option<Distribution>,
    /// How delays over the least ones are spread, application by application.
    pub ratio: Option<Distribution>,
    /// What really happened; null where nobody measured.
    pub measured: Option<MeasuredKpis>,
}

/// What really happened to the applications that were done and measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MeasuredKpis {
    /// Mean measured delay in milliseconds.
    pub mean_delay_ms: f64,
    /// Mean modelled delay of the same applications.
    pub mean_modelled_ms: f64,
    /// How many of them the host held up ([`is_late`]).
    pub late: u64,
    /// How measured over modelled delays are spread.
    pub ratio: Distribution,
}

#[cfg(test)]
mod tests;
