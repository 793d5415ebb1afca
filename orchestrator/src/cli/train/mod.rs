//! `train`: models for policies that learn before a run.

mod choose;
mod classifiers;
mod classifiers_shown;
mod dqn;
mod dqn_shown;
mod keeper;
mod pipeline;
mod pipeline_args;
mod pipeline_shown;
mod pipeline_sweep;
mod placement;
mod shown;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::Subcommand;

use super::stopping::work_until_stopped;
use crate::exit::{Exit, Failure};

/// Train the model of a policy that learns before a run
///
/// Some policies decide by a network that is trained on drawn tasks of a topology. `fogbit run`
/// trains it at the start of a run where the topology file names no model; with this command one
/// sees beforehand how good it is, tries other settings, and keeps the model in a file that the
/// topology can name. Models are safetensors in PyTorch's layout.
#[derive(Debug, Subcommand)]
#[command(
    subcommand_required = true,
    after_help = "Examples:\n  \
    fogbit train placement topologies/learned.toml                        how good would it be?\n  \
    fogbit train placement topologies/learned.toml --out topologies/m.safetensors    and keep it\n  \
    fogbit run topologies/learned.toml --set policies.learned.model=m.safetensors\n  \
    fogbit train classifiers --out classifiers      weak and strong model of the problem cascade\n  \
    fogbit train dqn topologies/cascade.toml --out topologies/my.safetensors    the deep Q-network\n  \
    fogbit train pipeline topologies/pipeline.toml --policy distilled   a small network, taught by a large one\n\n\
    A model is looked for beside the topology file."
)]
pub(crate) enum TrainCommand {
    Placement(Box<placement::TrainPlacementArgs>),
    Classifiers(classifiers::TrainClassifiersArgs),
    Dqn(Box<dqn::TrainDqnArgs>),
    Pipeline(Box<pipeline_args::TrainPipelineArgs>),
}

pub(crate) fn train(command: TrainCommand) -> Result<Exit, Failure> {
    match command {
        TrainCommand::Placement(args) => placement::train(*args),
        TrainCommand::Classifiers(args) => classifiers::train(&args),
        TrainCommand::Dqn(args) => dqn::train(*args),
        TrainCommand::Pipeline(args) => pipeline::train(*args),
    }
}

/// After a signal this long is waited for the end of the work before the process is ended.
const GRACE: Duration = Duration::from_secs(2);

/// Does `work`, which is told by its argument when the user wants it to end; a second signal, or
/// work that does not listen, ends the process.
pub(super) fn until_stopped<T: Send>(
    work: impl FnOnce(&AtomicBool) -> T + Send,
) -> Result<T, Failure> {
    let stop = AtomicBool::new(false);
    work_until_stopped(|| work(&stop), || stop.store(true, Ordering::Relaxed), Some(GRACE))
}
