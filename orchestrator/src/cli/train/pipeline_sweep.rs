//! `train pipeline --label-sweep`.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, PoisonError};

use fogbit_scenario::pipeline::PipelineScenario;
use fogbit_scenario::topology::DistilledPipeline;
use serde_json::{Value, json};

use super::choose::{look_for_room, reserve};
use super::pipeline::trainee;
use super::pipeline_args::TrainPipelineArgs;
use crate::cli::print;
use crate::cli::run::Format;
use crate::exit::{Exit, Failure, tell};
use crate::results::write_whole;
use crate::stats::Interval;
use crate::train::pipeline::{
    LabelRow, MODELS, Origin, PipelineTrainError, SweepError, SweepPlan, Trainee, rows_so_far,
    sweep as play, to_csv,
};
use crate::train::progress::TrainingProgress;

/// Numbers of labels unless some are given.
const LABELS: [u32; 6] = [500, 1_000, 2_000, 5_000, 20_000, 100_000];
/// Number of seeds unless one is given.
const SEEDS: u64 = 10;
/// Applications by which all networks are judged.
const JUDGED: u64 = 10_000;
/// As in a topology.
const LEAST_LABELS: u32 = 100;
/// Each training goes through so many rows at least.
const LEAST_ROWS: u64 = 250_000;

