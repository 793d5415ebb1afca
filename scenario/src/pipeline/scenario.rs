//! A topology of the problem `pipeline` that has been checked.

use std::path::PathBuf;

use super::generator::ConditionDraws;
use super::instance::{ApplicationSource, PipelineInstance};
use crate::checked::{Checked, NamesModel, kept_model, scenario_of, toml_of};
use crate::fault::{Fault, Place};
use crate::scenario::trace_path;
use crate::topology::{
    PipelineClock, PipelineExpect, PipelinePolicySpec, PipelineTopology, Problem,
};
use crate::validate::validate_pipeline;

/// A validated topology of the problem `pipeline`; what all of them have is in [`Checked`]. Reading
/// the same file gives the same scenario.
#[derive(Debug, Clone)]
pub struct PipelineScenario {
    pub(crate) checked: Checked<PipelineTopology>,
    pub(crate) source: ApplicationSource,
    pub(crate) conditions: ConditionDraws,
    pub(crate) sites: Vec<String>,
    /// Of each given application its name, and those of its sub-tasks by number.
    pub(crate) names: Vec<(String, Vec<String>)>,
    /// Where the file names its label sweep.
    pub(crate) label_sweep_place: Place,
}

scenario_of!(
    PipelineScenario,
    PipelineTopology,
    PipelinePolicySpec,
    PipelineExpect,
    Problem::Pipeline,
    validate_pipeline
);

impl NamesModel for PipelinePolicySpec {
    fn model(&self) -> Option<&String> {
        match self {
            PipelinePolicySpec::Imitation(imitation) => imitation.model.as_ref(),
            PipelinePolicySpec::Distilled(distilled) => distilled.model.as_ref(),
            _ => None,
        }
    }

    fn model_mut(&mut self) -> Option<&mut Option<String>> {
        match self {
            PipelinePolicySpec::Imitation(imitation) => Some(&mut imitation.model),
            PipelinePolicySpec::Distilled(distilled) => Some(&mut distilled.model),
            _ => None,
        }
    }
}

impl PipelineScenario {
    /// The topology with every default filled in, as TOML, as a results directory keeps it: models and
    /// the label sweep are named as they are kept beside it ([`kept_model`],
    /// [`KEPT_LABEL_SWEEP`](Self::KEPT_LABEL_SWEEP)). Expectations about policies that were not kept are
    /// left out: with them the text could not be read again. So is `[sweep]`, which is not played.
    pub fn resolved_toml(&self) -> String {
        let mut topology = self.checked.resolved(kept_model);
        topology.sweep = None;
        if let Some(file) = &mut topology.label_sweep {
            Self::KEPT_LABEL_SWEEP.clone_into(file);
        }
        toml_of(&topology)
    }

    /// The same for a point of a sweep, without the label sweep; `model` gives the name under which the
    /// model of a policy is kept beside the text.
    pub fn resolved_toml_with(&self, model: impl Fn(&str) -> String) -> String {
        let topology = self.checked.resolved(model);
        toml_of(&PipelineTopology { sweep: None, label_sweep: None, ..topology })
    }

    /// The name under which a results directory keeps the label sweep.
    pub const KEPT_LABEL_SWEEP: &str = "label-sweep.csv";

    /// The file of the label sweep, if the topology names one.
    pub fn label_sweep(&self) -> Option<PathBuf> {
        Some(trace_path(&self.path, self.topology.label_sweep.as_ref()?))
    }

    /// Whether the label sweep is there. Only runs need it: a scenario is valid without, so that
    /// networks can be trained, and the sweep be made, before there is one.
    ///
    /// # Errors
    /// If it is missing, with its place.
    pub fn check_label_sweep(&self) -> Result<(), Fault> {
        let Some(file) = self.label_sweep().filter(|file| !file.is_file()) else { return Ok(()) };
        let help = "what `fogbit train pipeline --label-sweep` wrote, relative to this file; or leave it \
                    out: the report then has no accuracy against the number of labels";
        let fault = Fault::new(format!("there is no file {}", file.display())).help(help);
        Err(self.label_sweep_fault(fault))
    }

    /// A fault of the label sweep, underlined where the file names it.
    pub fn label_sweep_fault(&self, fault: Fault) -> Fault {
        Fault { place: Some(Box::new(self.label_sweep_place.clone())), ..fault }
    }

    /// Length of each trial in applications.
    pub fn applications(&self) -> u64 {
        self.topology.applications
    }

    /// Names of the sites, the device first.
    pub fn sites(&self) -> &[String] {
        &self.sites
    }

    /// Where applications come from.
    pub fn source(&self) -> &ApplicationSource {
        &self.source
    }

    /// How the conditions are drawn that they meet.
    pub fn condition_draws(&self) -> &ConditionDraws {
        &self.conditions
    }

    /// Of application `number`, from 1, its name and those of its sub-tasks, if it is given.
    pub fn names_of(&self, number: u64) -> Option<(&str, &[String])> {
        let count = self.names.len() as u64;
        let place = (number - 1).checked_rem(count)? as usize;
        let (name, sub_tasks) = &self.names[place];
        Some((name, sub_tasks))
    }

    /// Whether time is real.
    pub fn is_wall(&self) -> bool {
        matches!(self.topology.clock, PipelineClock::Wall(_))
    }

    /// After which time an application is given up, in nanoseconds; none in virtual time.
    pub fn timeout_ns(&self) -> Option<u64> {
        match &self.topology.clock {
            PipelineClock::Wall(wall) => Some(wall.timeout.0.as_nanos() as u64),
            PipelineClock::Slot(_) => None,
        }
    }

    /// Derives all keys under `seed`.
    pub fn instance(&self, seed: u64) -> PipelineInstance {
        PipelineInstance::new(self, seed)
    }
}
