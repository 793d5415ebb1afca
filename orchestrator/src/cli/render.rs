//! `render`.

use clap::{Args, ValueEnum};
use fogbit_scenario::topology::Problem;

use super::print;
use super::topology::TopologyArgs;
use crate::exit::{Exit, Failure};
use crate::netem::{self, NamedLinks};

/// Write the links of a topology for another emulator
///
/// Prints the commands that make the same links elsewhere, for the first slot and for each change, with
/// what the other emulator does differently as comments.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  fogbit render topologies/paper-over-lte.toml --target netem")]
pub(crate) struct RenderArgs {
    #[command(flatten)]
    topology: TopologyArgs,

    /// For what
    #[arg(long, value_enum, env = "FOGBIT_TARGET")]
    target: Target,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Target {
    /// The kernel's netem, by commands of `tc`
    Netem,
}

pub(crate) fn render(args: RenderArgs) -> Result<Exit, Failure> {
    let file = args.topology.file()?;
    let links = match file.problem()? {
        Problem::OneBit => NamedLinks::of_one_bit(&args.topology.scenario(&file)?),
        Problem::Placement => NamedLinks::of_placement(&args.topology.placement(&file)?),
        Problem::Pipeline => {
            let message = "the links of the problem `pipeline` are others for each application";
            return Err(Failure::usage(message)
                .help("Fogbit emulates them itself: fogbit run --backend process"));
        }
        Problem::Cascade => NamedLinks::of_cascade(&args.topology.cascade(&file)?),
    };
    let text = match args.target {
        Target::Netem => netem::render(&links),
    };
    let Some(text) = text else {
        let message = format!("{} has no emulated links", args.topology.file.display());
        let help = "give its links a profile: `[links]` with `profile = \"lte\"`, or one for each \
                    `[[link]]`; `fogbit profile list` shows them";
        return Err(Failure::usage(message).help(help));
    };
    print(&text)?;
    Ok(Exit::Well)
}
