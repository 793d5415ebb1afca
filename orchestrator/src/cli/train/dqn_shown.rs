//! What is printed of the training of a deep Q-network.

use std::fmt::Write as _;

use fogbit_scenario::topology::DqnTraining;
use serde_json::{Map, Value, json};

use crate::train::dqn::{TrainedDqn, summary};

/// What is told of a training.
pub(super) struct Told<'t> {
    /// Name of the topology.
    pub(super) topology: String,
    /// The policy that was trained.
    pub(super) policy: String,
    /// How.
    pub(super) setting: &'t DqnTraining,
    /// Whether it went on from a checkpoint.
    pub(super) resumed: bool,
    /// What came of it.
    pub(super) trained: &'t TrainedDqn,
    /// How long drawing, training and judging took; from the checkpoint on.
    pub(super) training_seconds: f64,
    /// How long one decision takes.
    pub(super) decision_seconds: f64,
    /// Where the model is, if it was kept.
    pub(super) model: Option<String>,
}

impl Told<'_> {
    /// Widths of the network's layers, from what goes in to what comes out.
    fn widths(&self) -> Vec<usize> {
        let shape = self.trained.model.shape();
        let hidden = self.setting.hidden.iter().map(|size| *size as usize);
        std::iter::once(shape.inputs()).chain(hidden).chain([shape.outputs()]).collect()
    }
}

pub(super) fn json(told: &Told<'_>) -> String {
    let trained = told.trained;
    let rivals: Map<String, Value> =
        trained.rivals.iter().map(|(name, loss)| ((*name).to_owned(), json!(loss))).collect();
    let value = json!({
        "topology": told.topology,
        "policy": told.policy,
        "setting": told.setting,
        "scenario": summary(trained.model.origin()),
        "network": told.widths(),
        "weights": trained.model.network().parameters(),
        "average_loss": trained.verdict.average_loss,
        "sent_share": trained.verdict.sent_share,
        "degenerate": trained.verdict.degenerate,
        "rivals": rivals,
        "resumed": told.resumed,
        "training_seconds": told.training_seconds,
        "decision_seconds": told.decision_seconds,
        "model": told.model,
    });
    serde_json::to_string_pretty(&value).expect("plain data") + "\n"
}

/// The training for people.
pub(super) fn render(told: &Told<'_>) -> String {
    let DqnTraining { seed, iterations, updates, batch, images, .. } = told.setting;
    let model = &told.trained.model;
    let widths: Vec<String> = told.widths().iter().map(usize::to_string).collect();
    let mut text = format!(
        "{}, policy {}: network {} ({} weights)\n{}\n{iterations} iterations of {updates} updates \
         with {batch} segments out of {images} images, seed {seed}\n\n",
        told.topology,
        told.policy,
        widths.join("-"),
        model.network().parameters(),
        summary(model.origin()),
    );
    let verdict = &told.trained.verdict;
    if let Some(does) = verdict.degenerate {
        let _ = writeln!(text, "DEGENERATE: the policy {does}. It has learnt nothing.\n");
    }
    let _ = writeln!(text, "{:24}{:>14}", "on other images", "average loss");
    let own = [(told.policy.as_str(), verdict.average_loss)];
    for (name, loss) in own.into_iter().chain(told.trained.rivals.iter().copied()) {
        let _ = writeln!(text, "{name:24}{loss:>14.5}");
    }
    let _ = writeln!(
        text,
        "\nit sends {:.1} % of the images for which there is a token",
        100.0 * verdict.sent_share
    );
    let since = if told.resumed { " since the checkpoint" } else { "" };
    let _ = writeln!(
        text,
        "trained in {:.1} s{since}; one decision takes {:.2} us",
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
