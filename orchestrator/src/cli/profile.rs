//! `profile list`.

use clap::{Args, Subcommand, ValueEnum};
use fogbit_scenario::link::{Profile, profiles};
use fogbit_scenario::topology::{LinkSettings, LossSettings};
use serde::Serialize;

use super::print;
use super::table::{Rows, new_table, right};
use crate::exit::{Exit, Failure};

/// The link profiles that Fogbit knows by name
#[derive(Debug, Subcommand)]
pub(crate) enum ProfileCommand {
    List(ListArgs),
}

/// List the link profiles with their sources
///
/// Round-trip time and jitter are those of both directions together, loss is that of each. What is marked
/// with a star has no source beyond our own judgement.
#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// The form of the list
    #[arg(long, value_enum, default_value_t = Format::Table, env = "FOGBIT_PROFILE_FORMAT")]
    format: Format,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    /// For people
    Table,
    /// For programs
    Json,
}

/// A profile as JSON: its settings under the keys of a topology file.
#[derive(Debug, Serialize)]
struct Listed<'a> {
    name: &'a str,
    #[serde(flatten)]
    settings: &'a LinkSettings,
    source: &'a str,
    ours: &'a [String],
}

pub(crate) fn run(command: ProfileCommand) -> Result<Exit, Failure> {
    let ProfileCommand::List(args) = command;
    print(&match args.format {
        Format::Table => table(),
        Format::Json => json(),
    })?;
    Ok(Exit::Well)
}

fn json() -> String {
    let listed: Vec<Listed<'_>> = profiles()
        .map(|(name, Profile { source, ours, settings })| Listed { name, settings, source, ours })
        .collect();
    serde_json::to_string_pretty(&listed).expect("settings can be written as JSON") + "\n"
}

fn table() -> String {
    let mut table = new_table(Rows::Close);
    let header = ["profile", "RTT ms", "jitter ms", "loss", "down Mbit/s", "up Mbit/s", "source"];
    table.set_header(header);
    for (name, profile) in profiles() {
        let settings = &profile.settings;
        let cell = |key: &str, value: Option<String>| match value {
            Some(value) if profile.ours.iter().any(|ours| ours == key) => format!("{value} *"),
            Some(value) => value,
            None => "-".into(),
        };
        let number = |key, value: Option<f64>| cell(key, value.map(|value| value.to_string()));
        let mut row = right([
            name.to_owned(),
            number("rtt_ms", settings.rtt_ms),
            number("jitter_ms", settings.jitter_ms),
            cell("loss", settings.loss.map(loss)),
            number("down_mbit_s", settings.down_mbit_s),
            number("up_mbit_s", settings.up_mbit_s),
        ]);
        row.push(comfy_table::Cell::new(&profile.source));
        table.add_row(row);
    }
    format!("{table}\n* no source: our own judgement\n")
}

fn loss(loss: LossSettings) -> String {
    let percent = |share: f64| format!("{} %", (share * 1e6).round() / 1e4);
    match loss {
        LossSettings::Share(share) => percent(share),
        LossSettings::Bursts(bursts) => {
            let mean = bursts.good_to_bad / (bursts.good_to_bad + bursts.bad_to_good);
            let mean = mean * bursts.bad_loss + (1.0 - mean) * bursts.good_loss;
            format!("{} in bursts", percent((mean * 1e4).round() / 1e4))
        }
    }
}
