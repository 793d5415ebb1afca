//! What was measured of the links of a run: configured beside measured.

use fogbit_scenario::link::verdict::{DirectionCheck, Finding, Lateness, LinkCheck, Verdict};
use serde_json::{Map, Value, json};

/// What was measured of the links in one trial, in the order of the ends of their states.
pub type TrialLinks = Vec<LinkCheck>;

/// What was measured of the links of a run.
#[derive(Debug, Clone, Default)]
pub struct MeasuredLinks {
    rows: Vec<Value>,
    /// Checks in which something is wrong.
    wrong: usize,
    checks: usize,
    packets: u64,
    late: u64,
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
            self.wrong += usize::from(check.is_wrong());
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
        self.late as f64 <= MOST_LATE * self.packets as f64
    }

    /// What there is to say in a line, if anything was measured.
    pub fn summary(&self) -> Option<String> {
        let late = 100.0 * self.late as f64 / self.packets.max(1) as f64;
        (self.checks > 0).then(|| {
            format!(
                "links: {} of {} checks contradict what is configured; {late:.2} % of {} packets \
                 were delivered more than 5 ms late",
                self.wrong, self.checks, self.packets
            )
        })
    }

    /// A table for each link, direction and state; none where nothing was measured.
    pub fn to_json(&self) -> Option<Value> {
        (!self.rows.is_empty()).then(|| Value::Array(self.rows.clone()))
    }
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
