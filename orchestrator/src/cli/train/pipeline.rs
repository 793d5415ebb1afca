//! `train pipeline`.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use fogbit_policy::pipeline::{NetPolicy, PipelineNet};
use fogbit_scenario::pipeline::PipelineScenario;

use super::choose::reserve;
use super::pipeline_args::TrainPipelineArgs;
use super::pipeline_shown::{self, Baseline, Told};
use super::pipeline_sweep;
use super::until_stopped;
use crate::cli::print;
use crate::cli::run::Format;
use crate::exit::{Exit, Failure, tell};
use crate::pipeline::timing::TimedApplications;
use crate::train::pipeline::{
    Judge, LabelError, LearnError, Learner, Learnt, Origin, PipelineTrainError, Progress, Trainee,
    failure,
};

/// Applications by which a network is judged.
const JUDGED: u64 = 10_000;

pub(super) fn train(args: TrainPipelineArgs) -> Result<Exit, Failure> {
    // What comes after the training takes its time as well, and is to end when the user wants it.
    until_stopped(|stop| match args.label_sweep {
        true => pipeline_sweep::sweep(&args, stop),
        false => train_until(&args, stop),
    })?
}

fn train_until(args: &TrainPipelineArgs, stop: &AtomicBool) -> Result<Exit, Failure> {
    let _lock = args.out.as_ref().map(|out| reserve(out, args.force)).transpose()?;
    if args.labels.len() > 1 {
        return Err(Failure::usage("--labels: one number, unless with --label-sweep"));
    }
    let (scenario, policy) = args.load()?;
    let trainee = trainee(&scenario, &policy)?;
    let mut progress = Progress::new(args.quiet);
    let mut learner = Learner::new(&scenario, stop, args.label_set.clone());
    if args.only_labels {
        return args.make_labels(&learner, trainee, &policy, &mut progress);
    }
    if let Some(teacher) = args.teacher(&scenario, trainee)? {
        learner.teach(teacher);
    }
    let started = Instant::now();
    let learnt = learner.learn(&policy, trainee, &mut progress);
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
    let judge = match Judge::new(&scenario, trainee.training().seed, JUDGED, stop) {
        Ok(judge) => judge,
        Err(LabelError::Stopped) => return Ok(Exit::Interrupted),
        Err(error) => {
            let told = format!("the network cannot be judged: {error}");
            let failure = Failure::new(error.exit(), told);
            return Err(match &args.out {
                Some(out) => failure.help(format!("the network itself is in {}", out.display())),
                None => failure,
            });
        }
    };
    let sites = scenario.sites().iter().enumerate();
    let fixed = sites.map(|(site, name)| Baseline::new(format!("all-{name}"), judge.fixed(site)));
    let timed = TimedApplications::of(&scenario.instance(trainee.training().seed));
    let told = Told {
        topology: scenario.name(),
        scenario: Origin::of(&scenario).summary,
        policy: &policy,
        trainee,
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
pub(super) fn trainee<'s>(
    scenario: &'s PipelineScenario,
    policy: &str,
) -> Result<Trainee<'s>, Failure> {
    let mut policies = scenario.policies().filter(|(name, _)| *name == policy);
    let found = policies.find_map(|(_, spec)| Trainee::of(spec));
    found.ok_or_else(|| Failure::new(Exit::Internal, format!("the policy {policy} is gone")))
}

impl TrainPipelineArgs {
    /// The network of `--teacher`.
    fn teacher(
        &self,
        scenario: &PipelineScenario,
        trainee: Trainee<'_>,
    ) -> Result<Option<Arc<PipelineNet>>, Failure> {
        let Some(path) = &self.teacher else { return Ok(None) };
        if trainee.teacher().is_none() {
            return Err(Failure::usage("--teacher: the policy has none")
                .help("a teacher is for policies of kind `distilled`"));
        }
        read_teacher(path, scenario).map(Some)
    }

    /// Makes the labels of `trainee`, and nothing else.
    fn make_labels(
        &self,
        learner: &Learner<'_>,
        trainee: Trainee<'_>,
        policy: &str,
        progress: &mut Progress,
    ) -> Result<Exit, Failure> {
        let started = Instant::now();
        let labels = match learner.labels(trainee.training(), policy, progress) {
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
fn read_teacher(path: &Path, scenario: &PipelineScenario) -> Result<Arc<PipelineNet>, Failure> {
    let about = |error: &dyn std::fmt::Display| {
        Failure::usage(format!("--teacher {}: {error}", path.display()))
            .help("a model that `fogbit train pipeline` wrote for this topology")
    };
    let bytes = fogbit_neural::read_bytes(path).map_err(|error| about(&error.fault))?;
    let net = PipelineNet::from_bytes(&bytes).map_err(|error| about(&error))?;
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
