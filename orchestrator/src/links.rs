//! What was measured of the links of a run: configured beside measured. Of all problems.

use std::path::Path;

use fogbit_scenario::link::verdict::{DirectionCheck, Finding, Lateness, LinkCheck, Verdict};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::results::read::{ReadError, json as read_json};
use crate::results::{ResultsDir, ResultsError};

/// The file of configured beside measured links.
pub const LINKS_FILE: &str = "links.json";

/// What was measured of the links in one trial, in the order of the ends of their states.
pub type TrialLinks = Vec<LinkCheck>;

/// What was measured of the links of a run.
#[derive(Debug, Clone, Default)]
pub struct MeasuredLinks {
    rows: Vec<Value>,
    checks: u64,
    wrong: u64,
    not_resolved: u64,
    packets: u64,
    late: u64,
}

/// What the links of a run came to, as `summary.json` has it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LinksSummary {
    /// Checks: one for each link, state and trial.
    pub checks: u64,
    /// Those in which something contradicts what is configured.
    pub wrong: u64,
    /// Of the others, those in which delay, loss or a rate is not resolved.
    pub not_resolved: u64,
    /// Packets that were delivered over links, as far as they were counted.
    pub packets: u64,
    /// The share of these that was delivered more than 5 ms late; null without packets.
    pub late_share: Option<f64>,
}

/// A packet that is delivered later than this after its time is late, in nanoseconds.
pub const LATE_NS: u64 = 5_000_000;
/// A run is not to be believed if more than this share of the packets was late.
pub const MOST_LATE: f64 = 0.01;

impl MeasuredLinks {
    /// Adds those of the trial of `policy` under `seed`.
    pub fn add(&mut self, policy: &str, seed: u64, links: TrialLinks) {
        for check in links {
            self.checks += 1;
            self.wrong += u64::from(check.is_wrong());
            self.not_resolved += u64::from(!check.is_wrong() && !is_resolved(&check));
            for (way, direction) in [("up", &check.up), ("down", &check.down)] {
                let (packets, late) = late(&direction.lateness);
                self.packets += packets;
                self.late += late;
                self.rows.push(row(policy, seed, &check, way, direction));
            }
        }
    }

    /// Whether the host kept to the links' schedule: at most 1 % of the packets were delivered more
    /// than 5 ms late.
    pub fn are_in_time(&self) -> bool {
        self.summary().is_none_or(|summary| summary.are_in_time())
    }

    /// What there is to say of them, if anything was measured.
    pub fn summary(&self) -> Option<LinksSummary> {
        let late_share = (self.packets > 0).then(|| self.late as f64 / self.packets as f64);
        let MeasuredLinks { checks, wrong, not_resolved, packets, .. } = *self;
        (checks > 0).then_some(LinksSummary { checks, wrong, not_resolved, packets, late_share })
    }

    /// A table for each link, direction and state; none where nothing was measured.
    pub fn to_json(&self) -> Option<Value> {
        (!self.rows.is_empty()).then(|| Value::Array(self.rows.clone()))
    }

    /// Writes `links.json`, if anything was measured.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&self, dir: &ResultsDir) -> Result<(), ResultsError> {
        let Some(links) = self.to_json() else { return Ok(()) };
        let json = serde_json::to_string_pretty(&links).expect("a value is plain data") + "\n";
        dir.write(LINKS_FILE, json.as_bytes())
    }
}

impl LinksSummary {
    /// Whether no more packets were late than a run to be believed may have.
    pub fn are_in_time(&self) -> bool {
        self.late_share.is_none_or(|share| share <= MOST_LATE)
    }

    /// It in a line.
    pub fn line(&self) -> String {
        let LinksSummary { checks, wrong, not_resolved, packets, late_share } = self;
        let late = late_share.map_or(String::new(), |share| {
            let percent = 100.0 * share;
            format!("; {percent:.2} % of {packets} packets were delivered more than 5 ms late")
        });
        format!(
            "links: {wrong} of {checks} checks contradict what is configured, {not_resolved} are not \
             resolved{late}"
        )
    }
}

/// Reads `links.json`, if there is one.
///
/// # Errors
/// If it is something else.
pub fn read(dir: &Path) -> Result<Option<Value>, ReadError> {
    let path = dir.join(LINKS_FILE);
    if path.exists() { read_json(&path).map(Some) } else { Ok(None) }
}

/// Whether at most 1 % of the packets of `links.json` were delivered more than 5 ms late, counted
/// anew for `verify`.
///
/// # Errors
/// If it is something else.
pub fn in_time(dir: &Path) -> Result<bool, ReadError> {
    let links = read(dir)?;
    let (mut packets, mut late) = (0, 0);
    for row in links.iter().filter_map(|links| links.as_array()).flatten() {
        for bucket in row["lateness_buckets_ns"].as_array().into_iter().flatten() {
            let count = bucket[1].as_u64().unwrap_or(0);
            packets += count;
            if bucket[0].as_u64().is_none_or(|limit| limit > 5_000_000) {
                late += count;
            }
        }
    }
    Ok(late * 100 <= packets)
}

