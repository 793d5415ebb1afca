//! Logs for others, on request: every decision with all contexts, and all that a seed holds.
//! `docs/logs.md` describes the files.

mod contexts;
mod full;

use std::path::{Path, PathBuf};

use fogbit_scenario::Scenario;
use fogbit_scenario::topology::{Features, RunLength};

pub use contexts::ContextLog;
pub use full::{FullLogError, write_full};

/// Why a log cannot be had of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoLog {
    /// It would have no end.
    #[error("an endless run keeps no logs: they would fill the disk")]
    Endless,
    /// In real time nobody holds the contexts of a decision but the task node.
    #[error("in real time there are no logs of contexts: what a task node saw cannot be made anew")]
    RealTime,
    /// What a node would have told depends on what was sent to it before.
    #[error(
        "queues depend on the choices here: there is no full information that holds for all policies"
    )]
    DependsOnChoices,
    /// A trace holds features, and they do not say how long tasks are.
    #[error(
        "with a deadline there is no log of full information: it is a trace, which has no times"
    )]
    Deadline,
}

impl NoLog {
    /// What the user can do.
    pub fn help(self) -> &'static str {
        match self {
            NoLog::Endless => "give a number of slots, for example --set slots=10000",
            NoLog::RealTime => "play it in virtual time: --backend sim",
            NoLog::DependsOnChoices => {
                "--log decisions logs what each policy met on its own path; \
                 queues of kind \"drawn\" do not depend on choices"
            }
            NoLog::Deadline => "--log decisions logs what each policy met, with all contexts",
        }
    }
}

/// Whether the contexts of decisions can be logged.
///
/// # Errors
/// Why not.
pub fn can_log_contexts(scenario: &Scenario, real_time: bool) -> Result<(), NoLog> {
    if scenario.length() == RunLength::Endless {
        return Err(NoLog::Endless);
    }
    if real_time { Err(NoLog::RealTime) } else { Ok(()) }
}

/// Whether there is full information, on which any policy can be played again.
///
/// # Errors
/// Why not.
pub fn can_log_full(scenario: &Scenario, real_time: bool) -> Result<(), NoLog> {
    can_log_contexts(scenario, real_time)?;
    if !scenario.has_weights() {
        return Err(NoLog::Deadline);
    }
    if scenario.depends_on_choices() { Err(NoLog::DependsOnChoices) } else { Ok(()) }
}

/// The names of the features, in their order, as columns of logs have them.
pub fn feature_names(scenario: &Scenario) -> Vec<String> {
    let numbered = |name: &str, count: usize| -> Vec<String> {
        (0..count).map(|index| format!("{name}_{index}")).collect()
    };
    match (&scenario.topology().features, scenario.trace()) {
        (Features::Trace(_), Some(trace)) => {
            let mut names = numbered("task", trace.task_width());
            names.extend(numbered("node", trace.node_width()));
            names
        }
        (Features::Model(_) | Features::Trace(_), _) => {
            let model = ["task_length", "task_complexity", "queue", "cpu_frequency", "cqi"];
            let mut names: Vec<String> = model.map(String::from).into();
            names.extend(numbered("noise", scenario.noise_features()));
            names
        }
    }
}

/// The folder of the logs of contexts in a results directory.
pub const CONTEXTS: &str = "contexts";
/// The folder of full information in a results directory.
pub const FULL: &str = "full";

/// The log of a trial's decisions with their contexts.
pub fn context_file(dir: &Path, policy: &str, seed: u64) -> PathBuf {
    dir.join(CONTEXTS).join(format!("{policy}-{seed}.csv.gz"))
}

/// The full information of a seed, and the topology file that plays it.
pub fn full_files(dir: &Path, seed: u64) -> (PathBuf, PathBuf) {
    let folder = dir.join(FULL);
    (folder.join(format!("seed-{seed}.jsonl.gz")), folder.join(format!("replay-{seed}.toml")))
}
