//! `policy list` and `policy serve`.

mod serve;

use clap::Subcommand;
use fogbit_policy::{CATALOGUE, Entry, cascade, pipeline, placement};

use super::print;
use crate::exit::{Exit, Failure};

/// The policies, and any of them as a service
#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    /// List the policies with their parameters and defaults
    List,
    Serve(serve::ServeArgs),
}

pub(crate) fn run(command: PolicyCommand) -> Result<Exit, Failure> {
    match command {
        PolicyCommand::List => list(),
        PolicyCommand::Serve(args) => serve::serve(&args),
    }
}

fn list() -> Result<Exit, Failure> {
    let mut text = entries(CATALOGUE);
    for (problem, catalogue) in [
        ("placement", placement::CATALOGUE),
        ("cascade", cascade::CATALOGUE),
        ("pipeline", pipeline::CATALOGUE),
    ] {
        text += &format!("\nproblem {problem}:\n{}", entries(catalogue));
    }
    print(&text)?;
    Ok(Exit::Well)
}

fn entries(catalogue: &[Entry]) -> String {
    let mut text = String::new();
    for entry in catalogue {
        text += &format!("{:<16} {}\n", entry.kind, entry.summary);
        if !entry.parameters.is_empty() {
            text += &format!("{:<16}   {}\n", "", entry.parameters);
        }
    }
    text
}
