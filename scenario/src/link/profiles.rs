//! The profiles that Fogbit knows by name, from the data file `profiles.toml`.

use std::sync::LazyLock;

use indexmap::IndexMap;
use serde::Deserialize;

use crate::topology::LinkSettings;

/// A profile of the data file.
#[derive(Debug, Clone, PartialEq)]
pub struct Profile {
    /// Where its figures come from.
    pub source: String,
    /// Keys whose figures are our own judgement.
    pub ours: Vec<String>,
    /// What it does to packets.
    pub settings: LinkSettings,
}

static PROFILES: LazyLock<IndexMap<String, Profile>> = LazyLock::new(|| {
    let text = include_str!("profiles.toml");
    let tables: IndexMap<String, toml::Table> =
        toml::from_str(text).expect("the data file is TOML, as a test shows");
    tables.into_iter().map(|(name, table)| (name, read(table))).collect()
});

fn read(mut table: toml::Table) -> Profile {
    let source = table.remove("source").and_then(|source| source.as_str().map(str::to_owned));
    let ours = table.remove("ours").map_or(Ok(Vec::new()), Vec::deserialize);
    Profile {
        source: source.expect("every profile names its source, as a test shows"),
        ours: ours.expect("`ours` is a list of keys, as a test shows"),
        settings: LinkSettings::deserialize(table).expect("known keys, as a test shows"),
    }
}

/// The profile called `name`, if there is one.
pub fn profile(name: &str) -> Option<&'static Profile> {
    PROFILES.get(name)
}

/// All profiles by name, in the order of the data file.
pub fn profiles() -> impl Iterator<Item = (&'static str, &'static Profile)> {
    PROFILES.iter().map(|(name, profile)| (name.as_str(), profile))
}

#[cfg(test)]
mod tests {
    use crate::topology::LinkProfile;

    #[test]
    fn every_profile_can_be_read_and_is_a_link() {
        let names: Vec<&str> = super::profiles().map(|(name, _)| name).collect();
        assert_eq!(names.len(), 13, "{names:?}");
        for name in names {
            let state = LinkProfile::Named(name.into()).resolve().unwrap();
            assert_eq!(state.spec.up.is_unimpaired(), name == "loopback", "{name}");
        }
    }

    #[test]
    fn half_of_a_round_trip_belongs_to_each_direction() {
        let lte = LinkProfile::Named("lte".into()).resolve().unwrap().spec;
        assert_eq!((lte.up.delay_ns, lte.up.jitter_ns), (35_000_000, 5_000_000));
        assert_eq!((lte.up.rate_bits_s, lte.up.queue_bytes), (Some(12_000_000), 300_000));
        assert_eq!(lte.down, lte.up);
    }
}
