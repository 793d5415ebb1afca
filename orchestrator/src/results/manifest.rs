//! `manifest.json`: what was run, where, by what command, and whether to believe it.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// How far a run got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// It is going on, or was killed without a chance to say so.
    Running,
    /// Every trial was played to the end.
    Complete,
    /// It was stopped; some trials are partial or missing.
    Partial,
    /// Some trial failed.
    Failed,
}

/// The content of `manifest.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of Fogbit.
    pub fogbit: String,
    /// Version of the layout of the results directory.
    pub layout: u32,
    /// How far the run got.
    pub status: RunStatus,
    /// Whether the run is to be believed; a slot-clocked run always is, one in real time if the
    /// host kept up with it.
    pub valid: bool,
    /// Why it stopped early, or is not to be believed.
    pub reason: Option<String>,
    /// `sim`, `process` or `join`.
    pub backend: String,
    /// The seeds.
    pub seeds: Vec<u64>,
    /// The command line.
    pub command: Vec<String>,
    /// Start, RFC 3339, UTC.
    pub started: String,
    /// End, RFC 3339, UTC.
    pub finished: Option<String>,
    /// The machine.
    pub host: Host,
}

/// The machine a run was made on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Host {
    /// Operating system.
    pub os: String,
    /// Processor architecture.
    pub arch: String,
    /// Processors the orchestrator may use.
    pub cpus: usize,
}

/// Why a run is not to be believed in which nothing failed.
const LATE: &str = "the host did not keep up: more than 1 % of the slots began, or of the packets were \
                    delivered, too late";

/// Version of the layout of the results directory.
pub const LAYOUT: u32 = 1;

impl Manifest {
    /// At the start of a run.
    pub fn begin(backend: &str, seeds: &[u64]) -> Manifest {
        Manifest {
            fogbit: env!("CARGO_PKG_VERSION").into(),
            layout: LAYOUT,
            status: RunStatus::Running,
            valid: true,
            reason: None,
            backend: backend.into(),
            seeds: seeds.to_vec(),
            command: std::env::args_os().map(|a| a.to_string_lossy().into_owned()).collect(),
            started: now(),
            finished: None,
            host: Host {
                os: std::env::consts::OS.into(),
                arch: std::env::consts::ARCH.into(),
                cpus: std::thread::available_parallelism().map_or(1, Into::into),
            },
        }
    }

    /// At its end. A run that is not to be believed and for which nobody gives a reason was too slow.
    pub fn end(&mut self, status: RunStatus, reason: Option<String>, valid: bool) {
        let late = || (!valid).then(|| LATE.to_owned());
        self.status = status;
        self.valid = valid;
        self.reason = reason.or_else(late);
        self.finished = Some(now());
    }

    /// As it is written.
    pub fn to_json(&self) -> Vec<u8> {
        let mut json = serde_json::to_vec_pretty(self).expect("a manifest is plain data");
        json.push(b'\n');
        json
    }
}

fn now() -> String {
    OffsetDateTime::now_utc().format(&Rfc3339).unwrap_or_default()
}

/// The time of day for the name of a results directory: `20240131-235959`.
pub fn file_time() -> String {
    let now = OffsetDateTime::now_utc();
    let (date, time) = (now.date(), now.time());
    format!(
        "{:04}{:02}{:02}-{:02}{:02}{:02}",
        date.year(),
        u8::from(date.month()),
        date.day(),
        time.hour(),
        time.minute(),
        time.second()
    )
}
