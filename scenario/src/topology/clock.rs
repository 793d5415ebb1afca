//! Clocks in the topology file.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::tagged::tagged_enum;

tagged_enum! {
    /// How time passes.
    #[schemars(transform = crate::tagged::first_kind_is_default)]
    pub enum Clock {
        /// Lockstep: slot after slot, as fast as the nodes answer.
        Slot(SlotClock) = "slot",
        /// Real time: every slot takes as long as `slot` says, and nobody waits for anybody.
        Wall(WallClock) = "wall",
    }
}

impl Default for Clock {
    fn default() -> Clock {
        Clock::Slot(SlotClock::default())
    }
}

/// Parameters of the slot clock.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SlotClock {
    /// How many slots ahead a helper node announces its state (1 to 4096). It changes the speed of
    /// a run over processes, never a decision.
    pub lookahead: u32,
}

impl Default for SlotClock {
    fn default() -> SlotClock {
        SlotClock { lookahead: 1024 }
    }
}

/// Parameters of the wall clock.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WallClock {
    /// How long a slot takes, for example `"20ms"` (1 ms to 1 h).
    pub slot: TimeSpan,
    /// An answer that takes longer counts as timed out, and a helper node that is silent for this
    /// long as absent (1 ms to 1 h, and no less than a slot). Left out it is a second, or five slots
    /// if that is more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<TimeSpan>,
}

impl WallClock {
    /// After which time an answer is given up, and a silent helper node.
    pub fn timeout(&self) -> TimeSpan {
        // No longer than one that could be given, and a slot too long is yet to be told.
        let (shortest, longest) = (Duration::from_secs(1), Duration::from_secs(3600));
        let usual = || TimeSpan(self.slot.0.saturating_mul(5).clamp(shortest, longest));
        self.timeout.unwrap_or_else(usual)
    }
}

/// A length of time as people write it: a number with a unit, such as `"20ms"` or `"1m 30s"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TimeSpan(pub Duration);

impl std::fmt::Display for TimeSpan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        humantime::format_duration(self.0).fmt(f)
    }
}

impl Serialize for TimeSpan {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TimeSpan {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct SpanVisitor;
        impl serde::de::Visitor<'_> for SpanVisitor {
            type Value = TimeSpan;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a length of time with its unit, such as \"20ms\"")
            }

            fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<TimeSpan, E> {
                humantime::parse_duration(value)
                    .map(TimeSpan)
                    .map_err(|_| E::invalid_value(serde::de::Unexpected::Str(value), &self))
            }
        }
        deserializer.deserialize_str(SpanVisitor)
    }
}

impl JsonSchema for TimeSpan {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "TimeSpan".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "A length of time with its unit, such as `20ms`, `1.5s` or `1m 30s`.",
        })
    }
}
