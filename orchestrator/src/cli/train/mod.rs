//! `train`: models for policies that learn before a run.

mod dqn;
mod dqn_shown;
mod keeper;
mod placement;
mod shown;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::Subcommand;

use super::run::{runtime, signal};
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
    fogbit run topologies/learned.toml --set policies.learned.model=m.safetensors\n\n\
    A model is looked for beside the topology file."
)]
pub(crate) enum TrainCommand {
    Placement(Box<placement::TrainPlacementArgs>),
    Dqn(Box<dqn::TrainDqnArgs>),
}

pub(crate) fn train(command: TrainCommand) -> Result<Exit, Failure> {
    match command {
        TrainCommand::Placement(args) => placement::train(*args),
        TrainCommand::Dqn(args) => dqn::train(*args),
    }
}

/// After a signal this long is waited for the end of the work before the process is ended.
const GRACE: Duration = Duration::from_secs(2);

/// Does `work`, which is told by its argument when the user wants it to end; a second signal, or
/// work that does not listen, ends the process.
pub(super) fn until_stopped<T: Send>(
    work: impl FnOnce(&AtomicBool) -> T + Send,
) -> Result<T, Failure> {
    let runtime = runtime()?;
    let stop = AtomicBool::new(false);
    let done = std::thread::scope(|scope| {
        let (ended, end) = tokio::sync::oneshot::channel();
        let stop = &stop;
        let work = scope.spawn(move || {
            let done = work(stop);
            let _ = ended.send(());
            done
        });
        runtime.block_on(async {
            let mut end = std::pin::pin!(end);
            tokio::select! {
                biased;
                _ = &mut end => return,
                () = signal() => {}
            }
            stop.store(true, Ordering::Relaxed);
            tokio::select! {
                biased;
                _ = &mut end => {}
                // Whoever asks twice does not want to wait. A file is there whole or not at all.
                () = signal() => std::process::exit(Exit::Interrupted as i32),
                () = tokio::time::sleep(GRACE) => std::process::exit(Exit::Interrupted as i32),
            }
        });
        work.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    });
    Ok(done)
}
