//! What policies are compared by.

use fogbit_scenario::topology::{CascadeMetric, Metric, PlacementMetric};

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
}

impl ProblemMetric for PlacementMetric {
    const ALL: &'static [PlacementMetric] = &[
        PlacementMetric::MeanLatencyMs,
        PlacementMetric::MeanRegretMs,
        PlacementMetric::Accuracy,
        PlacementMetric::AccuracyOutsideBand,
    ];

    fn name(self) -> &'static str {
        match self {
            PlacementMetric::MeanLatencyMs => "mean_latency_ms",
            PlacementMetric::MeanRegretMs => "mean_regret_ms",
            PlacementMetric::Accuracy => "accuracy",
            PlacementMetric::AccuracyOutsideBand => "accuracy_outside_band",
        }
    }

    fn higher_is_better(self) -> bool {
        matches!(self, PlacementMetric::Accuracy | PlacementMetric::AccuracyOutsideBand)
    }

    fn title(self) -> &'static str {
        match self {
            PlacementMetric::MeanLatencyMs => "Mean latency in ms: below 0, the policy is faster",
            PlacementMetric::MeanRegretMs => "Mean regret in ms: below 0, the policy loses less",
            PlacementMetric::Accuracy => {
                "Share of decisions that are the best: above 0, the policy decides better"
            }
            PlacementMetric::AccuracyOutsideBand => "The same outside the band around break-even",
        }
    }
}

/// A metric of any problem, as files name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// Whether more of it is better.
    pub higher_is_better: bool,
    /// What a paired difference in it says, in words.
    pub title: &'static str,
}

/// The metric of that name; none where no problem has one, as in files of a later version.
pub fn known(name: &str) -> Option<Known> {
    of::<Metric>(name).or_else(|| of::<PlacementMetric>(name)).or_else(|| of::<CascadeMetric>(name))
}

fn of<M: ProblemMetric>(name: &str) -> Option<Known> {
    let metric = M::ALL.iter().copied().find(|metric| metric.name() == name)?;
    Some(Known { higher_is_better: metric.higher_is_better(), title: metric.title() })
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
            .collect();
        let all =
            [names::<Metric>(), names::<PlacementMetric>(), names::<CascadeMetric>()].concat();
        assert_eq!(all, of_files);
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
        let better: Vec<&str> =
            all.into_iter().filter(|name| known(name).unwrap().higher_is_better).collect();
        assert_eq!(better, ["reward", "accuracy", "accuracy_outside_band", "offloaded_share"]);
        assert_eq!(known("joy"), None);
    }
}
