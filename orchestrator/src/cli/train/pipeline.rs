//! `train pipeline`.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use clap::Args;
use clap::builder::FalseyValueParser;
use fogbit_policy::pipeline::{NetPolicy, PlacementNet};
use fogbit_scenario::TopologyFile;
use fogbit_scenario::pipeline::PipelineScenario;
use fogbit_scenario::topology::PipelinePolicySpec;

use super::choose::{choose, look_for_room};
use super::pipeline_shown::{self, Baseline, Told};
use super::pipeline_sweep;
use super::until_stopped;
use crate::cli::print;
use crate::cli::run::Format;
use crate::cli::topology::assignments;
use crate::exit::{Exit, Failure, tell};
use crate::pipeline::timing::TimedApplications;
use crate::train::pipeline::{
    Judge, LabelError, LearnError, Learner, Learnt, Origin, PipelineTrainError, Progress, Student,
    failure,
};

/// Applications by which a network is judged.
const JUDGED: u64 = 10_000;

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
    fogbit train pipeline topologies/pipeline.toml --policy teacher --out teacher.safetensors\n  \
    fogbit train pipeline topologies/pipeline.toml --policy distilled --teacher teacher.safetensors\n  \
    fogbit train pipeline topologies/pipeline.toml --policy alone --labels 5000 --epochs 100\n  \
    fogbit train pipeline topologies/pipeline.toml --policy teacher --label-set labels.bin --only-labels\n  \
    fogbit train pipeline topologies/pipeline.toml --label-sweep --out label-sweep.csv\n  \
    fogbit run topologies/pipeline.toml --set policies.teacher.model=teacher.safetensors\n\n\
    A model is looked for beside the topology file.")]
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

    /// Override a key of the topology file, e.g. --set application.cycles.max=1e9; can be given
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
    teacher: Option<PathBuf>,

    /// Keep labels in this file, and go on with those that are there
    #[arg(long, value_name = "FILE", env = "FOGBIT_LABEL_SET")]
    label_set: Option<PathBuf>,

    /// Make the labels of --label-set, and train nothing
    #[arg(long, env = "FOGBIT_ONLY_LABELS", requires = "label_set",
          value_parser = FalseyValueParser::new())]
    only_labels: bool,

    /// Train teacher, student and distilled student with each number of labels; goes on with what is
    /// in --out
    #[arg(long, env = "FOGBIT_LABEL_SWEEP", requires = "out",
          conflicts_with_all = ["teacher", "label_set", "seed", "hidden"],
          value_parser = FalseyValueParser::new())]
    label_sweep: bool,

    /// Seeds of the label sweep: 1 to N, each with labels and networks of its own
    #[arg(long, value_name = "N", env = "FOGBIT_SEEDS", default_value_t = 10,
          value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub(super) seeds: u64,

    /// What goes to standard output
    #[arg(long, value_enum, default_value_t = Format::Table, env = "FOGBIT_FORMAT")]
    pub(super) format: Format,

    /// Show no progress
    #[arg(long, short, env = "FOGBIT_QUIET", value_parser = FalseyValueParser::new())]
    pub(super) quiet: bool,
}

pub(super) fn train(args: TrainPipelineArgs) -> Result<Exit, Failure> {
    // What comes after the training takes its time as well, and is to end when the user wants it.
    until_stopped(|stop| match args.label_sweep {
        true => pipeline_sweep::sweep(&args, stop),
        false => train_until(&args, stop),
    })?
}

fn train_until(args: &TrainPipelineArgs, stop: &AtomicBool) -> Result<Exit, Failure> {
    if let Some(out) = &args.out {
        look_for_room(out, args.force)?;
    }
    if args.labels.len() > 1 {
        return Err(Failure::usage("--labels: one number, unless with --label-sweep"));
    }
    let (scenario, policy) = args.load()?;
    let student = student(&scenario, &policy)?;
    let mut progress = Progress::new(args.quiet);
    let mut learner = Learner::new(&scenario, stop, args.label_set.clone());
    if args.only_labels {
        return args.make_labels(&learner, student, &policy, &mut progress);
    }
    if let Some(teacher) = args.teacher(&scenario, student)? {
        learner.teach(teacher);
    }
    let started = Instant::now();
    let learnt = learner.learn(&policy, student, &mut progress);
    let training_seconds = started.elapsed().as_secs_f64();
    drop(progress);
    let Learnt { net, bytes } = match learnt {
        Ok(learnt) => learnt,
        Err(error) => return args.came_to_nothing(&error),
    };
    if let Some(out) = &args.out {
        crate::results::write_whole(out, &bytes).map_err(|error| {
            let message = format!("{} cannot be written: {error}", out.display());
            Failure::new(Exit::Failed, message)
        })?;
    }
    let judge = match Judge::new(&scenario, student.training().seed, JUDGED, stop) {
        Ok(judge) => judge,
        Err(LabelError::Stopped) => return Ok(Exit::Interrupted),
        Err(error) => return Err(Failure::new(Exit::Internal, error)),
    };
    let sites = scenario.sites().iter().enumerate();
    let fixed = sites.map(|(site, name)| Baseline::new(format!("all-{name}"), judge.fixed(site)));
    let timed = TimedApplications::of(&scenario.instance(student.training().seed));
    let told = Told {
        topology: scenario.name(),
        scenario: Origin::of(&scenario).summary,
        policy: &policy,
        student,
        net: &net,
        judgement: judge.net(&net),
        baselines: fixed.chain([Baseline::new("greedy".into(), judge.greedy())]).collect(),
        training_seconds,
        decision: timed.time(&mut NetPolicy::new(Arc::clone(&net))),
        exhaustive: timed.exhaustive(),
        placements: timed.placements(),
        model: args.out.as_ref().map(|path| path.display().to_string()),
    };
    match args.format {
        Format::Json => print(&pipeline_shown::json(&told))?,
        Format::Table => print(&pipeline_shown::render(&told))?,
    }
    Ok(Exit::Well)
}

