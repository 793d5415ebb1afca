//! `validate`, `graph`, `schema` and `completions`.

use clap::{Args, ValueEnum};
use fogbit_scenario::cascade::CascadeScenario;
use fogbit_scenario::pipeline::{ApplicationSource, PipelineScenario};
use fogbit_scenario::placement::PlacementScenario;
use fogbit_scenario::topology::{
    CascadeTopology, PipelineTopology, PlacementTopology, Problem, Topology,
};
use fogbit_scenario::{Faults, Scenario, TopologyFile};

use super::print;
use super::topology::TopologyArgs;
use crate::exit::{Exit, Failure};
use crate::graph;
use crate::placement::{self, plan::segments};
use crate::report::beyond;
use crate::sweep;
use crate::sweep::design::Design;
use crate::sweep::resolve::{Base, resolve};
use crate::train::placement::check_models;

/// Check a topology file without running it
///
/// Says exactly what `run` would say, checks the points of its [sweep], and writes nothing.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  fogbit validate topologies/paper.toml --set slots=0")]
pub(crate) struct ValidateArgs {
    #[command(flatten)]
    topology: TopologyArgs,

    /// Print the topology with every default filled in
    #[arg(long, env = "FOGBIT_RESOLVED")]
    resolved: bool,
}

pub(crate) fn validate(args: ValidateArgs) -> Result<Exit, Failure> {
    let file = args.topology.file()?;
    let (resolved, said) = match file.problem()? {
        Problem::OneBit => {
            let scenario = args.topology.scenario(&file)?;
            (scenario.resolved_toml(), said_of_one_bit(&scenario))
        }
        Problem::Placement => {
            let scenario = args.topology.placement(&file)?;
            check_models(&scenario)?;
            (scenario.resolved_toml(), said_of_placement(&scenario))
        }
        Problem::Pipeline => {
            let scenario = args.topology.pipeline(&file)?;
            crate::train::pipeline::check_models(&scenario)?;
            (scenario.resolved_toml(), said_of_pipeline(&scenario))
        }
        Problem::Cascade => {
            let scenario = args.topology.cascade(&file)?;
            scenario.check_pictures().map_err(Faults::from)?;
            crate::train::dqn::check_models(&scenario)?;
            (scenario.resolved_toml(), said_of_cascade(&scenario))
        }
    };
    let points = points_of_sweep(&file)?;
    let valid = || format!("{} is valid: {said}{points}\n", args.topology.file.display());
    print(&if args.resolved { resolved } else { valid() })?;
    Ok(Exit::Well)
}

/// What is said of the points of the file's `[sweep]`, all of which are checked; nothing without one.
fn points_of_sweep(file: &TopologyFile) -> Result<String, Failure> {
    let Some(grids) = file.sweep()? else { return Ok(String::new()) };
    let design = Design::of_grids(&grids, Vec::new())?;
    let said = sweep::problem::of(file.problem()?);
    let points = resolve(Base { file, wanted: &[] }, said, &design, |_| Ok(()))?;
    Ok(format!("; {} points for `fogbit sweep`", points.len()))
}

/// The names of policies in a line.
fn names<'n, S>(policies: impl Iterator<Item = (&'n str, S)>) -> String {
    policies.map(|(name, _)| name).collect::<Vec<_>>().join(", ")
}

/// A topology of the problem `one-bit` in a line.
fn said_of_one_bit(scenario: &Scenario) -> String {
    let beyond: String = beyond::facts(scenario).iter().map(|fact| format!("{fact}, ")).collect();
    format!(
        "{} helper nodes, {} features, {}, {} clock, {} seed(s), {beyond}policies {}",
        scenario.nodes(),
        scenario.features(),
        scenario.length(),
        scenario.clock().kind(),
        scenario.seeds().len(),
        names(scenario.policies())
    )
}

/// A topology of the problem `placement` in a line.
fn said_of_placement(scenario: &PlacementScenario) -> String {
    let segments = segments(scenario);
    let profiles: Vec<&str> = segments.iter().map(|s| s.profile.as_str()).collect();
    format!(
        "problem placement, {} helper node(s), {} slots, {} clock, {} seed(s), links {}, \
         policies {}",
        scenario.helpers().len(),
        scenario.slots(),
        scenario.topology().clock.kind(),
        scenario.seeds().len(),
        profiles.join(" then "),
        names(scenario.policies())
    )
}

/// A topology of the problem `cascade` in a line.
fn said_of_cascade(scenario: &CascadeScenario) -> String {
    let (setting, bucket) = (scenario.setting(), scenario.bucket());
    format!(
        "problem cascade, {} images of {} in the trace, {} to learn from, a token for {:.1} % of them, \
         a bucket of {} tokens in {} levels, {} clock, {} seed(s), policies {}",
        scenario.images(),
        scenario.test().rows().len(),
        setting.images.rows().len(),
        100.0 * setting.affordable_share(),
        bucket.tokens(u64::from(bucket.full())),
        bucket.full() + 1,
        scenario.topology().clock.kind(),
        scenario.seeds().len(),
        names(scenario.policies())
    )
}

