//! Intervals from which something is drawn.

use std::fmt;
use std::marker::PhantomData;

use schemars::JsonSchema;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

/// An interval from which values are drawn uniformly.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Range {
    /// Smallest value.
    pub min: f64,
    /// Largest value.
    pub max: f64,
}

impl<'de> Deserialize<'de> for Range {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Range, D::Error> {
        let Ends { min, max } = Ends::read(deserializer)?;
        Ok(Range { min, max })
    }
}

/// Whole numbers from which one is drawn uniformly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Counts {
    /// The smallest.
    pub min: u32,
    /// The largest.
    pub max: u32,
}

impl<'de> Deserialize<'de> for Counts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Counts, D::Error> {
        let Ends { min, max } = Ends::read(deserializer)?;
        Ok(Counts { min, max })
    }
}

/// Both ends of an interval.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ends<T> {
    min: T,
    max: T,
}

impl<'de, T: Deserialize<'de>> Ends<T> {
    /// Reads a table, or a list of exactly two: what serde derives forgets what follows the second, and
    /// names a type of ours where one is missing.
    fn read<D: Deserializer<'de>>(deserializer: D) -> Result<Ends<T>, D::Error> {
        deserializer.deserialize_struct("Ends", &["min", "max"], EndsVisitor(PhantomData))
    }
}

struct EndsVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for EndsVisitor<T> {
    type Value = Ends<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an interval `{ min = ..., max = ... }`")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Ends<T>, A::Error> {
        Ends::deserialize(MapAccessDeserializer::new(map))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Ends<T>, A::Error> {
        let few = |count| A::Error::invalid_length(count, &self);
        let min = list.next_element()?.ok_or_else(|| few(0))?;
        let max = list.next_element()?.ok_or_else(|| few(1))?;
        let mut count = 2;
        while list.next_element::<IgnoredAny>()?.is_some() {
            count += 1;
        }
        if count > 2 { Err(few(count)) } else { Ok(Ends { min, max }) }
    }
}
