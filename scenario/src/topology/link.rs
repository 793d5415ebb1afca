//! Links in the topology file: profiles by name, and settings of one's own.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::link::{self, Direction, LinkSpec, LinkState, Loss};

/// A link between the task node and a helper node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Link {
    /// Name of the task node; may be left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Name of a helper node. Events call the link by it.
    pub to: String,
    /// What it does to packets: the name of a profile, or settings of its own. Left out, it is as
    /// `[links]` says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<LinkProfile>,
}

/// What all links have in common.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LinkDefaults {
    /// What they do to packets; left out, nothing is emulated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<LinkProfile>,
}

/// What a link does to packets.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum LinkProfile {
    /// A profile that Fogbit knows: `fogbit profile list`.
    Named(String),
    /// Settings of its own.
    Own(LinkSettings),
}

/// Settings of a link; each that is left out is that of the profile `base`. Half of round-trip time
/// and jitter belongs to each direction.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LinkSettings {
    /// The profile it starts from; left out, `loopback`, which does nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
    /// Mean round-trip time of a small packet in milliseconds (0 to 60,000).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rtt_ms: Option<f64>,
    /// Jitter in milliseconds: the round-trip time is between `rtt_ms - jitter_ms` and
    /// `rtt_ms + jitter_ms`. At most `rtt_ms`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jitter_ms: Option<f64>,
    /// Whether jitter may turn packets round.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jitter_reorders: Option<bool>,
    /// Loss in each direction: a share of packets (0 to 1), or
    /// `{ good_to_bad = ..., bad_to_good = ..., bad_loss = ... }` for bursts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loss: Option<LossSettings>,
    /// Share of packets that arrive twice, in each direction (0 to 1).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duplicate: Option<f64>,
    /// Share of packets that skip their delay and so overtake others, in each direction (0 to 1).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reorder: Option<f64>,
    /// Rate to the helper node in Mbit/s, 10^6 bits a second on the wire (0.01 to 100,000).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub up_mbit_s: Option<f64>,
    /// Rate from the helper node in Mbit/s, 10^6 bits a second on the wire (0.01 to 100,000).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub down_mbit_s: Option<f64>,
    /// KB (1,000 bytes) that wait for each rate; what finds no room is dropped (2 to 1,000,000).
    /// Left out, what the rate sends in 200 ms or in one round-trip time, and at least 64.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue_kb: Option<f64>,
}

/// Loss of a link.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum LossSettings {
    /// A share of packets, each by itself.
    Share(f64),
    /// In bursts.
    Bursts(BurstSettings),
}

/// Loss in bursts, by the model of Gilbert and Elliott: a chain that makes a step with each packet.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BurstSettings {
    /// Probability with each packet to turn bad.
    pub good_to_bad: f64,
    /// Probability with each packet to turn good again.
    pub bad_to_good: f64,
    /// Loss in the bad state.
    #[serde(default = "all")]
    pub bad_loss: f64,
    /// Loss in the good state.
    #[serde(default)]
    pub good_loss: f64,
}

fn all() -> f64 {
    1.0
}

/// Deserialises what is either a plain value or a table.
macro_rules! value_or_table {
    ($name:ident, $expecting:literal, $table:ident($settings:ty), { $($visit:item)* }) => {
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                struct ValueVisitor;
                impl<'de> serde::de::Visitor<'de> for ValueVisitor {
                    type Value = $name;

                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str($expecting)
                    }

                    $($visit)*

                    fn visit_map<A: serde::de::MapAccess<'de>>(
                        self,
                        map: A,
                    ) -> Result<$name, A::Error> {
                        let table = serde::de::value::MapAccessDeserializer::new(map);
                        <$settings>::deserialize(table).map($name::$table)
                    }
                }
                d.deserialize_any(ValueVisitor)
            }
        }
    };
}

value_or_table!(LinkProfile, "the name of a profile, or a table", Own(LinkSettings), {
    fn visit_str<E>(self, name: &str) -> Result<LinkProfile, E> {
        Ok(LinkProfile::Named(name.to_owned()))
    }
});

value_or_table!(LossSettings, "a share from 0 to 1, or a table", Bursts(BurstSettings), {
    fn visit_f64<E>(self, share: f64) -> Result<LossSettings, E> {
        Ok(LossSettings::Share(share))
    }

    fn visit_i64<E>(self, share: i64) -> Result<LossSettings, E> {
        Ok(LossSettings::Share(share as f64))
    }
});

/// What is wrong with the settings of a link, and with which of its keys; none is the profile
/// itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkFault {
    /// The keys that lead to it.
    pub keys: Vec<&'static str>,
    /// What is wrong.
    pub message: String,
    /// What would be right.
    pub help: String,
}

impl LinkFault {
    fn new(keys: &[&'static str], message: String, help: String) -> LinkFault {
        LinkFault { keys: keys.to_vec(), message, help }
    }
}

impl LinkProfile {
    /// The link that it describes.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn resolve(&self) -> Result<LinkState, LinkFault> {
        match self {
            LinkProfile::Named(name) => {
                let profile = known(name, &[])?;
                Ok(LinkState { profile: name.clone(), spec: profile.settings.spec()? })
            }
            LinkProfile::Own(own) => {
                let base = own.base.as_deref().unwrap_or("loopback");
                let settings = own.over(&known(base, &["base"])?.settings);
                let changed = LinkSettings { base: None, ..own.clone() } != LinkSettings::default();
                let profile = match (&own.base, changed) {
                    (Some(base), true) => format!("{base}*"),
                    (None, true) => "own".into(),
                    (_, false) => base.into(),
                };
                Ok(LinkState { profile, spec: settings.spec()? })
            }
        }
    }
}

