//! `train placement`.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use clap::Args;
use clap::builder::{FalseyValueParser, PossibleValuesParser};
use fogbit_scenario::TopologyFile;
use fogbit_scenario::placement::PlacementScenario;
use fogbit_scenario::topology::{
    PlacementFeatures, PlacementPolicySpec, PlacementTraining, PlacementUnits,
};

use super::choose::{choose, reserve};
use super::shown::{self, Told};
use super::until_stopped;
use crate::cli::print;
use crate::cli::run::Format;
use crate::cli::topology::assignments;
use crate::exit::{Exit, Failure, tell};
use crate::train::placement::{Origin, TrainError, decision_seconds, train as fit};
use crate::train::progress::TrainingProgress;

/// The kind of policy that is trained, and the name of one that a topology without such is given.
const KIND: &str = "learned";

/// Train the decision network of the policy `learned`: local, or offload?
///
/// Tasks are drawn as the topology describes them. A task's label is the faster of its two sites by
/// the analytic model, with what the service costs as the margin. A fifth of the tasks is held out
/// and judges the network: confusion matrix, accuracy, balanced accuracy, area under the ROC curve,
/// and what it loses in seconds beside keeping and beside offloading every task. A network that
/// answers the same to every task is called degenerate, however high its accuracy.
///
/// The same file and setting give the same model, bit for bit, on one host. Without --out nothing
/// is written.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    fogbit train placement topologies/learned.toml --out learned.safetensors\n  \
    fogbit train placement topologies/learned.toml --samples 50000 --hidden 64,64\n  \
    fogbit train placement topologies/learned.toml --units notebook --features raw --epochs 10 --samples 5000 --batch 64\n\n\
    The last one is the notebook that the policy comes from: 99.4 % of its labels are \"offload\".")]
pub(crate) struct TrainPlacementArgs {
    /// The topology file (TOML) of a problem `placement`, for example topologies/learned.toml
    file: PathBuf,

    /// Where the model goes (safetensors) [default: nowhere]
    #[arg(long, value_name = "MODEL", env = "FOGBIT_OUT")]
    out: Option<PathBuf>,

    /// Replace the file if it is there
    #[arg(long, env = "FOGBIT_FORCE", value_parser = FalseyValueParser::new())]
    force: bool,

    /// The policy of the topology whose `train` is meant [default: the one of kind `learned`]
    #[arg(long, value_name = "NAME", env = "FOGBIT_POLICY")]
    policy: Option<String>,

    /// Override a key of the topology file, e.g. --set task.input_kb.max=500; can be given several
    /// times
    #[arg(long, value_name = "KEY=VALUE", env = "FOGBIT_SET")]
    set: Vec<String>,

    /// How often all tasks are gone through
    #[arg(long, value_name = "N", env = "FOGBIT_EPOCHS")]
    epochs: Option<u32>,

    /// Tasks that are drawn, of which a fifth is held out
    #[arg(long, value_name = "N", env = "FOGBIT_SAMPLES")]
    samples: Option<u32>,

    /// Sizes of the hidden layers, e.g. 64,64
    #[arg(long, value_name = "N,...", env = "FOGBIT_HIDDEN", value_delimiter = ',')]
    hidden: Vec<u32>,

    /// What the network sees: numbers as they are, on one scale, or with logarithms on one scale
    #[arg(long, value_name = "KIND", env = "FOGBIT_FEATURES",
          value_parser = PossibleValuesParser::new(PlacementFeatures::ALL.map(|kind| kind.name())))]
    features: Option<String>,

    /// Units of the transfer time behind the labels: right ones, or a thousand times too fast as in
    /// the notebook
    #[arg(long, value_name = "UNITS", env = "FOGBIT_UNITS",
          value_parser = PossibleValuesParser::new(PlacementUnits::ALL.map(|units| units.name())))]
    units: Option<String>,

    /// Learning rate of Adam
    #[arg(long, value_name = "RATE", env = "FOGBIT_LEARNING_RATE")]
    learning_rate: Option<f64>,

    /// Tasks in a batch
    #[arg(long, value_name = "N", env = "FOGBIT_BATCH")]
    batch: Option<u32>,

    /// Seed of tasks and network; seeds of runs have other draws
    #[arg(long, value_name = "S", env = "FOGBIT_SEED")]
    seed: Option<u64>,

    /// What goes to standard output
    #[arg(long, value_enum, default_value_t = Format::Table, env = "FOGBIT_FORMAT")]
    format: Format,

    /// Show no progress
    #[arg(long, short, env = "FOGBIT_QUIET", value_parser = FalseyValueParser::new())]
    quiet: bool,
}

pub(super) fn train(args: TrainPlacementArgs) -> Result<Exit, Failure> {
    // What comes after the training takes its time as well, and is to end when the user wants it.
    until_stopped(|stop| train_until(&args, stop))?
}

