//! The command line.

mod bench;
mod cascade;
mod compare;
mod dataset;
mod doctor;
mod explain;
mod health;
mod init;
mod inspect;
mod joining;
mod log;
mod merge;
mod network;
mod nodes;
mod pipeline;
mod placement;
mod policy;
mod profile;
mod ranking;
mod render;
mod results;
mod run;
mod stopping;
mod sweep;
mod table;
mod topology;
mod train;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use crate::exit::{Exit, Failure};

/// Fogbit: a fog-network emulator for task-offloading policies.
///
/// A topology file describes helper nodes with hidden preferences, a task node, policies and the
/// length of the run. `fogbit run` plays it, over real processes or in virtual time, and shows what
/// each policy loses against the best choice: its regret.
#[derive(Debug, Parser)]
#[command(
    name = "fogbit",
    version,
    after_help = "Examples:\n  \
        fogbit run topologies/paper.toml                          real processes over QUIC\n  \
        fogbit run topologies/paper.toml --backend sim --seeds 50 virtual time, all cores\n  \
        fogbit sweep topologies/paper.toml --set nodes.count=3,10,30   many points\n  \
        fogbit validate topologies/fifo.toml                      check without running\n\n\
        Exit codes: 0 well; 1 an expectation failed, a difference was found or this host \
        cannot run Fogbit; 2 wrong usage or a bad topology; 3 the run is invalid; 4 a node or trial failed; 70 internal error; \
        130 interrupted.\n\
        Nearly every flag, but no secret, can be set in the environment: --backend is FOGBIT_BACKEND."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(run::RunArgs),
    Sweep(sweep::SweepArgs),
    Merge(merge::MergeArgs),
    Validate(inspect::ValidateArgs),
    Graph(inspect::GraphArgs),
    Init(init::InitArgs),
    Schema(inspect::SchemaArgs),
    Report(results::ReportArgs),
    Verify(results::VerifyArgs),
    Diff(results::DiffArgs),
    Compare(compare::CompareArgs),
    Explain(explain::ExplainArgs),
    Render(render::RenderArgs),
    #[command(subcommand)]
    Bench(bench::BenchCommand),
    #[command(subcommand)]
    Policy(policy::PolicyCommand),
    #[command(subcommand)]
    Dataset(dataset::DatasetCommand),
    #[command(subcommand)]
    Train(train::TrainCommand),
    #[command(subcommand)]
    Profile(profile::ProfileCommand),
    #[command(subcommand)]
    Token(nodes::TokenCommand),
    Node(nodes::HelperArgs),
    TaskNode(nodes::TaskNodeArgs),
    Health(health::HealthArgs),
    Doctor(doctor::DoctorArgs),
    Completions(inspect::CompletionsArgs),
}

/// Runs the program with the arguments of this process.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    start_logging();
    let result = match cli.command {
        Command::Run(args) => run::run(args),
        Command::Sweep(args) => sweep::sweep(args),
        Command::Merge(args) => merge::merge(args),
        Command::Validate(args) => inspect::validate(args),
        Command::Graph(args) => inspect::graph(args),
        Command::Init(args) => init::init(&args),
        Command::Schema(args) => inspect::schema(args),
        Command::Report(args) => results::report(args),
        Command::Verify(args) => results::verify(args),
        Command::Diff(args) => results::diff(args),
        Command::Compare(args) => compare::compare(args),
        Command::Explain(args) => explain::explain(args),
        Command::Render(args) => render::render(args),
        Command::Bench(command) => bench::bench(command),
        Command::Policy(command) => policy::run(command),
        Command::Dataset(command) => dataset::run(command),
        Command::Train(command) => train::train(command),
        Command::Profile(command) => profile::run(command),
        Command::Token(command) => nodes::token(command),
        Command::Node(args) => nodes::node(args),
        Command::TaskNode(args) => nodes::task_node(args),
        Command::Health(args) => health::health(args),
        Command::Doctor(args) => doctor::doctor(args),
        Command::Completions(args) => inspect::completions(args, &mut Cli::command()),
    };
    match result {
        Ok(exit) => exit.into(),
        Err(failure) => {
            let exit = failure.exit;
            failure.show();
            exit.into()
        }
    }
}

/// Logs go to standard error; `RUST_LOG` chooses how much, warnings by default.
fn start_logging() {
    use tracing_subscriber::EnvFilter;
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
        .init();
}

/// Prints to standard output. A reader that has gone away (`fogbit ... | head`) is no error.
fn print(text: &str) -> Result<(), Failure> {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Failure::new(Exit::Failed, format!("cannot write to standard output: {error}")))
        }
        _ => Ok(()),
    }
}
