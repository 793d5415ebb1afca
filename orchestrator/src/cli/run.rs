//! `run`: plays a topology.

mod cascade;
mod ending;
mod one_bit;
mod pipeline;
mod placement;
mod play;
mod prepared;
mod shown;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::builder::FalseyValueParser;
use clap::{Args, ValueEnum};
use fogbit_scenario::topology::Problem;

use super::log::LogKind;
use super::topology::TopologyArgs;
use crate::exit::{Exit, Failure, tell};

/// Play a topology and show what each policy comes to beside the best one could do
///
/// Every policy is played with every seed, and decides slot by slot, task by task or image by image, by
/// the problem of the topology. The results go to a new directory, whose report.html shows them; a table goes to standard output, progress to standard error.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    fogbit run topologies/paper.toml\n  \
    fogbit run topologies/paper.toml --backend sim --seeds 50\n  \
    fogbit run topologies/fifo.toml --policy toof --policy round-robin --set nodes.count=20\n  \
    fogbit run topologies/small.toml --format json | jq .policies[0].regret_linear\n  \
    fogbit run topologies/live.toml --metrics 127.0.0.1:9464")]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(super) topology: TopologyArgs,

    /// How nodes exist
    #[arg(long, value_enum, default_value_t = BackendKind::Process, env = "FOGBIT_BACKEND")]
    pub(super) backend: BackendKind,

    /// Results directory; it must not exist [default: results/NAME-TIME]
    #[arg(long, value_name = "DIR", env = "FOGBIT_OUT")]
    out: Option<PathBuf>,

    /// What goes to standard output: a table, or what summary.json holds
    #[arg(long, value_enum, default_value_t = Format::Table, env = "FOGBIT_FORMAT")]
    format: Format,

    /// Policy that the others are compared with [default: toof, or else the first]
    #[arg(long, value_name = "NAME", env = "FOGBIT_VERSUS")]
    versus: Option<String>,

    /// Do not keep each decision, of slots, tasks or images (decisions/*.csv)
    #[arg(long, env = "FOGBIT_NO_DECISIONS", value_parser = FalseyValueParser::new())]
    no_decisions: bool,

    /// Log more for other programs (docs/logs.md); not in real time
    #[arg(long, value_enum, value_name = "WHAT", env = "FOGBIT_LOG", value_delimiter = ',')]
    log: Vec<LogKind>,

    /// Show no progress
    #[arg(long, short, env = "FOGBIT_QUIET", value_parser = FalseyValueParser::new())]
    quiet: bool,

    /// Let the operating system move the processes between cores (backend process)
    #[arg(long, env = "FOGBIT_NO_PIN", value_parser = FalseyValueParser::new())]
    pub(super) no_pin: bool,

    /// Address on which nodes join [default: 127.0.0.1 and a free port]
    #[arg(long, value_name = "IP:PORT", env = "FOGBIT_LISTEN")]
    pub(super) listen: Option<SocketAddr>,

    /// Folder with authority and tokens from `fogbit token create`, or with its four files side by
    /// side (backend join) [default: made at the start, the tokens in the results directory, and
    /// deleted at the end]
    #[arg(long, value_name = "DIR", env = "FOGBIT_TOKENS")]
    pub(super) tokens: Option<PathBuf>,

    /// Folder in which nodes find their tokens, helper/token and task-node/token, as long as the
    /// run goes on (backend join)
    #[arg(long, value_name = "DIR", env = "FOGBIT_PUBLISH_TOKENS")]
    pub(super) publish_tokens: Option<PathBuf>,

    /// How many task nodes to wait for (backend join); they share the policies
    #[arg(long, value_name = "N", default_value_t = 1, env = "FOGBIT_TASK_NODES")]
    pub(super) task_nodes: usize,

    /// Play at most this many slots (tasks, images, applications) a second in each trial, to watch a
    /// run in virtual time
    #[arg(long, value_name = "SLOTS_PER_SECOND", env = "FOGBIT_PACE", value_parser = pace)]
    pace: Option<f64>,

    /// Serve metrics for Prometheus at this address (/metrics, /healthz, /targets); nodes that this
    /// command starts serve theirs at free ports, which /targets lists
    #[arg(long, value_name = "IP:PORT", env = "FOGBIT_METRICS")]
    metrics: Option<SocketAddr>,

    /// Stay after the run and go on serving the final metrics, until a signal comes
    #[arg(long, env = "FOGBIT_LINGER", value_parser = FalseyValueParser::new())]
    linger: bool,
}

/// A number of slots a second.
fn pace(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(pace) if (1e-3..=1e9).contains(&pace) => Ok(pace),
        _ => Err("a number of slots a second, from 0.001 to 1000000000".into()),
    }
}

impl RunArgs {
    /// For problems without logs of their own: refuses what would be missed in the results.
    fn without_logs(&self, problem: Problem) -> Result<(), Failure> {
        let name = problem.name();
        if !self.log.is_empty() {
            let message = format!("--log is for the problem `one-bit` so far, this is `{name}`");
            return Err(Failure::usage(message).help("leave it out"));
        }
        Ok(())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum BackendKind {
    /// One operating-system process a node, over QUIC on this machine
    Process,
    /// Virtual time in this process, over all cores
    Sim,
    /// Nodes that somebody else starts with `fogbit node` and `fogbit task-node`
    Join,
}

impl BackendKind {
    fn name(self) -> &'static str {
        match self {
            BackendKind::Process => "process",
            BackendKind::Sim => "sim",
            BackendKind::Join => "join",
        }
    }
}

/// How a command prints what it found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Table,
    /// For programs
    Json,
}

pub(crate) fn run(args: RunArgs) -> Result<Exit, Failure> {
    let file = args.topology.file()?;
    if file.sweep()?.is_some() {
        tell(format_args!(
            "note: this topology has a [sweep], which `fogbit sweep {}` plays; here it is played \
             with its own values",
            args.topology.file.display()
        ));
    }
    match file.problem()? {
        Problem::OneBit => one_bit::run(&args, &file),
        Problem::Placement => placement::run(&args, &file),
        Problem::Cascade => cascade::run(&args, &file),
        Problem::Pipeline => pipeline::run(&args, &file),
    }
}
