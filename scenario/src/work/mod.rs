//! The work of a task: what it costs, what it is, and how long a node takes for it.
//!
//! Work is counted in **cycles**. A cycle is what a simple core does in one clock: one floating-point
//! operation, or a sixteenth of a byte of SHA-256. A node of `frequency_ghz` does that many
//! thousand million of them a second ([`ComputeSpec::service_ns`]). What a task computes depends on
//! its input and its cycles alone ([`execute`]), never on the host; how many cycles a second the
//! host's own core does is measured ([`Calibration`]).

mod kernel;
mod server;

use serde::{Deserialize, Serialize};

pub use kernel::execute;
pub use server::{Planned, Refusal, TimedServer};

/// What a task computes.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum WorkKind {
    /// Products of dense 32 x 32 matrices of f32, one after another.
    #[default]
    MatrixProduct,
    /// SHA-256 of 64 bytes, each hash the half of the next one's bytes.
    Sha256Chain,
}

/// A kind of work that nobody knows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown kind of work `{0}`: one of `matrix-product`, `sha256-chain`")]
pub struct UnknownWork(pub String);

impl WorkKind {
    /// All kinds.
    pub const ALL: [WorkKind; 2] = [WorkKind::MatrixProduct, WorkKind::Sha256Chain];

    /// The name in files and messages.
    pub fn name(self) -> &'static str {
        match self {
            WorkKind::MatrixProduct => "matrix-product",
            WorkKind::Sha256Chain => "sha256-chain",
        }
    }

    /// Cycles of one round: a product of two n x n matrices is 2 n^3 floating-point operations; a
    /// hash of 64 bytes is two blocks of 64 bytes with its padding, at 16 cycles a byte.
    pub fn round_cycles(self) -> u64 {
        match self {
            WorkKind::MatrixProduct => 2 * (kernel::SIDE as u64).pow(3),
            WorkKind::Sha256Chain => 2 * 64 * 16,
        }
    }
}

impl std::fmt::Display for WorkKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for WorkKind {
    type Err = UnknownWork;

    fn from_str(name: &str) -> Result<WorkKind, UnknownWork> {
        let known = WorkKind::ALL.into_iter().find(|kind| kind.name() == name);
        known.ok_or_else(|| UnknownWork(name.to_owned()))
    }
}

/// The work of one task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Work {
    /// What it computes.
    pub kind: WorkKind,
    /// How much of it.
    pub cycles: u64,
}

impl Work {
    /// How many rounds it has: whole ones, rounded up.
    pub fn rounds(&self) -> u64 {
        self.cycles.div_ceil(self.kind.round_cycles())
    }
}

/// What the host's own core does, measured.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// Nanoseconds of one round of each kind, in the order of [`WorkKind::ALL`].
    pub round_ns: [f64; WorkKind::ALL.len()],
}

impl Calibration {
    /// The frequency in GHz up to which this host can execute a kind of work as fast as a node of
    /// that frequency would.
    pub fn host_ghz(&self, kind: WorkKind) -> f64 {
        kind.round_cycles() as f64 / self.round_ns[kind as usize]
    }
}

/// Whether work is done or only takes its time.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema, Default,
)]
#[serde(rename_all = "kebab-case")]
pub enum Execution {
    /// It is done, on a thread; what is left of its time is waited for.
    Real,
    /// It takes its time and costs no CPU. The output is zeros.
    #[default]
    Timed,
}

/// What computes on a node: first come, first served, by `workers` workers alike.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ComputeSpec {
    /// Cycles of a worker in thousand millions a second, above 0.
    pub frequency_ghz: f64,
    /// The share of each worker that others take, from 0 to below 1.
    pub load: f64,
    /// Nanoseconds that each task costs a worker beside its cycles.
    pub service_overhead_ns: u64,
    /// How many tasks are under way at once, at least 1.
    pub workers: u32,
    /// How many more may wait.
    pub queue_limit: u32,
    /// Bytes of input, and of output, that a task may have at most.
    pub payload_limit: u64,
    /// Whether work is done.
    pub execution: Execution,
}

/// Why a [`ComputeSpec`] is none.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum BadCompute {
    /// No frequency.
    #[error("a frequency of {0} GHz: it must be a finite number above 0")]
    Frequency(f64),
    /// No load.
    #[error("a load of {0}: it must be at least 0 and below 1")]
    Load(f64),
    /// Nobody works.
    #[error("0 workers: at least 1 is needed, and at most {MAX_WORKERS}")]
    NoWorkers,
    /// Too many workers for one process.
    #[error("{0} workers: at most {MAX_WORKERS}")]
    ManyWorkers(u32),
}

