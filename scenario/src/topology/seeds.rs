//! Seeds in the topology file.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The seeds of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Seeds {
    /// This many, from 1.
    Count(u64),
    /// These.
    List(Vec<u64>),
    /// This many, from another number than 1.
    Block(SeedBlock),
}

/// Consecutive seeds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SeedBlock {
    /// The first seed.
    pub first: u64,
    /// How many.
    pub count: u64,
}

impl Default for Seeds {
    fn default() -> Seeds {
        Seeds::Count(1)
    }
}

impl Seeds {
    /// How many seeds there are.
    pub fn count(&self) -> u64 {
        match self {
            Seeds::Count(count) => *count,
            Seeds::List(list) => list.len() as u64,
            Seeds::Block(block) => block.count,
        }
    }

    /// The seeds one by one, in the order in which they are run.
    pub fn to_vec(&self) -> Vec<u64> {
        match self {
            Seeds::Count(count) => (1..=*count).collect(),
            Seeds::List(list) => list.clone(),
            Seeds::Block(block) => (block.first..block.first.saturating_add(block.count)).collect(),
        }
    }
}

impl<'de> Deserialize<'de> for Seeds {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct SeedsVisitor;
        impl<'de> serde::de::Visitor<'de> for SeedsVisitor {
            type Value = Seeds;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a count, a list of seeds, or `{ first = ..., count = ... }`")
            }

            fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Seeds, E> {
                u64::try_from(value)
                    .map(Seeds::Count)
                    .map_err(|_| E::custom("a count of seeds cannot be negative"))
            }

            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, seq: A) -> Result<Seeds, A::Error> {
                Vec::deserialize(serde::de::value::SeqAccessDeserializer::new(seq)).map(Seeds::List)
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, map: A) -> Result<Seeds, A::Error> {
                SeedBlock::deserialize(serde::de::value::MapAccessDeserializer::new(map))
                    .map(Seeds::Block)
            }
        }
        deserializer.deserialize_any(SeedsVisitor)
    }
}
