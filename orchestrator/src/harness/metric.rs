//! What policies are compared by.

use fogbit_scenario::topology::{CascadeMetric, Metric, PipelineMetric, PlacementMetric};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What policies of some problem are compared by.
pub trait ProblemMetric: Copy + 'static {
    /// All of them, in the order in which pairs and ranks are told.
    const ALL: &'static [Self];

    /// The name in files and tables. No two problems have one name for two things.
    fn name(self) -> &'static str;

    /// Whether more of it is better.
    fn higher_is_better(self) -> bool;

    /// What a paired difference in it says, in words.
    fn title(self) -> &'static str;

    /// How it is written and drawn.
    fn style(self) -> Style;

    /// The metric that it is, divided by the number of slots: their differences decide alike.
    fn per_slot_of(self) -> Option<Self> {
        None
    }
}

/// How a metric is written and drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// What it is, in a few words.
    pub phrase: &'static str,
    /// What it is measured in.
    pub unit: &'static str,
    /// Digits after the point.
    pub digits: usize,
    /// Whether an axis begins at 0: how much it is says as much as how far it differs.
    pub from_zero: bool,
}

impl Style {
    /// As the title of an axis.
    pub fn title(&self) -> String {
        format!("{} ({})", self.phrase, self.unit)
    }
}

impl ProblemMetric for Metric {
    const ALL: &'static [Metric] =
        &[Metric::RegretLinear, Metric::AverageRegret, Metric::RegretHappiness, Metric::Reward];

    fn name(self) -> &'static str {
        Metric::name(self)
    }

    fn higher_is_better(self) -> bool {
        self == Metric::Reward
    }

    fn title(self) -> &'static str {
        match self {
            Metric::RegretLinear => "Regret in linear units: below 0, the policy loses less",
            Metric::AverageRegret => {
                "Average regret in linear units a slot: below 0, the policy loses less"
            }
            Metric::RegretHappiness => {
                "Regret in expected happy bits: below 0, the policy loses less"
            }
            Metric::Reward => "Reward: above 0, the policy earns more",
        }
    }

    fn style(self) -> Style {
        let (phrase, unit, digits) = match self {
            Metric::AverageRegret => ("average regret", "linear units a slot", 4),
            Metric::RegretLinear => ("regret", "linear units", 1),
            Metric::RegretHappiness => ("regret", "expected happy bits", 1),
            Metric::Reward => ("reward", "happy bits − all other tasks", 1),
        };
        Style { phrase, unit, digits, from_zero: true }
    }

    fn per_slot_of(self) -> Option<Metric> {
        (self == Metric::AverageRegret).then_some(Metric::RegretLinear)
    }
}

/// A metric of any problem, as files name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// Its name.
    pub name: &'static str,
    /// Whether more of it is better.
    pub higher_is_better: bool,
    /// What a paired difference in it says, in words.
    pub title: &'static str,
    /// How it is written and drawn.
    pub style: Style,
    /// The name of the metric that it is, divided by the number of slots.
    pub per_slot_of: Option<&'static str>,
}

impl Known {
    /// Some metric of a problem.
    pub fn of<M: ProblemMetric>(metric: M) -> Known {
        Known {
            name: metric.name(),
            higher_is_better: metric.higher_is_better(),
            title: metric.title(),
            style: metric.style(),
            per_slot_of: metric.per_slot_of().map(M::name),
        }
    }

    /// All metrics of a problem, in their order.
    pub fn all<M: ProblemMetric>() -> Vec<Known> {
        M::ALL.iter().copied().map(Known::of).collect()
    }
}

/// By its name.
impl Serialize for Known {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name)
    }
}

impl<'de> Deserialize<'de> for Known {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Known, D::Error> {
        let name = String::deserialize(deserializer)?;
        known(&name).ok_or_else(|| serde::de::Error::custom(format!("no metric `{name}`")))
    }
}

/// The metric of that name; none where no problem has one, as in files of a later version.
pub fn known(name: &str) -> Option<Known> {
    of::<Metric>(name)
        .or_else(|| of::<PlacementMetric>(name))
        .or_else(|| of::<CascadeMetric>(name))
        .or_else(|| of::<PipelineMetric>(name))
}

fn of<M: ProblemMetric>(name: &str) -> Option<Known> {
    M::ALL.iter().copied().find(|metric| metric.name() == name).map(Known::of)
}

/// The names of all metrics of a problem.
pub fn names<M: ProblemMetric>() -> Vec<&'static str> {
    M::ALL.iter().map(|metric| metric.name()).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// What is looked up by its name must be the only one of that name, and be called in files as in
    /// topology files.
    #[test]
    fn names_are_those_of_topology_files_and_no_other_problem_has_them() {
        let written = |value: serde_json::Value| value.as_str().unwrap().to_owned();
        let of_files: Vec<String> = (Metric::ALL.iter())
            .map(|metric| written(serde_json::to_value(metric).unwrap()))
            .chain(
                PlacementMetric::ALL
                    .iter()
                    .map(|metric| written(serde_json::to_value(metric).unwrap())),
            )
            .chain(
                CascadeMetric::ALL
                    .iter()
                    .map(|metric| written(serde_json::to_value(metric).unwrap())),
            )
            .chain(
                PipelineMetric::ALL
                    .iter()
                    .map(|metric| written(serde_json::to_value(metric).unwrap())),
            )
            .collect();
        let all = [
            names::<Metric>(),
            names::<PlacementMetric>(),
            names::<CascadeMetric>(),
            names::<PipelineMetric>(),
        ]
        .concat();
        assert_eq!(all, of_files);
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
        let better: Vec<&str> =
            all.into_iter().filter(|name| known(name).unwrap().higher_is_better).collect();
        let right = [
            "reward",
            "accuracy",
            "accuracy_outside_band",
            "offloaded_share",
            "label_accuracy",
            "exact_match",
            "optimal_share",
        ];
        assert_eq!(better, right);
        assert_eq!(known("joy"), None);
    }
}
