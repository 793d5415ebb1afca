//! How long trials are.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Length of each trial.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum RunLength {
    /// This many slots; one task and one decision a slot.
    Slots(u64),
    /// Until the run is stopped.
    #[serde(with = "endless")]
    #[schemars(schema_with = "endless::schema")]
    Endless,
}

impl RunLength {
    /// The last slot of a trial; the largest number where it has none.
    pub fn last_slot(self) -> u64 {
        match self {
            RunLength::Slots(slots) => slots,
            RunLength::Endless => u64::MAX,
        }
    }

    /// The number of slots, if trials have one.
    pub fn slots(self) -> Option<u64> {
        match self {
            RunLength::Slots(slots) => Some(slots),
            RunLength::Endless => None,
        }
    }
}

impl std::fmt::Display for RunLength {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            RunLength::Slots(slots) => write!(f, "{slots} slots"),
            RunLength::Endless => f.write_str("endless"),
        }
    }
}

impl<'de> Deserialize<'de> for RunLength {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct LengthVisitor;
        impl serde::de::Visitor<'_> for LengthVisitor {
            type Value = RunLength;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a number of slots, or \"endless\"")
            }

            fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<RunLength, E> {
                u64::try_from(value)
                    .map(RunLength::Slots)
                    .map_err(|_| E::invalid_value(serde::de::Unexpected::Signed(value), &self))
            }

            fn visit_u64<E>(self, value: u64) -> Result<RunLength, E> {
                Ok(RunLength::Slots(value))
            }

            fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<RunLength, E> {
                match value {
                    endless::WORD => Ok(RunLength::Endless),
                    other => Err(E::invalid_value(serde::de::Unexpected::Str(other), &self)),
                }
            }
        }
        deserializer.deserialize_any(LengthVisitor)
    }
}

mod endless {
    pub(super) const WORD: &str = "endless";

    pub(super) fn serialize<S: serde::Serializer>(serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(WORD)
    }

    pub(super) fn schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "const": WORD })
    }
}
