//! Helper nodes in the topology file.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{NoParameters, Range};
use crate::tagged::tagged_enum;

/// What all helper nodes have in common.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NodeDefaults {
    /// How many helper nodes there are; they are called `h0`, `h1`, ... Leave it out where the
    /// file lists them as `[[node]]`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
    /// Hidden preference weights. Required with features from a model; with a trace the default is
    /// the trace's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weights: Option<Weights>,
    /// How the weights drift; left out, they stay as they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drift: Option<Drift>,
    /// CPU frequency in GHz: a number, or an interval from which each node's is drawn once a seed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_frequency_ghz: Option<Frequency>,
    /// Channel quality indicator.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cqi: Option<Cqi>,
    /// The queue of tasks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<Queue>,
}

/// One helper node; each key left out is taken from `[nodes]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HelperNode {
    /// Its name (lower-case letters, digits and hyphens).
    pub name: String,
    /// Hidden preference weights.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights: Option<Weights>,
    /// How the weights drift.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drift: Option<Drift>,
    /// CPU frequency in GHz: a number, or an interval from which it is drawn once a seed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_frequency_ghz: Option<Frequency>,
    /// Channel quality indicator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cqi: Option<Cqi>,
    /// The queue of tasks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<Queue>,
}

/// A CPU frequency in GHz: fixed, or drawn once for each node and seed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Frequency {
    /// This many GHz.
    Fixed(f64),
    /// Drawn uniformly, once.
    Drawn(Range),
}

impl<'de> Deserialize<'de> for Frequency {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FrequencyVisitor;
        impl<'de> serde::de::Visitor<'de> for FrequencyVisitor {
            type Value = Frequency;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a number of GHz, or an interval `{ min = ..., max = ... }`")
            }

            fn visit_f64<E>(self, value: f64) -> Result<Frequency, E> {
                Ok(Frequency::Fixed(value))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Frequency, E> {
                Ok(Frequency::Fixed(value as f64))
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(
                self,
                map: A,
            ) -> Result<Frequency, A::Error> {
                Range::deserialize(serde::de::value::MapAccessDeserializer::new(map))
                    .map(Frequency::Drawn)
            }
        }
        deserializer.deserialize_any(FrequencyVisitor)
    }
}

tagged_enum! {
    /// Hidden preference weights of a helper node, one for each feature; `||w|| <= 1`.
    pub enum Weights {
        /// The same numbers under every seed.
        Given(GivenWeights) = "given",
        /// |N(0,1)| with the given signs, scaled to `norm`, anew for each seed and node.
        Signs(SignedWeights) = "signs",
        /// Uniform on the sphere of radius `norm`, anew for each seed and node.
        Sphere(SphereWeights) = "sphere",
        /// From the header of the trace.
        Trace(TraceWeights) = "trace",
    }
}

/// Weights that are written down.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GivenWeights {
    /// One weight for each feature.
    pub values: Vec<f64>,
}

/// Weights with known signs and unknown sizes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SignedWeights {
    /// The sign of each feature's weight: -1 or 1.
    pub signs: Vec<i8>,
    /// Length of the vector.
    #[serde(default = "one")]
    pub norm: f64,
}

/// Weights in any direction.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SphereWeights {
    /// Length of the vector.
    #[serde(default = "one")]
    pub norm: f64,
}

tagged_enum! {
    /// How hidden weights drift from slot to slot.
    pub enum Drift {
        /// Not at all.
        None(NoParameters) = "none",
        /// They turn in a plane that is drawn for each seed and node; their norm stays the same.
        Rotate(RotatingWeights) = "rotate",
    }
}

/// Weights that turn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RotatingWeights {
    /// Slots of a full turn, at least 4. After half of it a node likes what it disliked before.
    pub period_slots: f64,
}

/// Weights from the header of the trace.
pub type TraceWeights = NoParameters;

fn one() -> f64 {
    1.0
}

tagged_enum! {
    /// Channel quality indicator of a helper node, slot after slot.
    pub enum Cqi {
        /// Uniform between `min` and `max`, independent from slot to slot.
        Iid(IidCqi) = "iid",
        /// A Gaussian first-order autoregressive process, mapped to uniform values (a Gaussian
        /// copula), so that its values in any one slot are distributed as with `iid`.
        Autoregressive(AutoregressiveCqi) = "ar1",
        /// The index that the rate of the node's link amounts to, by table 7.2.3-1 of 3GPP TS 36.213.
        Link(LinkCqi) = "link",
    }
}

/// Channel quality of a link.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LinkCqi {
    /// MHz of the channel (0.001 to 100,000). The rate to the helper node, divided by it, is what the
    /// index stands for.
    pub bandwidth_mhz: f64,
}

impl Default for LinkCqi {
    fn default() -> LinkCqi {
        LinkCqi { bandwidth_mhz: 20.0 }
    }
}

/// Independent channel quality.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IidCqi {
    /// Smallest value.
    pub min: f64,
    /// Largest value.
    pub max: f64,
}

/// Channel quality with a memory.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AutoregressiveCqi {
    /// Smallest value.
    pub min: f64,
    /// Largest value.
    pub max: f64,
    /// Correlation of one slot with the next, between -1 and 1 (both excluded).
    pub correlation: f64,
}

tagged_enum! {
    /// The queue of a helper node. As a feature it is `min(length, capacity) / capacity`.
    pub enum Queue {
        /// Length drawn anew each slot, uniformly between 0 and full; the task node's choices leave
        /// no trace in it, and it never refuses.
        Drawn(DrawnQueue) = "drawn",
        /// A true first-in-first-out queue, which the offloaded tasks join.
        Fifo(FifoQueue) = "fifo",
    }
}

/// A queue whose length is drawn anew each slot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DrawnQueue {
    /// Smallest length, as a share of the capacity (0 to 1).
    pub min: f64,
    /// Largest length, as a share of the capacity (0 to 1).
    pub max: f64,
}

impl Default for DrawnQueue {
    fn default() -> DrawnQueue {
        DrawnQueue { min: 0.0, max: 1.0 }
    }
}

/// A true first-in-first-out queue.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FifoQueue {
    /// How many tasks it holds, the one in service included (1 to 1,000,000). A full queue refuses.
    pub capacity: u32,
    /// Tasks served a slot (0.000001 to 1000, in steps of 0.000001).
    pub service_rate: f64,
    /// Mean number of tasks a slot that the node generates itself (Poisson, 0 to 100). Own tasks
    /// that find the queue full are lost.
    #[serde(default)]
    pub own_rate: f64,
}

/// Whether a text can be the name of a node: a label of a DNS name, since it stands in
/// certificates.
pub fn is_node_name(name: &str) -> bool {
    (1..=63).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !name.starts_with('-')
        && !name.ends_with('-')
}