fn train_until(args: &TrainPlacementArgs, stop: &AtomicBool) -> Result<Exit, Failure> {
    let _lock = args.out.as_ref().map(|out| reserve(out, args.force)).transpose()?;
    let (scenario, policy) = args.load()?;
    let setting = setting(&scenario, &policy)?;
    let mut progress = TrainingProgress::start(&policy, setting.epochs, args.quiet);
    let started = Instant::now();
    let trained = fit(&scenario, setting, |epoch| {
        progress.epoch(epoch);
        match stop.load(Ordering::Relaxed) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    });
    let seconds = started.elapsed().as_secs_f64();
    drop(progress);
    let trained = match trained {
        Ok(trained) => trained,
        Err(TrainError::Stopped) => {
            tell(format_args!("interrupted: nothing was written"));
            return Ok(Exit::Interrupted);
        }
        Err(error @ TrainError::Fit(_)) => return Err(Failure::usage(error)),
        Err(error @ TrainError::Model(_)) => return Err(Failure::new(Exit::Internal, error)),
    };
    let model = &trained.model;
    if let Some(out) = &args.out {
        model
            .network()
            .save(out, model.metadata())
            .map_err(|error| Failure::new(Exit::Failed, error))?;
    }
    if let Some(answer) = trained.evaluation.only_answer {
        tell(format_args!(
            "warning: the network is degenerate: it answers \"{answer}\" to every task"
        ));
    }
    let widths = std::iter::once(model.network().inputs())
        .chain(setting.hidden.iter().map(|size| *size as usize))
        .chain([model.network().outputs()]);
    let told = Told {
        topology: scenario.name(),
        policy,
        setting,
        network: widths.collect(),
        weights: model.network().parameters(),
        scenario: Origin::of(&scenario).summary,
        evaluation: &trained.evaluation,
        training_seconds: seconds,
        decision_seconds: decision_seconds(model, &scenario, setting.seed),
        model: args.out.as_ref().map(|path| path.display().to_string()),
    };
    match args.format {
        Format::Json => print(&told.to_json())?,
        Format::Table => print(&shown::render(&told))?,
    }
    Ok(Exit::Well)
}

impl TrainPlacementArgs {
    /// The topology with all overrides, and the name of the policy that is trained.
    fn load(&self) -> Result<(PlacementScenario, String), Failure> {
        let mut file = TopologyFile::read(&self.file)?;
        for assignment in assignments(&self.set) {
            file.set(assignment)?;
        }
        let policy = self.choose(&mut file)?;
        for (flag, key, value) in self.overrides() {
            let assignment = format!("policies.\"{policy}\".train.{key}={value}");
            file.set_named(format!("--{flag} {value}"), &assignment)?;
        }
        Ok((PlacementScenario::for_training(&file)?, policy))
    }

    /// The policy that is meant.
    fn choose(&self, file: &mut TopologyFile) -> Result<String, Failure> {
        let scenario = PlacementScenario::for_training(file)?;
        choose(file, &scenario, self.policy.as_deref(), KIND, |spec| spec.kind() == KIND)
    }

    /// The flags that override keys of `train`: flag, key, value as TOML.
    fn overrides(&self) -> Vec<(&'static str, &'static str, String)> {
        let hidden: Vec<String> = self.hidden.iter().map(u32::to_string).collect();
        let hidden = (!hidden.is_empty()).then(|| format!("[{}]", hidden.join(",")));
        // TOML writes nan in small letters.
        let learning_rate = self.learning_rate.map(|rate| rate.to_string().to_lowercase());
        [
            ("epochs", "epochs", self.epochs.map(|n| n.to_string())),
            ("samples", "samples", self.samples.map(|n| n.to_string())),
            ("hidden", "hidden", hidden),
            ("features", "features", self.features.clone()),
            ("units", "units", self.units.clone()),
            ("learning-rate", "learning_rate", learning_rate),
            ("batch", "batch", self.batch.map(|n| n.to_string())),
            ("seed", "seed", self.seed.map(|n| n.to_string())),
        ]
        .into_iter()
        .filter_map(|(flag, key, value)| Some((flag, key, value?)))
        .collect()
    }
}

/// How the policy called `policy` is trained.
fn setting<'s>(
    scenario: &'s PlacementScenario,
    policy: &str,
) -> Result<&'s PlacementTraining, Failure> {
    scenario
        .policies()
        .find_map(|(name, spec)| match spec {
            PlacementPolicySpec::Learned(learned) if name == policy => Some(&learned.train),
            _ => None,
        })
        .ok_or_else(|| Failure::new(Exit::Internal, format!("the policy {policy} is gone")))
}
