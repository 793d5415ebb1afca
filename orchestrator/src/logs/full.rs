//! Full information: everything that a seed holds, whatever is chosen.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use flate2::Compression;
use flate2::write::GzEncoder;
use fogbit_scenario::{Contexts, Instance, Scenario, TaskSource, Truth};
use fogbit_task_node::SimFog;
use rayon::prelude::*;
use serde::Serialize;

use super::{feature_names, full_files};
use crate::results::write_whole;

/// A log of full information cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {path}: {error}")]
pub struct FullLogError {
    /// Which file.
    pub path: PathBuf,
    /// Why.
    pub error: io::Error,
}

/// First line of a log. A trace reads `N`, `noise` and `w_true`; the rest is for people.
#[derive(Serialize)]
struct Header<'a> {
    kind: &'static str,
    #[serde(rename = "N")]
    nodes: usize,
    /// How many of the last features say nothing.
    noise: usize,
    topology: String,
    seed: u64,
    names: Vec<&'a str>,
    features: Vec<String>,
    fogbit: &'static str,
    /// Hidden weights, where they stay the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    w_true: Option<Vec<Vec<f64>>>,
}

/// One slot.
#[derive(Serialize)]
struct Line<'a> {
    t: u64,
    /// The draw behind each node's bit.
    u: &'a [f64],
    task: &'a [f64],
    node: Vec<Vec<f64>>,
    /// What each node would tell of the task.
    bits: &'a [i8],
}

/// Writes the full information of each of `seeds`, and beside it a topology file that plays it,
/// to the folder `full` of the results directory `dir`. Ends early when `stop` is set; what has its
/// final name is whole.
///
/// # Errors
/// The first file that cannot be written.
pub fn write_full(
    dir: &Path,
    scenario: &Scenario,
    seeds: &[u64],
    stop: &AtomicBool,
) -> Result<(), FullLogError> {
    seeds.par_iter().try_for_each(|seed| {
        let (log, replay) = full_files(dir, *seed);
        let part = log.with_extension("gz.part");
        let written = write_seed(&part, scenario, *seed, stop);
        let whole = written.and_then(|whole| match whole {
            true => fs::rename(&part, &log).map(|()| true),
            false => fs::remove_file(&part).map(|()| false),
        });
        let unwritten = |path: PathBuf| move |error| FullLogError { path, error };
        if !whole.map_err(|error| {
            // There may be no room for it, but there is no need of it either.
            let _ = fs::remove_file(&part);
            unwritten(log.clone())(error)
        })? {
            return Ok(());
        }
        let name = log.file_name().unwrap_or_default().to_string_lossy();
        let toml = scenario.replay_toml(*seed, &name);
        write_whole(&replay, toml.as_bytes()).map_err(unwritten(replay))
    })
}

/// Writes one seed; says whether it got to the end.
fn write_seed(path: &Path, scenario: &Scenario, seed: u64, stop: &AtomicBool) -> io::Result<bool> {
    let instance = scenario.instance(seed);
    let file = BufWriter::new(File::create(path)?);
    let mut out = BufWriter::new(GzEncoder::new(file, Compression::fast()));
    serde_json::to_writer(&mut out, &header(scenario, &instance))?;
    out.write_all(b"\n")?;
    let (nodes, features) = (instance.helpers.len(), instance.features);
    let mut tasks = TaskSource::new(&instance.tasks);
    let mut task = vec![0.0; tasks.width()];
    let mut contexts = Contexts::new(nodes, features);
    let mut fog = SimFog::new(&instance);
    let mut truth = Truth::new(&instance);
    for t in 1..=scenario.last_slot() {
        if stop.load(Ordering::Relaxed) {
            return Ok(false);
        }
        tasks.read(t, &mut task);
        contexts.set_task(&task);
        fog.observe_now(t, &mut contexts);
        truth.step_to(t);
        let own = |node| contexts.node(node).skip(task.len()).collect();
        let u: Vec<f64> = (0..nodes).map(|node| truth.draw(node)).collect();
        let bits: Vec<i8> =
            (0..nodes).map(|node| truth.potential_bit(node, &contexts).sign()).collect();
        let node = (0..nodes).map(own).collect();
        serde_json::to_writer(&mut out, &Line { t, u: &u, task: &task, node, bits: &bits })?;
        out.write_all(b"\n")?;
    }
    let encoder = out.into_inner().map_err(io::IntoInnerError::into_error)?;
    encoder.finish()?.flush()?;
    Ok(true)
}

fn header<'a>(scenario: &'a Scenario, instance: &Instance) -> Header<'a> {
    Header {
        kind: "full",
        nodes: instance.helpers.len(),
        noise: scenario.noise_features(),
        topology: scenario.name(),
        seed: instance.seed,
        names: scenario.helpers().iter().map(|helper| helper.name.as_str()).collect(),
        features: feature_names(scenario),
        fogbit: env!("CARGO_PKG_VERSION"),
        w_true: scenario.weights_stay().then(|| instance.weights()),
    }
}
