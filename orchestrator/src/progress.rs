//! How far a run has got: a bar for each policy on a terminal, plain lines elsewhere. Everything
//! goes to standard error.

use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::board::{Board, Standing};
use crate::exit::tell;

/// Something whose progress can be shown.
pub trait Watched: Send + Sync {
    /// How many slots each policy plays in all; none where there is no end.
    fn planned(&self) -> Option<u64>;

    /// What is being done beside playing slots; empty where nothing is.
    fn stage_text(&self) -> String;

    /// How far each policy is.
    fn progress(&self) -> Vec<Progress<'_>>;
}

/// How far a policy is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress<'b> {
    /// Its name.
    pub name: &'b str,
    /// Slots played.
    pub slots: u64,
    /// What it has come to so far.
    pub told: Option<String>,
}

impl Watched for Board {
    fn planned(&self) -> Option<u64> {
        Board::planned(self)
    }

    fn stage_text(&self) -> String {
        Board::stage_text(self)
    }

    fn progress(&self) -> Vec<Progress<'_>> {
        let progress = |Standing { name, slots, average_regret }| Progress {
            name,
            slots,
            told: average_regret.map(|regret| format!("average regret {regret:.4}")),
        };
        self.standings().map(progress).collect()
    }
}

/// How often bars are drawn anew.
const DRAW_EVERY: Duration = Duration::from_millis(100);
/// How often a line is written where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// Shows how far something has got until it is dropped.
#[derive(Debug)]
pub struct Display {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Display {
    /// Starts to show `board`; `quiet` shows nothing.
    pub fn start(board: Arc<impl Watched + 'static>, quiet: bool) -> Display {
        Display::showing(!quiet, move |stop| {
            if std::io::stderr().is_terminal() {
                draw_bars(&*board, stop);
            } else {
                write_lines(&*board, stop);
            }
        })
    }

    /// Has a thread of its own `show` until it is told to stop; it shows nothing unless `wanted`.
    pub(crate) fn showing(
        wanted: bool,
        show: impl FnOnce(&AtomicBool) + Send + 'static,
    ) -> Display {
        let stop = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stop);
        let thread = wanted.then(|| std::thread::spawn(move || show(&told)));
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

fn draw_bars(board: &dyn Watched, stop: &AtomicBool) {
    let bars = MultiProgress::with_draw_target(ProgressDrawTarget::stderr());
    let policies = board.progress();
    let width = policies.iter().map(|policy| policy.name.len()).max().unwrap_or(0);
    let template = match board.planned() {
        Some(_) => format!("{{prefix:>{width}}} {{bar:30}} {{percent:>3}} %  {{msg}}"),
        None => format!("{{prefix:>{width}}} {{spinner}} {{human_pos:>13}} slots  {{msg}}"),
    };
    let style = ProgressStyle::with_template(&template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("━╸─");
    let stage = bars.add(ProgressBar::no_length());
    stage.set_style(
        ProgressStyle::with_template("{msg}").unwrap_or_else(|_| ProgressStyle::default_bar()),
    );
    let drawn: Vec<ProgressBar> = policies
        .iter()
        .map(|policy| {
            let bar = bars.add(match board.planned() {
                Some(slots) => ProgressBar::new(slots),
                None => ProgressBar::no_length(),
            });
            bar.set_style(style.clone());
            bar.set_prefix(policy.name.to_owned());
            bar
        })
        .collect();
    while !stop.load(Ordering::Relaxed) {
        stage.set_message(board.stage_text());
        for (policy, bar) in board.progress().into_iter().zip(&drawn) {
            bar.set_position(policy.slots);
            if let Some(told) = policy.told {
                bar.set_message(told);
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

fn write_lines(board: &dyn Watched, stop: &AtomicBool) {
    let mut last = Instant::now();
    let mut stage = String::new();
    while !stop.load(Ordering::Relaxed) {
        let now = board.stage_text();
        if now != stage && !now.is_empty() {
            tell(format_args!("{now}"));
            stage = now;
        }
        if last.elapsed() >= LINE_EVERY {
            last = Instant::now();
            let policies = board.progress();
            let parts: Vec<String> =
                policies.iter().map(|policy| describe(policy, board.planned())).collect();
            tell(format_args!("{}", parts.join(" | ")));
        }
        std::thread::park_timeout(DRAW_EVERY);
    }
}

fn describe(policy: &Progress<'_>, planned: Option<u64>) -> String {
    let Progress { name, slots, told } = policy;
    let far = match planned {
        Some(planned) => format!("{:.0} %", 100.0 * *slots as f64 / planned as f64),
        None => format!("{slots} slots"),
    };
    match told {
        Some(told) => format!("{name} {far}, {told}"),
        None => format!("{name} {far}"),
    }
}