/// The most workers a node may have: each is a thread where work is done.
pub const MAX_WORKERS: u32 = 1024;

impl ComputeSpec {
    /// Checks the bounds that stand at the fields.
    ///
    /// # Errors
    /// The first field that is out of bounds.
    pub fn check(&self) -> Result<(), BadCompute> {
        if !(self.frequency_ghz > 0.0 && self.frequency_ghz.is_finite()) {
            return Err(BadCompute::Frequency(self.frequency_ghz));
        }
        if !(0.0..1.0).contains(&self.load) {
            return Err(BadCompute::Load(self.load));
        }
        match self.workers {
            0 => Err(BadCompute::NoWorkers),
            1..=MAX_WORKERS => Ok(()),
            many => Err(BadCompute::ManyWorkers(many)),
        }
    }

    /// Cycles in thousand millions a second that are left for tasks.
    pub fn effective_ghz(&self) -> f64 {
        self.frequency_ghz * (1.0 - self.load)
    }

    /// How long a worker takes for a task of `cycles`, in nanoseconds, to the nearest one; the
    /// largest number where that is not enough.
    pub fn service_ns(&self, cycles: u64) -> u64 {
        // A float that is too large becomes the largest integer.
        let busy = (cycles as f64 / self.effective_ghz()).round() as u64;
        busy.saturating_add(self.service_overhead_ns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec() -> ComputeSpec {
        ComputeSpec {
            frequency_ghz: 1.5,
            load: 0.25,
            service_overhead_ns: 2_000_000,
            workers: 1,
            queue_limit: 0,
            payload_limit: 0,
            execution: Execution::Timed,
        }
    }

    #[test]
    fn cycles_take_their_time() {
        // 1e9 / (1.5e9 * .75) s = 888,888,888.9 ns, and 2 ms.
        assert_eq!(spec().service_ns(1_000_000_000), 890_888_889);
        assert_eq!(spec().service_ns(0), 2_000_000);
        assert_eq!(ComputeSpec { frequency_ghz: 1e-9, ..spec() }.service_ns(u64::MAX), u64::MAX);
    }

    #[test]
    fn rounds_are_whole() {
        let rounds = |kind, cycles| Work { kind, cycles }.rounds();
        assert_eq!(rounds(WorkKind::MatrixProduct, 65_536), 1);
        assert_eq!(rounds(WorkKind::MatrixProduct, 65_537), 2);
        assert_eq!(rounds(WorkKind::Sha256Chain, 2_048_000), 1000);
        assert_eq!(rounds(WorkKind::Sha256Chain, 0), 0);
    }

    #[test]
    fn kinds_are_read_by_their_names() {
        for kind in WorkKind::ALL {
            assert_eq!(kind.name().parse(), Ok(kind));
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
            assert_eq!(WorkKind::ALL[kind as usize], kind);
        }
        let error = "matrix".parse::<WorkKind>().unwrap_err().to_string();
        let expected = "unknown kind of work `matrix`: one of `matrix-product`, `sha256-chain`";
        assert_eq!(error, expected);
    }

    #[test]
    fn bounds_are_checked() {
        assert_eq!(spec().check(), Ok(()));
        for frequency_ghz in [0.0, -1.0, f64::INFINITY, f64::NAN] {
            let bad = ComputeSpec { frequency_ghz, ..spec() }.check();
            assert!(matches!(bad, Err(BadCompute::Frequency(_))), "{frequency_ghz}");
        }
        for load in [-0.1, 1.0, f64::NAN] {
            let bad = ComputeSpec { load, ..spec() }.check();
            assert!(matches!(bad, Err(BadCompute::Load(_))), "{load}");
        }
        assert_eq!(ComputeSpec { workers: 0, ..spec() }.check(), Err(BadCompute::NoWorkers));
        let many = ComputeSpec { workers: 1025, ..spec() }.check();
        assert_eq!(many, Err(BadCompute::ManyWorkers(1025)));
    }

    #[test]
    fn a_host_is_as_fast_as_it_was_measured() {
        let host = Calibration { round_ns: [32_768.0, 512.0] };
        assert_eq!(host.host_ghz(WorkKind::MatrixProduct), 2.0);
        assert_eq!(host.host_ghz(WorkKind::Sha256Chain), 4.0);
    }
}
