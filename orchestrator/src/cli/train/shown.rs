//! What is printed of a training.

use std::fmt::Write as _;

use fogbit_scenario::topology::PlacementTraining;
use serde::Serialize;

use crate::train::placement::{Baselines, Evaluation, Loss, Probe};

/// A training, as `--format json` prints it.
#[derive(Debug, Serialize)]
pub(super) struct Told<'t> {
    /// Name of the topology.
    pub(super) topology: String,
    /// Name of the policy.
    pub(super) policy: String,
    /// How it was trained.
    pub(super) setting: &'t PlacementTraining,
    /// Widths of the network's layers, from what goes in to what comes out.
    pub(super) network: Vec<usize>,
    /// How many numbers were trained.
    pub(super) weights: usize,
    /// What it was trained for, for people.
    pub(super) scenario: String,
    /// How good it is on held-out tasks.
    #[serde(flatten)]
    pub(super) evaluation: &'t Evaluation,
    /// How long drawing, training and judging took.
    pub(super) training_seconds: f64,
    /// How long one decision takes.
    pub(super) decision_seconds: f64,
    /// Where the model is, if it was kept.
    pub(super) model: Option<String>,
}

impl Told<'_> {
    pub(super) fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("plain data") + "\n"
    }
}

/// The training for people.
pub(super) fn render(told: &Told<'_>) -> String {
    let PlacementTraining { seed, samples, epochs, features, units, batch, learning_rate, .. } =
        told.setting;
    let Evaluation { tasks, offload_share, confusion, accuracy, .. } = told.evaluation;
    let widths: Vec<String> = told.network.iter().map(usize::to_string).collect();
    let mut text = format!(
        "{}, policy {}: network {} ({} weights), {} features, {} units\n\
         {samples} tasks with seed {seed}, {tasks} of them held out; {epochs} epochs, batches of \
         {batch}, learning rate {learning_rate}\n\n",
        told.topology,
        told.policy,
        widths.join("-"),
        told.weights,
        features.name(),
        units.name(),
    );
    if let Some(answer) = told.evaluation.only_answer {
        let _ = writeln!(
            text,
            "DEGENERATE: the network answers \"{answer}\" to every task. It has learnt nothing but \
             which answer\nis more frequent, and its accuracy is the share of that answer.\n"
        );
    }
    let _ = writeln!(text, "{:.1} % of held-out tasks are better offloaded", 100.0 * offload_share);
    let _ = writeln!(text, "\n{:24}{:>14}{:>16}", "", "says local", "says offload");
    for (name, here, there) in [
        ("local is better", confusion.local_local, confusion.local_offload),
        ("offloading is better", confusion.offload_local, confusion.offload_offload),
    ] {
        let _ = writeln!(text, "{name:24}{here:>14}{there:>16}");
    }
    let of = |value: Option<f64>| value.map_or("-".into(), |value| format!("{value:.4}"));
    let _ = writeln!(
        text,
        "\naccuracy {accuracy:.4}, balanced accuracy {}, AUC {}",
        of(told.evaluation.balanced_accuracy),
        of(told.evaluation.auc)
    );
    regret(&mut text, "regret in ms", &told.evaluation.regret_s);
    if let Some(fixed) = &told.evaluation.regret_fixed_s {
        regret(&mut text, "with fixed units", fixed);
    }
    probes(&mut text, &told.evaluation.probes);
    let _ = writeln!(
        text,
        "\ntrained in {:.1} s; one decision takes {:.2} us",
        told.training_seconds,
        1e6 * told.decision_seconds
    );
    match &told.model {
        Some(path) => {
            let _ = writeln!(text, "model: {path}");
        }
        None => text += "nothing was written: --out MODEL keeps the model\n",
    }
    text
}

fn regret(text: &mut String, title: &str, all: &Baselines) {
    let _ = writeln!(text, "\n{title:24}{:>14}{:>16}", "mean", "max");
    for (name, Loss { mean, max }) in [
        ("network", all.network),
        ("always-local", all.always_local),
        ("always-offload", all.always_offload),
    ] {
        let _ = writeln!(text, "{name:24}{:>14.3}{:>16.1}", 1e3 * mean, 1e3 * max);
    }
}

fn probes(text: &mut String, probes: &[Probe]) {
    if probes.is_empty() {
        return;
    }
    let _ = writeln!(
        text,
        "\n{:24}{:>10}{:>8}{:>6}{:>12}{:>12}  {:8} network",
        "probes of the notebook", "cycles", "RTT ms", "load", "local ms", "offload ms", "better"
    );
    for probe in probes {
        let Probe { input_kb, cycles, rtt_s, load, local_s, offload_s, best, answer } = probe;
        let _ = writeln!(
            text,
            "{:24}{cycles:>10.0e}{:>8.0}{load:>6.1}{:>12.1}{:>12.1}  {best:8} {answer}",
            format!("{input_kb} KB"),
            1e3 * rtt_s,
            1e3 * local_s,
            1e3 * offload_s,
        );
    }
}
