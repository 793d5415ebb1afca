//! External policies: a program that is asked, slot after slot, over standard input and output.
//! `docs/external-policies.md` has the protocol.

mod lines;
mod message;
mod process;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use fogbit_scenario::draw::{Key, Stream};
use fogbit_scenario::topology::ExternalProgram;
use fogbit_scenario::{Bit, Contexts};
use prometheus::Histogram;

use self::message::Decided;
use self::process::Process;
pub use self::process::find_program;

/// Whoever blocks looks this often whether it is to stop.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Where others share the thread it is blocked no longer than this: most answers are there by then.
const SHORT_WAIT: Duration = Duration::from_millis(1);
/// An answer that comes this quickly costs no sleep: being woken would take longer than the answer.
const QUICK: Duration = Duration::from_micros(30);
/// At the end of a trial the program has this long to end by itself.
const GRACE: Duration = Duration::from_millis(500);

/// Why the trial of an external policy ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("external policy {policy}, {}: {reason}{}", place(*slot), last_words(last_lines))]
pub struct ExternalError {
    /// Its name in the topology file.
    pub policy: String,
    /// The slot; 0 if it could not be started.
    pub slot: u64,
    /// What happened.
    pub reason: String,
    /// What it wrote to standard error last, line by line.
    pub last_lines: Vec<String>,
}

fn place(slot: u64) -> String {
    if slot == 0 { "at its start".into() } else { format!("slot {slot}") }
}

fn last_words(lines: &[String]) -> String {
    let mut text = String::new();
    if !lines.is_empty() {
        text += "\nthe last lines of its standard error:";
    }
    for line in lines {
        text += "\n  ";
        text += line;
    }
    text
}

/// How an external policy's answers are waited for.
#[derive(Debug, Clone)]
pub enum Waiting {
    /// On a thread that has nothing else to do, until this turns true.
    Blocking(Arc<AtomicBool>),
    /// On a thread of a tokio runtime that others need too.
    Shared,
}

/// What an external policy is told of its trial.
#[derive(Debug, Clone, Copy)]
pub struct ExternalTrial<'a> {
    /// The policy's name in the topology file.
    pub name: &'a str,
    /// The folder in which the program runs.
    pub folder: &'a Path,
    /// Number of helper nodes.
    pub nodes: usize,
    /// Number of features.
    pub features: usize,
    /// The last slot; the largest number where the trial is endless.
    pub slots: u64,
    /// The policy's private randomness.
    pub key: &'a Key,
}

/// A running external policy.
#[derive(Debug)]
pub struct ExternalPolicy {
    name: String,
    process: Process,
    waiting: Waiting,
    timeout: Duration,
    /// How long the next decision may take.
    next_timeout: Duration,
    /// How many messages `learn` have not been answered yet.
    unanswered: usize,
    decided: Decided,
    histogram: Option<Histogram>,
}