/// How the policy called `policy` learns.
pub(super) fn student<'s>(
    scenario: &'s PipelineScenario,
    policy: &str,
) -> Result<Student<'s>, Failure> {
    let mut policies = scenario.policies().filter(|(name, _)| *name == policy);
    let found = policies.find_map(|(_, spec)| Student::of(spec));
    found.ok_or_else(|| Failure::new(Exit::Internal, format!("the policy {policy} is gone")))
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
            Student::of(spec).is_some_and(|own| own.teacher().is_some() || !sweep)
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

    /// The network of `--teacher`.
    fn teacher(
        &self,
        scenario: &PipelineScenario,
        student: Student<'_>,
    ) -> Result<Option<Arc<PlacementNet>>, Failure> {
        let Some(path) = &self.teacher else { return Ok(None) };
        if student.teacher().is_none() {
            return Err(Failure::usage("--teacher: the policy has none")
                .help("a teacher is for policies of kind `distilled`"));
        }
        read_teacher(path, scenario).map(Some)
    }

    /// Makes the labels of `student`, and nothing else.
    fn make_labels(
        &self,
        learner: &Learner<'_>,
        student: Student<'_>,
        policy: &str,
        progress: &mut Progress,
    ) -> Result<Exit, Failure> {
        let started = Instant::now();
        let labels = match learner.labels(student.training(), policy, progress) {
            Ok(labels) => labels,
            Err(error) => return self.came_to_nothing(&error),
        };
        let path = self.label_set.as_deref().unwrap_or(Path::new(""));
        let (count, seconds) = (labels.len(), started.elapsed().as_secs_f64());
        match self.format {
            Format::Json => {
                let value = serde_json::json!({
                    "label_set": path.display().to_string(), "labels": count, "seconds": seconds
                });
                print(&format!("{value:#}\n"))?;
            }
            Format::Table => {
                print(&format!("{}: {count} labels, in {seconds:.1} s\n", path.display()))?;
            }
        }
        Ok(Exit::Well)
    }

    /// Tells why there is no network.
    fn came_to_nothing(&self, error: &LearnError) -> Result<Exit, Failure> {
        if !matches!(error, LearnError::Train(PipelineTrainError::Stopped)) {
            return Err(failure(error, None));
        }
        match &self.label_set {
            Some(path) => tell(format_args!(
                "interrupted: the labels in {} are kept, the same command goes on with them",
                path.display()
            )),
            None => tell(format_args!("interrupted: nothing was written")),
        }
        Ok(Exit::Interrupted)
    }
}

/// Reads a network that is to teach in `scenario`.
fn read_teacher(path: &Path, scenario: &PipelineScenario) -> Result<Arc<PlacementNet>, Failure> {
    let about = |error: &dyn std::fmt::Display| {
        Failure::usage(format!("--teacher {}: {error}", path.display()))
            .help("a model that `fogbit train pipeline` wrote for this topology")
    };
    let bytes = fogbit_neural::read_bytes(path).map_err(|error| about(&error.fault))?;
    let net = PlacementNet::from_bytes(&bytes).map_err(|error| about(&error))?;
    let (theirs, ours) = (Origin::read(net.metadata()), Origin::of(scenario));
    match theirs {
        Some(own) if own.digest == ours.digest => Ok(Arc::new(net)),
        Some(own) => {
            let told = format!("it was trained for other applications ({})", own.summary);
            Err(about(&told))
        }
        None => Err(about(&"it does not say what it was trained for")),
    }
}
