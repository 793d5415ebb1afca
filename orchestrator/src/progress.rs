//! How far a run has got: a bar for each policy on a terminal, plain lines elsewhere. Everything
//! goes to standard error.

use std::io::IsTerminal;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::exit::tell;
use crate::plan::Plan;

/// How often bars are drawn anew.
const DRAW_EVERY: Duration = Duration::from_millis(100);
/// How often a line is written where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// What the backends tell; cheap enough for the trial loop.
#[derive(Debug)]
pub struct Progress {
    policies: Vec<Cell>,
    /// What is being done before the first slot.
    stage: Mutex<String>,
}

#[derive(Debug)]
struct Cell {
    name: String,
    slots: u64,
    done: AtomicU64,
    /// Linear regret so far over all seeds, as the bits of an f64.
    regret: AtomicU64,
}

impl Progress {
    /// For the trials of `plan`.
    pub fn new(plan: &Plan) -> Progress {
        let slots = plan.scenario.slots() * plan.seeds.len() as u64;
        let cell = |name: &String| Cell {
            name: name.clone(),
            slots,
            done: AtomicU64::new(0),
            regret: AtomicU64::new(0),
        };
        Progress {
            policies: plan.policies.iter().map(|p| cell(&p.name)).collect(),
            stage: Mutex::new(String::new()),
        }
    }

    /// Adds `slots` that lost `regret` in linear units.
    pub fn add(&self, policy: usize, slots: u64, regret: f64) {
        let cell = &self.policies[policy];
        cell.done.fetch_add(slots, Ordering::Relaxed);
        let add = |bits| Some((f64::from_bits(bits) + regret).to_bits());
        // The closure never gives up.
        let _ = cell.regret.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
    }

    /// Says what is being done.
    pub fn stage(&self, text: impl Into<String>) {
        *self.stage.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = text.into();
    }

    fn stage_text(&self) -> String {
        self.stage.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }
}

impl Cell {
    fn average_regret(&self) -> Option<f64> {
        let done = self.done.load(Ordering::Relaxed);
        let regret = f64::from_bits(self.regret.load(Ordering::Relaxed));
        (done > 0).then(|| regret / done as f64)
    }
}

/// Shows a [`Progress`] until it is dropped.
#[derive(Debug)]
pub struct Display {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Display {
    /// Starts to show `progress`; `quiet` shows nothing.
    pub fn start(progress: Arc<Progress>, quiet: bool) -> Display {
        let stop = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stop);
        let thread = (!quiet).then(|| {
            std::thread::spawn(move || {
                if std::io::stderr().is_terminal() {
                    draw_bars(&progress, &told);
                } else {
                    write_lines(&progress, &told);
                }
            })
        });
        Display { stop, thread }
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // A panic while drawing loses the picture, not the run.
            let _ = thread.join();
        }
    }
}

fn draw_bars(progress: &Progress, stop: &AtomicBool) {
    let bars = MultiProgress::with_draw_target(ProgressDrawTarget::stderr());
    let width = progress.policies.iter().map(|c| c.name.len()).max().unwrap_or(0);
    let template = format!("{{prefix:>{width}}} {{bar:30}} {{percent:>3}} %  {{msg}}");
    let style = ProgressStyle::with_template(&template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("━╸─");
    let stage = bars.add(ProgressBar::no_length());
    stage.set_style(
        ProgressStyle::with_template("{msg}").unwrap_or_else(|_| ProgressStyle::default_bar()),
    );
    let drawn: Vec<ProgressBar> = progress
        .policies
        .iter()
        .map(|cell| {
            let bar = bars.add(ProgressBar::new(cell.slots));
            bar.set_style(style.clone());
            bar.set_prefix(cell.name.clone());
            bar
        })
        .collect();
    while !stop.load(Ordering::Relaxed) {
        stage.set_message(progress.stage_text());
        for (cell, bar) in progress.policies.iter().zip(&drawn) {
            bar.set_position(cell.done.load(Ordering::Relaxed));
            if let Some(regret) = cell.average_regret() {
                bar.set_message(format!("average regret {regret:.4}"));
            }
        }
        std::thread::park_timeout(DRAW_EVERY);
    }
    for bar in drawn {
        bar.finish_and_clear();
    }
    stage.finish_and_clear();
    let _ = bars.clear();
}

fn write_lines(progress: &Progress, stop: &AtomicBool) {
    let mut last = Instant::now();
    let mut stage = String::new();
    while !stop.load(Ordering::Relaxed) {
        let now = progress.stage_text();
        if now != stage && !now.is_empty() {
            tell(format_args!("{now}"));
            stage = now;
        }
        if last.elapsed() >= LINE_EVERY {
            last = Instant::now();
            let parts: Vec<String> = progress.policies.iter().map(describe).collect();
            tell(format_args!("{}", parts.join(" | ")));
        }
        std::thread::park_timeout(DRAW_EVERY);
    }
}

fn describe(cell: &Cell) -> String {
    let percent = 100.0 * cell.done.load(Ordering::Relaxed) as f64 / cell.slots as f64;
    match cell.average_regret() {
        Some(regret) => format!("{} {percent:.0} %, average regret {regret:.4}", cell.name),
        None => format!("{} {percent:.0} %", cell.name),
    }
}
