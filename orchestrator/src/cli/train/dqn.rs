//! `train dqn`.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use clap::Args;
use clap::builder::FalseyValueParser;
use fogbit_scenario::TopologyFile;
use fogbit_scenario::cascade::CascadeScenario;
use fogbit_scenario::topology::{CascadePolicySpec, DqnTraining};

use super::choose::{choose, reserve};
use super::dqn_shown::{self, Told};
use super::keeper::Keeper;
use super::until_stopped;
use crate::cli::print;
use crate::cli::run::Format;
use crate::cli::topology::assignments;
use crate::exit::{Exit, Failure, tell};
use crate::train::dqn::{DqnTrainError, decision_seconds, exit, train as fit, warn};
use crate::train::progress::TrainingProgress;

/// The kind of policy that is trained, and the name of one that a topology without such is given.
const KIND: &str = "dqn";

/// Train the deep Q-network of the policy `dqn`: which images are worth a token?
///
/// Images are drawn as the topology describes their stream, from those of its trace that are to
/// learn from. The network says, for each level of the bucket, what keeping and what sending an image
/// is worth, given the last metrics and gaps. Now and then its policy is played on other images of the
/// same stream, beside `mdp` and `threshold`; a policy that has come to treat all images alike is
/// called degenerate and ends the training.
///
/// The same file and setting give the same model, bit for bit, on one host. With --out a checkpoint
/// is kept beside the model while the training goes on, and after Ctrl-C; --resume goes on from it
/// and ends with the same model as if nothing had happened. Without --out nothing is written.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    fogbit train dqn topologies/cascade.toml --out topologies/my.safetensors\n  \
    fogbit train dqn topologies/cascade.toml --out topologies/my.safetensors --resume   after Ctrl-C\n  \
    fogbit train dqn topologies/cascade.toml --iterations 200 --images 1000000   a first look\n  \
    fogbit run topologies/cascade.toml --set policies.dqn.model=my.safetensors\n\n\
    A model is looked for beside the topology file.")]
pub(crate) struct TrainDqnArgs {
    /// The topology file (TOML) of a problem `cascade`, for example topologies/cascade.toml
    file: PathBuf,

    /// Where the model goes (safetensors) [default: nowhere]
    #[arg(long, value_name = "MODEL", env = "FOGBIT_OUT")]
    out: Option<PathBuf>,

    /// Replace the model and the checkpoint if they are there
    #[arg(long, env = "FOGBIT_FORCE", value_parser = FalseyValueParser::new())]
    force: bool,

    /// Where checkpoints go; the file is removed when the model is written [default: MODEL with
    /// `.checkpoint` at its end]
    #[arg(long, value_name = "FILE", env = "FOGBIT_CHECKPOINT", requires = "out")]
    checkpoint: Option<PathBuf>,