fn known(name: &str, keys: &[&'static str]) -> Result<&'static link::Profile, LinkFault> {
    link::profile(name).ok_or_else(|| {
        let all: Vec<&str> = link::profiles().map(|(name, _)| name).collect();
        let message = format!("no link profile is called `{name}`");
        LinkFault::new(keys, message, format!("one of {}", all.join(", ")))
    })
}

/// Milliseconds beyond this are a slip of the keyboard.
const LONGEST_MS: f64 = 60_000.0;

impl LinkSettings {
    /// These settings over those of `base`.
    fn over(&self, base: &LinkSettings) -> LinkSettings {
        LinkSettings {
            base: None,
            rtt_ms: self.rtt_ms.or(base.rtt_ms),
            jitter_ms: self.jitter_ms.or(base.jitter_ms),
            jitter_reorders: self.jitter_reorders.or(base.jitter_reorders),
            loss: self.loss.or(base.loss),
            duplicate: self.duplicate.or(base.duplicate),
            reorder: self.reorder.or(base.reorder),
            up_mbit_s: self.up_mbit_s.or(base.up_mbit_s),
            down_mbit_s: self.down_mbit_s.or(base.down_mbit_s),
            queue_kb: self.queue_kb.or(base.queue_kb),
        }
    }

    fn spec(&self) -> Result<LinkSpec, LinkFault> {
        let rtt = within(&["rtt_ms"], self.rtt_ms.unwrap_or(0.0), 0.0, LONGEST_MS)?;
        let jitter = within(&["jitter_ms"], self.jitter_ms.unwrap_or(0.0), 0.0, LONGEST_MS)?;
        if jitter > rtt {
            let message = format!("jitter_ms = {jitter} is more than rtt_ms = {rtt}");
            let help = "packets cannot arrive before they are sent: at most rtt_ms".into();
            return Err(LinkFault::new(&["jitter_ms"], message, help));
        }
        let share = |key, value: Option<f64>| within(&[key], value.unwrap_or(0.0), 0.0, 1.0);
        let direction = Direction {
            delay_ns: (rtt * 1e6 / 2.0).round() as u64,
            jitter_ns: (jitter * 1e6 / 2.0).round() as u64,
            jitter_reorders: self.jitter_reorders.unwrap_or(false),
            loss: self.loss.map_or(Ok(Loss::Independent(0.0)), LossSettings::loss)?,
            duplicate: share("duplicate", self.duplicate)?,
            reorder: share("reorder", self.reorder)?,
            rate_bits_s: None,
            queue_bytes: 0,
        };
        Ok(LinkSpec {
            up: self.limited("up_mbit_s", self.up_mbit_s, direction, rtt)?,
            down: self.limited("down_mbit_s", self.down_mbit_s, direction, rtt)?,
        })
    }

    /// `direction` with a rate.
    fn limited(
        &self,
        key: &'static str,
        mbit_s: Option<f64>,
        direction: Direction,
        rtt_ms: f64,
    ) -> Result<Direction, LinkFault> {
        let given = self.queue_kb.map(|kb| within(&["queue_kb"], kb, 2.0, 1e6)).transpose()?;
        let Some(mbit_s) = mbit_s else { return Ok(direction) };
        let rate = (within(&[key], mbit_s, 0.01, 1e5)? * 1e6).round();
        let queue = given.map_or_else(
            || (rate / 8.0 * (rtt_ms * 1e-3).max(0.2)).max(64_000.0),
            |kilobytes| kilobytes * 1000.0,
        );
        Ok(Direction { rate_bits_s: Some(rate as u64), queue_bytes: queue as u64, ..direction })
    }
}

impl LossSettings {
    fn loss(self) -> Result<Loss, LinkFault> {
        match self {
            LossSettings::Share(share) => within(&["loss"], share, 0.0, 1.0).map(Loss::Independent),
            LossSettings::Bursts(bursts) => Ok(Loss::Bursts {
                good_to_bad: within(&["loss", "good_to_bad"], bursts.good_to_bad, 0.0, 1.0)?,
                bad_to_good: within(&["loss", "bad_to_good"], bursts.bad_to_good, 0.0, 1.0)?,
                good_loss: within(&["loss", "good_loss"], bursts.good_loss, 0.0, 1.0)?,
                bad_loss: within(&["loss", "bad_loss"], bursts.bad_loss, 0.0, 1.0)?,
            }),
        }
    }
}

fn within(keys: &[&'static str], value: f64, low: f64, high: f64) -> Result<f64, LinkFault> {
    let what = keys.last().expect("every setting has a key");
    if !value.is_finite() {
        let message = format!("{what} is not a finite number");
        return Err(LinkFault::new(keys, message, "write a finite number".into()));
    }
    if !(low..=high).contains(&value) {
        let message = format!("{what} = {value} is out of range");
        return Err(LinkFault::new(keys, message, format!("a value from {low} to {high}")));
    }
    Ok(value)
}
