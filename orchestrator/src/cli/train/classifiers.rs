//! `train classifiers`.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use clap::Args;
use clap::builder::FalseyValueParser;
use clap::value_parser;

use super::classifiers_shown::{Told, TrainingTimes};
use super::until_stopped;
use crate::cli::dataset::FromArgs;
use crate::cli::print;
use crate::cli::run::Format;
use crate::exit::{Exit, Failure, tell};
use crate::train::classifiers::{
    ClassifierTraining, FILES, KeepError, TrainError, Trained, Which, check_room, keep,
    train as fit,
};
use crate::train::progress::TrainingProgress;

/// Train the weak and the strong classifier of the problem `cascade`, and trace what they say
///
/// The weak classifier is a softmax of 4 x 4 means of each picture of Fashion-MNIST, the strong one a
/// small convolutional network. Both learn from the first 40,000 training images. Their
/// temperatures, and the metric by which images are sent, are fitted to the other 20,000. The trace
/// says of these (split `train`) and of the 10,000 test images (split `test`) how sure the weak
/// classifier is, who is wrong, and the metric.
///
/// The same images and setting give the same files, bit for bit, on one host. Without --out nothing
/// is written.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    fogbit train classifiers --out classifiers            about two minutes on one core\n  \
    fogbit train classifiers --images 4000 --epochs 2     a quick look\n\n\
    It writes weak.safetensors, strong.safetensors and trace.csv.gz.")]
pub(crate) struct TrainClassifiersArgs {
    #[command(flatten)]
    from: FromArgs,

    /// Where models and trace go: a folder, made if it is not there [default: nowhere]
    #[arg(long, value_name = "DIR", env = "FOGBIT_OUT")]
    out: Option<PathBuf>,

    /// Replace the files if they are there
    #[arg(long, env = "FOGBIT_FORCE", value_parser = FalseyValueParser::new())]
    force: bool,

    /// Seed of first weights and of the order of images
    #[arg(long, value_name = "S", default_value_t = ClassifierTraining::default().seed,
          env = "FOGBIT_SEED")]
    seed: u64,

    /// How often the strong classifier sees each image
    #[arg(long, value_name = "N", default_value_t = ClassifierTraining::default().epochs,
          value_parser = value_parser!(u32).range(1..=1000), env = "FOGBIT_EPOCHS")]
    epochs: u32,

    /// How often the weak classifier sees each image
    #[arg(long, value_name = "N", default_value_t = ClassifierTraining::default().weak_epochs,
          value_parser = value_parser!(u32).range(1..=1000), env = "FOGBIT_WEAK_EPOCHS")]
    weak_epochs: u32,

    /// Images that both learn from, the first ones
    #[arg(long, value_name = "N", default_value_t = ClassifierTraining::default().images,
          value_parser = value_parser!(u32).range(1..=40_000), env = "FOGBIT_IMAGES")]
    images: u32,

    /// What goes to standard output
    #[arg(long, value_enum, default_value_t = Format::Table, env = "FOGBIT_FORMAT")]
    format: Format,

    /// Show no progress
    #[arg(long, short, env = "FOGBIT_QUIET", value_parser = FalseyValueParser::new())]
    quiet: bool,
}

pub(super) fn train(args: &TrainClassifiersArgs) -> Result<Exit, Failure> {
    until_stopped(|stop| train_until(args, stop))?
}

fn train_until(args: &TrainClassifiersArgs, stop: &AtomicBool) -> Result<Exit, Failure> {
    if let Some(out) = &args.out {
        check_room(out, args.force).map_err(no_room)?;
    }
    let began = Instant::now();
    let data = args.from.read()?;
    let read = began.elapsed();
    let setting = args.setting();
    let interrupted = || {
        tell(format_args!("interrupted: nothing was written"));
        Ok(Exit::Interrupted)
    };
    let trained = match fit(&data, &setting, watch(&setting, args.quiet, stop)) {
        Ok(trained) => trained,
        Err(TrainError::Stopped) => return interrupted(),
        Err(error @ TrainError::Classifier(_)) => return Err(Failure::new(Exit::Internal, error)),
        Err(error) => {
            let help = "more images or epochs may help";
            return Err(Failure::usage(error).help(help));
        }
    };
    let Trained { learning: [weak, strong], tracing, .. } = trained;
    let times = TrainingTimes {
        reading_seconds: read.as_secs_f64(),
        weak_seconds: weak.as_secs_f64(),
        strong_seconds: strong.as_secs_f64(),
        tracing_seconds: tracing.as_secs_f64(),
    };
    let mut told = Told::of(&trained, &data, setting, times);
    if stop.load(Ordering::Relaxed) {
        return interrupted();
    }
    if let Some(out) = &args.out {
        keep(&trained, out).map_err(|error| Failure::new(Exit::Failed, error))?;
        told.files = Some(FILES.map(|name| out.join(name).display().to_string()));
    }
    print(&match args.format {
        Format::Json => told.to_json(),
        Format::Table => told.render(),
    })?;
    Ok(Exit::Well)
}

/// Shows each epoch, one classifier after the other, and ends the training when it is to stop.
fn watch<'s>(
    setting: &ClassifierTraining,
    quiet: bool,
    stop: &'s AtomicBool,
) -> impl FnMut(Which, &fogbit_neural::Epoch) -> ControlFlow<()> + use<'s> {
    let ClassifierTraining { epochs, weak_epochs, .. } = *setting;
    let start = move |which: Which| {
        let epochs = if which == Which::Weak { weak_epochs } else { epochs };
        (which, TrainingProgress::start(which.name(), epochs, quiet))
    };
    let mut shown = start(Which::Weak);
    move |which, epoch| {
        shown.1.epoch(epoch);
        // The next one is shown from its start, not from its first epoch on.
        if which == Which::Weak && epoch.number == weak_epochs as usize {
            shown = start(Which::Strong);
        }
        match stop.load(Ordering::Relaxed) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    }
}

impl TrainClassifiersArgs {
    fn setting(&self) -> ClassifierTraining {
        let TrainClassifiersArgs { seed, epochs, weak_epochs, images, .. } = *self;
        ClassifierTraining { seed, epochs, weak_epochs, images }
    }
}

fn no_room(error: KeepError) -> Failure {
    let help = match &error {
        KeepError::Present(_) => "another folder, or --force to replace the files",
        _ => "--out names the folder that the files go into",
    };
    Failure::usage(format!("--out: {error}")).help(help)
}
