//! The problem `placement`: its topologies, its instances, its model and its transfers.

#[path = "../common/mod.rs"]
mod common;

mod bad_input;
mod cost;
mod files;
mod instance;
mod transfer;

use std::path::Path;

use fogbit_scenario::placement::PlacementScenario;
use fogbit_scenario::{Faults, TopologyFile};

/// Reads a topology given as text.
fn read(path: &Path, text: &str) -> Result<PlacementScenario, Faults> {
    PlacementScenario::from_file(&TopologyFile::from_text(path, text.to_owned()))
}

/// A topology without fault.
fn good(text: &str) -> PlacementScenario {
    read(Path::new("test.toml"), text).unwrap_or_else(|faults| panic!("{faults}\n{text}"))
}