    /// Iterations from one checkpoint to the next [default: a twentieth of all]
    #[arg(long, value_name = "N", env = "FOGBIT_CHECKPOINT_EVERY",
          value_parser = clap::value_parser!(u32).range(1..))]
    checkpoint_every: Option<u32>,

    /// Go on from the checkpoint, with the same topology and setting
    #[arg(long, env = "FOGBIT_RESUME", value_parser = FalseyValueParser::new())]
    resume: bool,

    /// The policy of the topology whose `train` is meant [default: the one of kind `dqn`]
    #[arg(long, value_name = "NAME", env = "FOGBIT_POLICY")]
    policy: Option<String>,

    /// Override a key of the topology file, e.g. --set bucket.depth=2; can be given several times
    #[arg(long, value_name = "KEY=VALUE", env = "FOGBIT_SET")]
    set: Vec<String>,

    /// How often the target network is brought up to date
    #[arg(long, value_name = "N", env = "FOGBIT_ITERATIONS")]
    iterations: Option<u32>,

    /// Updates of the network in an iteration
    #[arg(long, value_name = "N", env = "FOGBIT_UPDATES")]
    updates: Option<u32>,

    /// Segments of the stream in an update
    #[arg(long, value_name = "N", env = "FOGBIT_BATCH")]
    batch: Option<u32>,

    /// Images in a segment: the network sees one less
    #[arg(long, value_name = "N", env = "FOGBIT_HISTORY")]
    history: Option<u32>,

    /// Sizes of the hidden layers, e.g. 64,64
    #[arg(long, value_name = "N,...", env = "FOGBIT_HIDDEN", value_delimiter = ',')]
    hidden: Vec<u32>,

    /// Images that are drawn to train on
    #[arg(long, value_name = "N", env = "FOGBIT_IMAGES")]
    images: Option<u64>,

    /// Learning rate of Adam
    #[arg(long, value_name = "RATE", env = "FOGBIT_LEARNING_RATE")]
    learning_rate: Option<f64>,

    /// Learning rate in the last quarter of the iterations
    #[arg(long, value_name = "RATE", env = "FOGBIT_LAST_LEARNING_RATE")]
    last_learning_rate: Option<f64>,

    /// Seed of images and network; seeds of runs have other draws
    #[arg(long, value_name = "S", env = "FOGBIT_SEED")]
    seed: Option<u64>,

    /// What goes to standard output
    #[arg(long, value_enum, default_value_t = Format::Table, env = "FOGBIT_FORMAT")]
    format: Format,

    /// Show no progress
    #[arg(long, short, env = "FOGBIT_QUIET", value_parser = FalseyValueParser::new())]
    quiet: bool,
}

pub(super) fn train(args: TrainDqnArgs) -> Result<Exit, Failure> {
    until_stopped(|stop| train_until(&args, stop))?
}

