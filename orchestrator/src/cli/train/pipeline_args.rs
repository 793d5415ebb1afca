//! The arguments of `train pipeline`, and what they make of a topology.

use std::path::PathBuf;

use clap::Args;
use clap::builder::FalseyValueParser;
use fogbit_scenario::TopologyFile;
use fogbit_scenario::pipeline::PipelineScenario;
use fogbit_scenario::topology::PipelinePolicySpec;

use super::choose::choose;
use crate::cli::run::Format;
use crate::cli::topology::assignments;
use crate::exit::Failure;
use crate::train::pipeline::Trainee;

/// Train the network of a policy `imitation` or `distilled`: where does each sub-task run?
///
/// Applications are drawn as the topology describes them, and their best placements found: the labels.
/// The network learns to say the label of an application from its graph, its sizes, and what sites and
/// links are. A policy `distilled` learns from a teacher too, which is trained before it. What comes of
/// it is judged on 10,000 other applications.
///
/// The same file and setting give the same model, bit for bit, on one host. Without --out nothing is
/// written. With --label-set labels are kept in a file, and made there piece by piece: a command that was
/// interrupted goes on where it was.
///
/// With --label-sweep the student of a policy `distilled` is trained with few labels and with many, with
/// its teacher and without: does a teacher help, and when?
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    fogbit train pipeline topologies/pipeline.toml --policy teacher --out topologies/t.safetensors\n  \
    fogbit train pipeline topologies/pipeline.toml --policy distilled --teacher topologies/t.safetensors\n  \
    fogbit train pipeline topologies/pipeline.toml --policy alone --labels 5000 --epochs 100\n  \
    fogbit train pipeline topologies/pipeline.toml --policy teacher --label-set labels.bin --only-labels\n  \
    fogbit train pipeline topologies/pipeline.toml --label-sweep --out label-sweep.csv\n  \
    fogbit run topologies/pipeline.toml --set policies.teacher.model=t.safetensors\n\n\
    A model is looked for beside the topology file. Flags of a training (--labels, --epochs and the\n\
    like) are those of the network itself; its teacher has keys of its own in the topology.")]
pub(crate) struct TrainPipelineArgs {
    /// The topology file (TOML) of a problem `pipeline`, for example topologies/pipeline.toml
    file: PathBuf,

    /// Where the model goes (safetensors), or the label sweep (CSV) [default: nowhere]
    #[arg(long, value_name = "FILE", env = "FOGBIT_OUT")]
    pub(super) out: Option<PathBuf>,

    /// Replace the file if it is there
    #[arg(long, env = "FOGBIT_FORCE", value_parser = FalseyValueParser::new())]
    pub(super) force: bool,

    /// The policy of the topology that is meant [default: the only one that has a network to learn]
    #[arg(long, value_name = "NAME", env = "FOGBIT_POLICY")]
    policy: Option<String>,

    /// Override a key of the topology file, e.g. --set application.data_kb.max=500; can be given
    /// several times
    #[arg(long, value_name = "KEY=VALUE", env = "FOGBIT_SET")]
    set: Vec<String>,