/// A value of a row.
type Figure = (&'static str, fn(&LabelRow) -> f64, bool);
/// What is told of a sweep; the last says whether more is better.
const FIGURES: [Figure; 3] = [
    ("delay over the optimum", |row| row.delay_ratio, false),
    ("share of sub-tasks as in the label", |row| row.label_accuracy, true),
    ("share of applications exactly as in the label", |row| row.exact_match, true),
];

pub(super) fn sweep(args: &TrainPipelineArgs, stop: &AtomicBool) -> Result<Exit, Failure> {
    let out = args.out.as_deref().ok_or_else(|| Failure::usage("--label-sweep needs --out"))?;
    let (scenario, policy) = args.load()?;
    let Trainee::Distilled(learner) = trainee(&scenario, &policy)? else {
        return Err(Failure::usage(format!("policy {policy} has no teacher"))
            .help("a label sweep is for a policy of kind `distilled`"));
    };
    let mut labels = if args.labels.is_empty() { LABELS.to_vec() } else { args.labels.clone() };
    labels.sort_unstable();
    labels.dedup();
    if let Some(few) = labels.first().filter(|few| **few < LEAST_LABELS) {
        return Err(Failure::usage(format!(
            "--labels {few}: a network of a label sweep learns from {LEAST_LABELS} labels at least"
        )));
    }
    let plan = SweepPlan {
        scenario: &scenario,
        student: learner,
        labels,
        seeds: (1..=args.seeds.unwrap_or(SEEDS)).collect(),
        least_rows: LEAST_ROWS,
        judged: JUDGED,
    };
    let _lock = reserve(out, true)?;
    let known = begin(args, out, &setting(&scenario, learner))?;
    let points = plan.labels.len() * plan.seeds.len();
    let progress =
        TrainingProgress::networks("the label sweep", (points * MODELS.len()) as u32, args.quiet);
    let progress = Mutex::new(progress);
    let rows = play(&plan, known, stop, |rows| {
        let written = write_whole(out, to_csv(rows).as_bytes());
        written.map_err(|error| SweepError::Io { path: out.into(), what: "written", error })?;
        let done = rows.iter().filter(|row| plan.has(row)).count();
        progress.lock().unwrap_or_else(PoisonError::into_inner).done(done as u64);
        Ok(())
    });
    drop(progress);
    let rows = match rows {
        Ok(rows) => rows,
        Err(SweepError::Stopped) => {
            tell(format_args!("interrupted: the same command goes on from {}", out.display()));
            return Ok(Exit::Interrupted);
        }
        Err(error) => return Err(failed(&error)),
    };
    match args.format {
        Format::Json => print(&(serde_json::to_string_pretty(&rows).expect("plain data") + "\n"))?,
        Format::Table => print(&render(&rows, out))?,
    }
    Ok(Exit::Well)
}

fn failed(error: &SweepError) -> Failure {
    let exit = match error {
        SweepError::Io { .. } => Exit::Failed,
        SweepError::Train { error: PipelineTrainError::Model(_), .. } => Exit::Internal,
        SweepError::Train { error: PipelineTrainError::Labels(own), .. } => own.exit(),
        SweepError::Judge(own) => own.exit(),
        _ => Exit::Usage,
    };
    Failure::new(exit, error)
}

/// All that the rows of a sweep depend on but labels and seed.
fn setting(scenario: &PipelineScenario, student: &DistilledPipeline) -> Value {
    let origin = Origin::of(scenario);
    let mut student = student.clone();
    // They are swept.
    for own in [&mut student.train, &mut student.teacher] {
        own.labels = 0;
    }
    student.model = None;
    json!({
        "about": "how the networks of the label sweep beside this file were trained",
        "scenario": origin.digest,
        "summary": origin.summary,
        "student": student,
        "judged": JUDGED,
        "least_rows": LEAST_ROWS,
    })
}

/// The rows that are there already, of a sweep with the same setting; and the setting is kept.
fn begin(args: &TrainPipelineArgs, out: &Path, setting: &Value) -> Result<Vec<LabelRow>, Failure> {
    let beside: PathBuf = out.with_extension("json");
    if beside == out {
        return Err(Failure::usage(format!("--out {}: it becomes a CSV file", out.display())));
    }
    look_for_room(&beside, true)?;
    let found = fs::read_to_string(&beside).ok();
    let same =
        found.as_ref().is_some_and(|text| serde_json::from_str(text).ok() == Some(setting.clone()));
    let there = out.exists() || found.is_some();
    if there && !same && !args.force {
        let message =
            format!("--out {}: there is another label sweep, or something else", out.display());
        return Err(Failure::usage(message).help(
            "another name, or --force to begin anew; a sweep is gone on with where topology and setting \
             are the same",
        ));
    }
    let rows =
        if same { rows_so_far(out).map_err(|error| failed(&error.into()))? } else { Vec::new() };
    if !same {
        let kept = write_whole(&beside, format!("{setting:#}\n").as_bytes());
        kept.map_err(|error| {
            let message = format!("{} cannot be written: {error}", beside.display());
            Failure::new(Exit::Failed, message)
        })?;
    }
    Ok(rows)
}

/// The sweep for people: means over seeds, and what a teacher changes.
fn render(rows: &[LabelRow], out: &Path) -> String {
    let mut numbers: Vec<u64> = rows.iter().map(|row| row.labels).collect();
    numbers.dedup();
    let mut text = String::new();
    for (title, figure, more_is_better) in FIGURES {
        let _ = writeln!(text, "{title}: mean over seeds, 95 % interval");
        let _ = write!(text, "{:>8}", "labels");
        MODELS.iter().for_each(|model| {
            let _ = write!(text, "{model:>20}");
        });
        let _ = writeln!(text, "{:>24}", "distilled - alone");
        let mut told: [Vec<String>; 3] = Default::default();
        for labels in &numbers {
            let of = |model: &str| -> Vec<f64> {
                let own = rows.iter().filter(|row| row.labels == *labels && row.model == model);
                own.map(figure).collect()
            };
            let _ = write!(text, "{labels:>8}");
            for model in MODELS {
                let _ = write!(text, "{:>20}", ends(&Interval::of(&of(model))));
            }
            let change = Interval::of_differences(&of("distilled"), &of("alone"));
            let _ = writeln!(text, "{:>24}", ends(&change));
            let side = match change.decided() {
                Some(true) if (change.mean > 0.0) == more_is_better => 0,
                Some(true) => 1,
                _ => 2,
            };
            told[side].push(labels.to_string());
        }
        let [helps, hurts, open] = told.map(|own| own.join(", "));
        let sides = [("helps", &helps), ("hurts", &hurts)];
        let sides = sides.iter().filter(|(_, labels)| !labels.is_empty());
        let sides: Vec<String> =
            sides.map(|(does, labels)| format!("a teacher {does} with {labels} labels")).collect();
        let open = (!open.is_empty())
            .then(|| format!("whether a teacher helps with {open} labels cannot be told"));
        let sides: Vec<String> = sides.into_iter().chain(open).collect();
        let _ = writeln!(text, "{}\n", sides.join("; "));
    }
    let _ = writeln!(text, "label sweep: {}", out.display());
    text
}

/// `1.0543 +- 0.0012`
fn ends(interval: &Interval) -> String {
    match interval.high {
        Some(high) => format!("{:.4} +- {:.4}", interval.mean, high - interval.mean),
        None => format!("{:.4}", interval.mean),
    }
}