/// Whether delay, rates and losses are known; loss by probe or by counts.
fn is_resolved(check: &LinkCheck) -> bool {
    let right = |finding: &Finding| finding.verdict == Verdict::Right;
    let directions = [&check.up, &check.down];
    right(&check.round_trip_ms)
        && directions.into_iter().all(|way| {
            let rate = way.rate_mbit_s.configured.is_none() || right(&way.rate_mbit_s);
            rate && (right(&way.loss) || right(&way.passive_loss))
        })
}

/// How many packets there were, and how many of them late.
fn late(lateness: &Lateness) -> (u64, u64) {
    let all = lateness.buckets.iter().map(|(_, packets)| packets).sum();
    let late = lateness.buckets.iter().filter(|(limit, _)| *limit > LATE_NS);
    (all, late.map(|(_, packets)| packets).sum())
}

fn row(policy: &str, seed: u64, check: &LinkCheck, way: &str, direction: &DirectionCheck) -> Value {
    let mut row = Map::new();
    row.insert("policy".into(), policy.into());
    row.insert("seed".into(), seed.into());
    row.insert("link".into(), check.link.clone().into());
    row.insert("profile".into(), check.profile.clone().into());
    row.insert("slot".into(), check.slot.into());
    row.insert("direction".into(), way.into());
    let findings = [
        ("rtt_ms", &check.round_trip_ms),
        ("rate_mbit_s", &direction.rate_mbit_s),
        ("loss", &direction.loss),
        ("passive_loss", &direction.passive_loss),
    ];
    for (name, finding) in findings {
        let Finding { verdict, configured, measured, low, high } = finding;
        for (part, value) in
            [("configured", configured), ("measured", measured), ("low", low), ("high", high)]
        {
            row.insert(format!("{name}_{part}"), json!(value));
        }
        row.insert(format!("{name}_verdict"), json!(word(*verdict)));
    }
    let lateness = &direction.lateness;
    row.insert("late_p50_ms".into(), json!(lateness.p50_ms));
    row.insert("late_p99_ms".into(), json!(lateness.p99_ms));
    row.insert("late_max_ms".into(), json!(lateness.max_ms));
    row.insert("lateness_buckets_ns".into(), json!(lateness.buckets));
    Value::Object(row)
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Right => "right",
        Verdict::Wrong => "WRONG",
        Verdict::NotResolved => "not resolved",
    }
}

#[cfg(test)]
mod tests {
    use fogbit_scenario::link::LinkState;
    use fogbit_scenario::link::verdict::{Measurement, OneWay};
    use fogbit_scenario::topology::LinkProfile;

    use super::*;

    fn state(profile: &str) -> LinkState {
        LinkProfile::Named(profile.into()).resolve().unwrap()
    }

    /// A check of a link without rate and loss, over which each round trip took `round_trip_ns`, and of
    /// whose packets so many were late and so many not.
    fn check(round_trip_ns: u64, (late, others): (u64, u64)) -> LinkCheck {
        let measured = Measurement {
            echo_bytes: 64,
            round_trips_ns: vec![round_trip_ns; 20],
            late_ns: 0,
            up: OneWay::default(),
            down: OneWay::default(),
        };
        let mut check = LinkCheck::of_probe("edge", 1, &state("loopback"), &measured);
        let buckets = [(LATE_NS, others), (LATE_NS + 1, late)];
        check.up.lateness = Lateness::of(buckets, LATE_NS + 1);
        check
    }

    #[test]
    fn nothing_measured_is_nothing_to_say() {
        let links = MeasuredLinks::default();
        assert!(links.are_in_time());
        assert_eq!((links.summary(), links.to_json()), (None, None));
    }

    #[test]
    fn checks_are_counted_by_what_they_found() {
        let mut links = MeasuredLinks::default();
        let counted = {
            let mut check = check(100_000, (0, 0));
            for way in [&mut check.up, &mut check.down] {
                way.passive_loss.verdict = Verdict::Right;
            }
            check
        };
        links.add("toof", 1, vec![check(90_000_000, (0, 0)), check(100_000, (0, 0)), counted]);
        let summary = links.summary().unwrap();
        assert_eq!((summary.checks, summary.wrong, summary.not_resolved), (3, 1, 1));
        assert_eq!((summary.packets, summary.late_share), (0, None));
        assert_eq!(links.to_json().unwrap().as_array().unwrap().len(), 6);
        let line = "links: 1 of 3 checks contradict what is configured, 1 are not resolved";
        assert_eq!(summary.line(), line);
    }

    #[test]
    fn one_packet_in_a_hundred_may_be_late() {
        let of = |counts| {
            let mut links = MeasuredLinks::default();
            links.add("toof", 1, vec![check(100_000, counts)]);
            links
        };
        let (well, badly) = (of((1, 99)), of((2, 98)));
        assert!(well.are_in_time() && !badly.are_in_time());
        assert_eq!(badly.summary().unwrap().late_share, Some(0.02));
        assert!(
            badly
                .summary()
                .unwrap()
                .line()
                .ends_with("; 2.00 % of 100 packets were delivered more than 5 ms late")
        );
    }
}