    /// Number of labels; with --label-sweep several [default there: 500,1000,2000,5000,20000,100000]
    #[arg(long, value_name = "N,...", env = "FOGBIT_LABELS", value_delimiter = ',',
          value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) labels: Vec<u32>,

    /// How often all labels are gone through
    #[arg(long, value_name = "N", env = "FOGBIT_EPOCHS")]
    epochs: Option<u32>,

    /// Applications in a batch
    #[arg(long, value_name = "N", env = "FOGBIT_BATCH")]
    batch: Option<u32>,

    /// Sizes of the hidden layers, e.g. 64,32
    #[arg(long, value_name = "N,...", env = "FOGBIT_HIDDEN", value_delimiter = ',')]
    hidden: Vec<u32>,

    /// Learning rate of Adam at the start; it goes down in steps
    #[arg(long, value_name = "RATE", env = "FOGBIT_LEARNING_RATE")]
    learning_rate: Option<f64>,

    /// Weight of what a wrong site costs against the label itself
    #[arg(long, value_name = "W", env = "FOGBIT_COST_WEIGHT")]
    cost_weight: Option<f64>,

    /// Seed of applications and network; seeds of runs have other draws
    #[arg(long, value_name = "S", env = "FOGBIT_SEED")]
    seed: Option<u64>,

    /// The teacher of a policy `distilled`, as this command wrote it [default: it is trained]
    #[arg(long, value_name = "MODEL", env = "FOGBIT_TEACHER")]
    pub(super) teacher: Option<PathBuf>,

    /// Keep labels in this file, and go on with those that are there
    #[arg(long, value_name = "FILE", env = "FOGBIT_LABEL_SET")]
    pub(super) label_set: Option<PathBuf>,

    /// Make the labels of --label-set, and train nothing
    #[arg(long, env = "FOGBIT_ONLY_LABELS", requires = "label_set",
          value_parser = FalseyValueParser::new())]
    pub(super) only_labels: bool,

    /// Train teacher, student and distilled student with each number of labels; goes on with what is
    /// in --out
    #[arg(long, env = "FOGBIT_LABEL_SWEEP", requires = "out",
          conflicts_with_all = ["teacher", "label_set", "seed", "hidden"],
          value_parser = FalseyValueParser::new())]
    pub(super) label_sweep: bool,

    /// Seeds of the label sweep: 1 to N, each with labels and networks of its own [default: 10]
    #[arg(long, value_name = "N", requires = "label_sweep",
          value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub(super) seeds: Option<u64>,

    /// What goes to standard output
    #[arg(long, value_enum, default_value_t = Format::Table, env = "FOGBIT_FORMAT")]
    pub(super) format: Format,

    /// Show no progress
    #[arg(long, short, env = "FOGBIT_QUIET", value_parser = FalseyValueParser::new())]
    pub(super) quiet: bool,
}

impl TrainPipelineArgs {
    /// The topology with all overrides, and the name of the policy that is trained.
    pub(super) fn load(&self) -> Result<(PipelineScenario, String), Failure> {
        let mut file = TopologyFile::read(&self.file)?;
        for assignment in assignments(&self.set) {
            file.set(assignment)?;
        }
        let policy = self.choose(&mut file)?;
        for (flag, key, value) in self.overrides() {
            let assignment = format!("policies.\"{policy}\".train.{key}={value}");
            file.set_named(format!("--{flag} {value}"), &assignment)?;
        }
        Ok((PipelineScenario::for_training(&file)?, policy))
    }

    /// The policy that is meant.
    fn choose(&self, file: &mut TopologyFile) -> Result<String, Failure> {
        let scenario = PipelineScenario::for_training(file)?;
        let sweep = self.label_sweep;
        let learns = |spec: &PipelinePolicySpec| {
            Trainee::of(spec).is_some_and(|own| own.teacher().is_some() || !sweep)
        };
        let kind = match (sweep, scenario.policies().any(|(_, spec)| learns(spec))) {
            (true, _) => "distilled",
            (false, true) => "imitation` or `distilled",
            (false, false) => "imitation",
        };
        choose(file, &scenario, self.policy.as_deref(), kind, learns)
    }

    /// The flags that override keys of `train`: flag, key, value as TOML.
    fn overrides(&self) -> Vec<(&'static str, &'static str, String)> {
        let hidden: Vec<String> = self.hidden.iter().map(u32::to_string).collect();
        let hidden = (!hidden.is_empty()).then(|| format!("[{}]", hidden.join(",")));
        // TOML writes nan in small letters.
        let real = |value: Option<f64>| value.map(|value| value.to_string().to_lowercase());
        let labels = self.labels.first().filter(|_| !self.label_sweep);
        [
            ("labels", "labels", labels.map(u32::to_string)),
            ("epochs", "epochs", self.epochs.map(|n| n.to_string())),
            ("batch", "batch", self.batch.map(|n| n.to_string())),
            ("hidden", "hidden", hidden),
            ("learning-rate", "learning_rate", real(self.learning_rate)),
            ("cost-weight", "cost_weight", real(self.cost_weight)),
            ("seed", "seed", self.seed.map(|n| n.to_string())),
        ]
        .into_iter()
        .filter_map(|(flag, key, value)| Some((flag, key, value?)))
        .collect()
    }
}
