//! What is printed of the training of a network of the problem `pipeline`.

use std::fmt::Write as _;

use fogbit_policy::pipeline::PipelineNet;
use serde::Serialize;
use serde_json::json;

use crate::pipeline::timing::DecisionTimes;
use crate::train::pipeline::{Judgement, Trainee};

/// How one does who has learnt nothing.
#[derive(Debug, Serialize)]
pub(super) struct Baseline {
    name: String,
    #[serde(flatten)]
    judgement: Judgement,
}

impl Baseline {
    pub(super) fn new(name: String, judgement: Judgement) -> Baseline {
        Baseline { name, judgement }
    }
}

/// What is told of a training.
pub(super) struct Told<'t> {
    /// Name of the topology.
    pub(super) topology: String,
    /// What the network was trained for, for people.
    pub(super) scenario: String,
    /// The policy that was trained.
    pub(super) policy: &'t str,
    /// How.
    pub(super) trainee: Trainee<'t>,
    /// What came of it.
    pub(super) net: &'t PipelineNet,
    /// How good it is.
    pub(super) judgement: Judgement,
    /// And others beside it.
    pub(super) baselines: Vec<Baseline>,
    /// How long labels and training took.
    pub(super) training_seconds: f64,
    /// How long one decision takes.
    pub(super) decision: DecisionTimes,
    /// And exhaustive search, unless it has too much to try.
    pub(super) exhaustive: Option<DecisionTimes>,
    /// The most placements of an application.
    pub(super) placements: f64,
    /// Where the model is, if it was kept.
    pub(super) model: Option<String>,
}

impl Told<'_> {
    /// Widths of the network's layers, from what goes in to what comes out.
    fn widths(&self) -> Vec<usize> {
        let hidden = self.trainee.hidden().iter().map(|size| *size as usize);
        let network = self.net.network();
        std::iter::once(network.inputs()).chain(hidden).chain([network.outputs()]).collect()
    }
}

pub(super) fn json(told: &Told<'_>) -> String {
    let value = json!({
        "topology": told.topology,
        "scenario": told.scenario,
        "policy": told.policy,
        "setting": told.trainee.training(),
        "teacher": told.trainee.teacher().map(|own| own.training()),
        "network": told.widths(),
        "weights": told.net.network().parameters(),
        "judged": told.judgement,
        "others": told.baselines,
        "training_seconds": told.training_seconds,
        "decision": told.decision,
        "exhaustive": told.exhaustive,
        "placements": told.placements,
        "model": told.model,
    });
    format!("{value:#}\n")
}

/// The training for people.
pub(super) fn render(told: &Told<'_>) -> String {
    let training = told.trainee.training();
    let widths: Vec<String> = told.widths().iter().map(usize::to_string).collect();
    let mut text = format!(
        "{}, policy {}: network {} ({} weights)\n{}\n{} labels of seed {}; {} epochs, batches of {}, \
         learning rate {}, cost weight {}\n",
        told.topology,
        told.policy,
        widths.join("-"),
        told.net.network().parameters(),
        told.scenario,
        training.labels,
        training.seed,
        training.epochs,
        training.batch,
        training.learning_rate,
        training.cost_weight,
    );
    let _ = writeln!(
        text,
        "\non {} other applications\n{:20}{:>24}{:>18}{:>14}",
        told.judgement.applications, "", "delay over optimum", "as the label", "exact match"
    );
    row(&mut text, told.policy, &told.judgement);
    told.baselines.iter().for_each(|own| row(&mut text, &own.name, &own.judgement));
    let _ = writeln!(
        text,
        "\nmade and trained in {:.1} s; one decision takes {:.2} us",
        told.training_seconds,
        told.decision.median_ns / 1e3
    );
    if let Some(exhaustive) = &told.exhaustive {
        let _ = writeln!(
            text,
            "trying all {:.0} placements takes {:.0} us, {:.0} times as long",
            told.placements,
            exhaustive.median_ns / 1e3,
            exhaustive.median_ns / told.decision.median_ns
        );
    }
    match &told.model {
        Some(path) => {
            let _ = writeln!(text, "model: {path}");
        }
        None => text += "nothing was written: --out MODEL keeps the model\n",
    }
    text
}

fn row(text: &mut String, name: &str, own: &Judgement) {
    let half = own.delay_ratio_half.map_or(String::new(), |half| format!(" +- {half:.4}"));
    let _ = writeln!(
        text,
        "{name:20}{:>24}{:>16.2} %{:>12.2} %",
        format!("{:.4}{half}", own.delay_ratio),
        100.0 * own.label_accuracy,
        100.0 * own.exact_match
    );
}