/// A topology of the problem `pipeline` in a line.
fn said_of_pipeline(scenario: &PipelineScenario) -> String {
    let kinds = match scenario.source() {
        ApplicationSource::Given(all) => format!("{} graph(s)", all.len()),
        ApplicationSource::Drawn(draws) => {
            let [least, most] = draws.sub_tasks;
            format!("drawn, of {least} to {most} sub-tasks")
        }
    };
    format!(
        "problem pipeline, {} applications ({kinds}), sites {}, {} clock, {} seed(s), policies {}",
        scenario.applications(),
        scenario.sites().join(", "),
        scenario.topology().clock.kind(),
        scenario.seeds().len(),
        names(scenario.policies())
    )
}

/// Draw a topology
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  fogbit graph topologies/paper.toml --format svg > paper.svg")]
pub(crate) struct GraphArgs {
    #[command(flatten)]
    topology: TopologyArgs,

    /// The language of the drawing
    #[arg(long, value_enum, default_value_t = GraphFormat::Mermaid, env = "FOGBIT_GRAPH_FORMAT")]
    format: GraphFormat,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum GraphFormat {
    /// For Markdown pages
    Mermaid,
    /// For Graphviz
    Dot,
    /// A picture
    Svg,
}

pub(crate) fn graph(args: GraphArgs) -> Result<Exit, Failure> {
    let file = args.topology.file()?;
    let problem = file.problem()?;
    let no_svg = || {
        let name = problem.name();
        let message = format!("--format svg is for the problem `one-bit` so far, this is `{name}`");
        Failure::usage(message).help("--format mermaid or --format dot")
    };
    let text = match problem {
        Problem::OneBit => {
            let scenario = args.topology.scenario(&file)?;
            match args.format {
                GraphFormat::Mermaid => graph::mermaid(&scenario),
                GraphFormat::Dot => graph::dot(&scenario),
                GraphFormat::Svg => graph::svg(&scenario),
            }
        }
        Problem::Placement => {
            let scenario = args.topology.placement(&file)?;
            match args.format {
                GraphFormat::Mermaid => placement::graph::mermaid(&scenario),
                GraphFormat::Dot => placement::graph::dot(&scenario),
                GraphFormat::Svg => return Err(no_svg()),
            }
        }
        Problem::Pipeline => {
            let scenario = args.topology.pipeline(&file)?;
            match args.format {
                GraphFormat::Mermaid => graph::pipeline::mermaid(&scenario),
                GraphFormat::Dot => graph::pipeline::dot(&scenario),
                GraphFormat::Svg => return Err(no_svg()),
            }
        }
        Problem::Cascade => {
            let scenario = args.topology.cascade(&file)?;
            match args.format {
                GraphFormat::Mermaid => graph::cascade::mermaid(&scenario),
                GraphFormat::Dot => graph::cascade::dot(&scenario),
                GraphFormat::Svg => return Err(no_svg()),
            }
        }
    };
    print(&text)?;
    Ok(Exit::Well)
}

/// Print the JSON schema of the topology file
///
/// Editors with a TOML language server complete and check topology files with it.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  fogbit schema > docs/topology.schema.json")]
pub(crate) struct SchemaArgs {
    /// The kind of decision that the topology is about
    #[arg(long, value_enum, default_value_t = ProblemName::OneBit, env = "FOGBIT_PROBLEM")]
    problem: ProblemName,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ProblemName {
    /// Each task goes to one helper node, which answers with one bit
    OneBit,
    /// Each task runs on the task node or on a helper node
    Placement,
    /// Each image is classified on the task node, or sent to a helper node
    Cascade,
    /// Applications of many sub-tasks, each of which runs on the task node or on a helper node
    Pipeline,
}

pub(crate) fn schema(args: SchemaArgs) -> Result<Exit, Failure> {
    let schema = match args.problem {
        ProblemName::OneBit => Topology::json_schema(),
        ProblemName::Placement => PlacementTopology::json_schema(),
        ProblemName::Cascade => CascadeTopology::json_schema(),
        ProblemName::Pipeline => PipelineTopology::json_schema(),
    };
    let schema = serde_json::to_string_pretty(&schema)
        .map_err(|error| Failure::new(Exit::Internal, error))?;
    print(&(schema + "\n"))?;
    Ok(Exit::Well)
}

/// Print a completion script for a shell
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  fogbit completions bash > /etc/bash_completion.d/fogbit")]
pub(crate) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    shell: clap_complete::Shell,
}

pub(crate) fn completions(
    args: CompletionsArgs,
    command: &mut clap::Command,
) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, command, "fogbit", &mut script);
    print(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Well)
}