fn train_until(args: &TrainDqnArgs, stop: &AtomicBool) -> Result<Exit, Failure> {
    let _lock = args.out.as_ref().map(|out| reserve(out, args.force)).transpose()?;
    let (scenario, policy) = args.load()?;
    let how = setting(&scenario, &policy)?;
    let mut keeper = args.keeper(how);
    let from = keeper.resumed(args.resume, args.force, args.out.as_deref())?;
    let begun = from.is_some();
    let mut progress = TrainingProgress::iterations(&policy, how.iterations, args.quiet);
    let started = Instant::now();
    let mut unwritten = None;
    let trained = fit(&scenario.setting(), how, from, |trainer, done| {
        progress.iteration(done);
        let stopped = stop.load(Ordering::Relaxed);
        if (stopped || keeper.is_due(done.iteration))
            && let Err(error) = keeper.keep(trainer)
        {
            unwritten = Some(error);
        }
        match stopped || unwritten.is_some() {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    });
    let training_seconds = started.elapsed().as_secs_f64();
    drop(progress);
    if let Some(error) = unwritten {
        return Err(Failure::new(Exit::Failed, error));
    }
    let trained = match trained {
        Ok(trained) => trained,
        Err(DqnTrainError::Stopped) => {
            keeper.say_where();
            return Ok(Exit::Interrupted);
        }
        Err(error) => {
            if matches!(error, DqnTrainError::Diverged { .. } | DqnTrainError::Degenerate { .. }) {
                // Whoever went on from it would come to the same end.
                keeper.forget();
            }
            return Err(Failure::new(exit(&error), error));
        }
    };
    let model = &trained.model;
    if let Some(out) = &args.out {
        let saved = model.network().save(out, model.metadata());
        saved.map_err(|error| Failure::new(Exit::Failed, error))?;
        keeper.forget();
    }
    warn(&policy, &trained.verdict);
    let told = Told {
        topology: scenario.name(),
        policy,
        setting: how,
        resumed: begun,
        trained: &trained,
        training_seconds,
        decision_seconds: decision_seconds(Arc::clone(model), &scenario.setting()),
        model: args.out.as_ref().map(|path| path.display().to_string()),
    };
    match args.format {
        Format::Json => print(&dqn_shown::json(&told))?,
        Format::Table => print(&dqn_shown::render(&told))?,
    }
    Ok(Exit::Well)
}

impl TrainDqnArgs {
    /// Who keeps the checkpoints.
    fn keeper(&self, how: &DqnTraining) -> Keeper {
        Keeper::new(
            self.checkpoint.as_deref(),
            self.out.as_deref(),
            self.checkpoint_every,
            how.iterations,
        )
    }

    /// The topology with all overrides, and the name of the policy that is trained.
    fn load(&self) -> Result<(CascadeScenario, String), Failure> {
        let mut file = TopologyFile::read(&self.file)?;
        for assignment in assignments(&self.set) {
            file.set(assignment)?;
        }
        let policy = self.choose(&mut file)?;
        for (flag, key, value) in self.overrides() {
            let assignment = format!("policies.\"{policy}\".train.{key}={value}");
            file.set_named(format!("--{flag} {value}"), &assignment)?;
        }
        Ok((CascadeScenario::for_training(&file)?, policy))
    }

    /// The policy that is meant.
    fn choose(&self, file: &mut TopologyFile) -> Result<String, Failure> {
        let scenario = CascadeScenario::for_training(file)?;
        let has_none = scenario.policies().all(|(_, spec)| spec.kind() != KIND);
        let chosen =
            choose(file, &scenario, self.policy.as_deref(), KIND, |spec| spec.kind() == KIND)?;
        if has_none {
            tell(format_args!("{}", self.nobody_plays(&scenario.name())));
        }
        Ok(chosen)
    }

    /// What is told where the topology has no policy that would play the model.
    fn nobody_plays(&self, topology: &str) -> String {
        let model = self.out.as_ref().and_then(|out| out.file_name());
        let model = model.map_or("MODEL".into(), |name| name.to_string_lossy());
        format!(
            "note: no policy of {topology} is of kind `dqn`, so none would play this model; what would, \
             with the model beside the topology file:\n  [policies.{KIND}]\n  \
             kind = \"dqn\"\n  model = \"{model}\""
        )
    }

    /// The flags that override keys of `train`: flag, key, value as TOML.
    fn overrides(&self) -> Vec<(&'static str, &'static str, String)> {
        let hidden: Vec<String> = self.hidden.iter().map(u32::to_string).collect();
        let hidden = (!hidden.is_empty()).then(|| format!("[{}]", hidden.join(",")));
        // TOML writes nan in small letters.
        let rate = |rate: Option<f64>| rate.map(|rate| rate.to_string().to_lowercase());
        [
            ("iterations", "iterations", self.iterations.map(|n| n.to_string())),
            ("updates", "updates", self.updates.map(|n| n.to_string())),
            ("batch", "batch", self.batch.map(|n| n.to_string())),
            ("history", "history", self.history.map(|n| n.to_string())),
            ("hidden", "hidden", hidden),
            ("images", "images", self.images.map(|n| n.to_string())),
            ("learning-rate", "learning_rate", rate(self.learning_rate)),
            ("last-learning-rate", "last_learning_rate", rate(self.last_learning_rate)),
            ("seed", "seed", self.seed.map(|n| n.to_string())),
        ]
        .into_iter()
        .filter_map(|(flag, key, value)| Some((flag, key, value?)))
        .collect()
    }
}

/// How the policy called `policy` is trained.
fn setting<'s>(scenario: &'s CascadeScenario, policy: &str) -> Result<&'s DqnTraining, Failure> {
    scenario
        .policies()
        .find_map(|(name, spec)| match spec {
            CascadePolicySpec::Dqn(dqn) if name == policy => Some(&dqn.train),
            _ => None,
        })
        .ok_or_else(|| Failure::new(Exit::Internal, format!("the policy {policy} is gone")))
}