impl ExternalPolicy {
    /// Starts the program and tells it what the trial is.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn start(
        program: &ExternalProgram,
        trial: &ExternalTrial<'_>,
        waiting: Waiting,
    ) -> Result<ExternalPolicy, Box<ExternalError>> {
        let started = Process::start(&program.command, trial.folder);
        let mut process = started.map_err(|reason| {
            let policy = trial.name.to_owned();
            Box::new(ExternalError { policy, slot: 0, reason, last_lines: Vec::new() })
        })?;
        // 53 bits: what every language's numbers hold.
        let seed = Stream::new(trial.key).at(1) >> 11;
        message::start(process.outgoing(), trial, seed);
        process.flush();
        Ok(ExternalPolicy {
            name: trial.name.to_owned(),
            process,
            waiting,
            timeout: program.timeout.0,
            next_timeout: program.start_timeout.0,
            unanswered: 0,
            decided: Decided::default(),
            histogram: None,
        })
    }

    /// The same with the time of its decisions measured.
    pub(crate) fn timed(mut self, histogram: Histogram) -> ExternalPolicy {
        self.histogram = Some(histogram);
        self
    }

    /// Asks for the node of `slot`; none if the trial was stopped while it thought.
    ///
    /// # Errors
    /// If it does not answer in time, or with something that is no choice among the nodes present.
    pub async fn decide(
        &mut self,
        slot: u64,
        contexts: &Contexts,
    ) -> Result<Option<usize>, Box<ExternalError>> {
        let began = Instant::now();
        message::decide(self.process.outgoing(), slot, contexts);
        self.process.flush();
        let deadline = began + self.next_timeout;
        // What it answers to earlier `learn`s comes first.
        while self.unanswered > 0 {
            if !self.hear(slot, deadline).await? {
                return Ok(None);
            }
            let read = message::learnt(self.process.line());
            read.map_err(|reason| self.failure(slot, reason))?;
            self.unanswered -= 1;
        }
        if !self.hear(slot, deadline).await? {
            return Ok(None);
        }
        let node = message::decided(self.process.line(), contexts, &mut self.decided);
        let node = node.map_err(|reason| self.failure(slot, reason))?;
        self.next_timeout = self.timeout;
        if let Some(histogram) = &self.histogram {
            histogram.observe(began.elapsed().as_secs_f64());
        }
        Ok(Some(node))
    }

    /// Tells the bit that `node` gave in `slot`, and the context it had then. The answer is read
    /// with the next decision's; whatever goes wrong is told there.
    pub fn learn(&mut self, slot: u64, contexts: &Contexts, node: usize, bit: Bit) {
        message::learn(self.process.outgoing(), slot, contexts, node, bit);
        // Over processes there is time until the next question, and it learns meanwhile. In virtual
        // time there is none: written together, both cost a single change of processes.
        if matches!(self.waiting, Waiting::Shared) {
            self.process.flush();
        }
        self.unanswered += 1;
    }

    /// The scores it gave with its last decision, one for each node; empty if it gave none. One that
    /// is no number is NaN.
    pub fn scores(&self) -> &[f64] {
        &self.decided.scores
    }

    /// With which probability it chose so, if it said.
    pub fn propensity(&self) -> Option<f64> {
        self.decided.propensity
    }

    /// Lets the program end: closes its standard input, waits half a second, kills it.
    pub async fn finish(&mut self) {
        self.process.hang_up();
        let deadline = Instant::now() + GRACE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let wait = match &self.waiting {
                Waiting::Blocking(_) => left,
                Waiting::Shared => Duration::ZERO,
            };
            if self.process.has_ended(wait) || left.is_zero() {
                break;
            }
            if matches!(self.waiting, Waiting::Shared) {
                tokio::time::sleep(SHORT_WAIT).await;
            }
        }
        self.process.kill();
    }

    /// Waits for the next line of its answers; `false` if the trial was stopped before.
    async fn hear(&mut self, slot: u64, deadline: Instant) -> Result<bool, Box<ExternalError>> {
        let mut patience = SHORT_WAIT;
        self.process.look_for(QUICK);
        loop {
            if self.process.next_line().map_err(|reason| self.failure(slot, reason))? {
                return Ok(true);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let limit = humantime::format_duration(self.next_timeout);
                return Err(self.failure(slot, format!("no answer within {limit}")));
            }
            match &self.waiting {
                Waiting::Blocking(stop) if stop.load(Ordering::Relaxed) => return Ok(false),
                Waiting::Blocking(_) => self.process.pump(left.min(LOOK_EVERY)),
                Waiting::Shared => {
                    if self.process.pump(left.min(patience)) {
                        continue;
                    }
                    patience = Duration::ZERO;
                    tokio::time::sleep(SHORT_WAIT).await;
                    continue;
                }
            };
        }
    }

    fn failure(&mut self, slot: u64, reason: String) -> Box<ExternalError> {
        let last_lines = self.process.last_lines();
        Box::new(ExternalError { policy: self.name.clone(), slot, reason, last_lines })
    }
}

/// Where a task node may run external policies.
#[derive(Debug, Clone, Default)]
pub struct ExternalFolder(pub Option<PathBuf>);

impl ExternalFolder {
    /// The folder.
    ///
    /// # Errors
    /// If its owner has not allowed any.
    pub(crate) fn allowed(&self, policy: &str) -> Result<&Path, Box<ExternalError>> {
        self.0.as_deref().ok_or_else(|| {
            let reason = "this task node runs no external policies: start it with \
                          --external-policies DIR to let its orchestrator name commands for it";
            let (policy, reason) = (policy.to_owned(), reason.to_owned());
            Box::new(ExternalError { policy, slot: 0, reason, last_lines: Vec::new() })
        })
    }
}
