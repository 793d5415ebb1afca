//! Expectations in the topology file.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Something the run is expected to show. It is checked over the seeds of the run: `below` another
/// policy means that the 95 % confidence interval of the paired difference lies below 0 (above 0
/// for `above`); against a number it is the mean that counts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// Name of the policy.
    pub policy: String,
    /// What is compared.
    pub metric: Metric,
    /// The policy or number it is expected to lie below.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub below: Option<Bound>,
    /// The policy or number it is expected to lie above.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub above: Option<Bound>,
    /// The slot at which it holds. A shorter run reports the expectation as not evaluated.
    pub slot: u64,
    /// The least number of seeds it holds for. A run with fewer reports it as not evaluated.
    pub seeds: u64,
}

/// What is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Cumulative linear regret divided by the number of slots.
    AverageRegret,
    /// Cumulative regret in linear units, sum of x*.w* - x.w.
    RegretLinear,
    /// Cumulative regret as lost happiness, sum of P* - P.
    RegretHappiness,
    /// Cumulative reward, +1 for a happy bit and -1 for any other outcome.
    Reward,
}

impl Metric {
    /// The name in files and tables.
    pub fn name(self) -> &'static str {
        match self {
            Metric::AverageRegret => "average_regret",
            Metric::RegretLinear => "regret_linear",
            Metric::RegretHappiness => "regret_happiness",
            Metric::Reward => "reward",
        }
    }
}

/// What a metric is compared with.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Bound {
    /// A number in the metric's own units.
    Number(f64),
    /// Another policy of the run.
    Policy(String),
}

impl Bound {
    /// The policy, if it is one.
    pub fn policy(&self) -> Option<&str> {
        match self {
            Bound::Number(_) => None,
            Bound::Policy(name) => Some(name),
        }
    }
}

/// An expectation of any problem, as far as they are alike.
pub trait Naming {
    /// The policy of which something is expected.
    fn policy(&self) -> &str;

    /// What it is expected to lie below or above.
    fn bounds(&self) -> [Option<&Bound>; 2];

    /// The least number of seeds it holds for.
    fn seeds(&self) -> u64;

    /// Whether `known` accepts every policy that it names.
    fn names_only(&self, known: impl Fn(&str) -> bool) -> bool {
        let others = self.bounds().into_iter().flatten().filter_map(Bound::policy);
        std::iter::once(self.policy()).chain(others).all(known)
    }
}

/// For expectations whose fields have these names.
macro_rules! naming {
    ($($expect:ty),*) => {$(
        impl Naming for $expect {
            fn policy(&self) -> &str {
                &self.policy
            }

            fn bounds(&self) -> [Option<&Bound>; 2] {
                [self.below.as_ref(), self.above.as_ref()]
            }

            fn seeds(&self) -> u64 {
                self.seeds
            }
        }
    )*};
}
naming!(Expect, super::PlacementExpect, super::CascadeExpect, super::PipelineExpect);

impl<'de> Deserialize<'de> for Bound {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct BoundVisitor;
        impl serde::de::Visitor<'_> for BoundVisitor {
            type Value = Bound;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a number or the name of a policy")
            }

            fn visit_f64<E>(self, value: f64) -> Result<Bound, E> {
                Ok(Bound::Number(value))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Bound, E> {
                Ok(Bound::Number(value as f64))
            }

            fn visit_str<E>(self, value: &str) -> Result<Bound, E> {
                Ok(Bound::Policy(value.to_owned()))
            }
        }
        deserializer.deserialize_any(BoundVisitor)
    }
}
