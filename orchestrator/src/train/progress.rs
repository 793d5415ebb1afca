//! How far a training has got: a bar on a terminal, plain lines elsewhere. Everything goes to
//! standard error.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use fogbit_neural::Epoch;
use indicatif::{HumanDuration, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::dqn::{DqnProgress, Verdict};
use crate::exit::tell;

/// How often a line is written where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(2);

/// Shows a training until it is dropped.
#[derive(Debug)]
pub struct TrainingProgress {
    name: String,
    /// What is counted, in the singular.
    unit: &'static str,
    count: u32,
    shown: Shown,
    started: Instant,
    /// How many were done when this began, as far as that is known.
    first: Option<u32>,
    verdict: Option<Verdict>,
}

#[derive(Debug)]
enum Shown {
    Nothing,
    Bar(ProgressBar),
    /// When the last line was written.
    Lines(Instant),
}

impl TrainingProgress {
    /// Begins to show a training of so many epochs; `quiet` shows nothing.
    pub fn start(name: &str, epochs: u32, quiet: bool) -> TrainingProgress {
        TrainingProgress::counting(name, "epoch", epochs, quiet)
    }

    /// Begins to show a training of so many iterations, with the time that is left.
    pub fn iterations(name: &str, iterations: u32, quiet: bool) -> TrainingProgress {
        TrainingProgress::counting(name, "iteration", iterations, quiet)
    }

    /// Begins to show the making of so many labels.
    pub fn labels(name: &str, labels: u32, quiet: bool) -> TrainingProgress {
        TrainingProgress::counting(name, "label", labels, quiet)
    }

    /// Begins to show the training of so many networks.
    pub fn networks(name: &str, networks: u32, quiet: bool) -> TrainingProgress {
        TrainingProgress::counting(name, "network", networks, quiet)
    }

    /// So many are done, of what takes about the same time each. Time begins with the first call: what
    /// was there before took none.
    pub fn done(&mut self, number: u64) {
        let Some(first) = self.first else {
            (self.first, self.started) = (Some(number as u32), Instant::now());
            return self.show(number, |_| String::new());
        };
        self.show(number, |progress| {
            let own = (number as u32).saturating_sub(first).max(1);
            let left = f64::from(progress.count.saturating_sub(number as u32)) / f64::from(own);
            format!("{} left", HumanDuration(progress.started.elapsed().mul_f64(left)))
        });
    }

    fn counting(name: &str, unit: &'static str, count: u32, quiet: bool) -> TrainingProgress {
        let shown = match (quiet, std::io::stderr().is_terminal()) {
            (true, _) => Shown::Nothing,
            (false, true) => Shown::Bar(bar(name, count)),
            (false, false) => {
                tell(format_args!("training {name}: {count} {unit}s"));
                Shown::Lines(Instant::now())
            }
        };
        let (name, started) = (name.to_owned(), Instant::now());
        TrainingProgress { name, unit, count, shown, started, first: None, verdict: None }
    }

    /// One more epoch is done.
    pub fn epoch(&mut self, epoch: &Epoch) {
        let accuracy = epoch.accuracy.unwrap_or(f64::NAN);
        self.show(epoch.number as u64, |_| {
            format!("loss {:.4}, accuracy {accuracy:.4}", epoch.loss)
        });
    }

    /// One more iteration is done.
    pub fn iteration(&mut self, done: &DqnProgress<'_>) {
        self.verdict = done.verdict.or(self.verdict);
        let first = *self.first.get_or_insert(done.iteration - 1);
        self.show(u64::from(done.iteration), |progress| {
            let mut text = format!("loss {:.6}", done.loss);
            if let Some(verdict) = progress.verdict {
                text += &format!(", average loss of the policy {:.5}", verdict.average_loss);
                let rivals: Vec<String> =
                    done.rivals.iter().map(|(name, loss)| format!("{name} {loss:.5}")).collect();
                if !rivals.is_empty() {
                    text += &format!(" ({})", rivals.join(", "));
                }
            }
            let each = progress.started.elapsed() / (done.iteration - first);
            let left = each * (progress.count - done.iteration);
            text + &format!(", {} left", HumanDuration(left))
        });
    }

    /// Shows that `number` are done, with a text that is made where somebody will read it.
    fn show(&mut self, number: u64, text: impl FnOnce(&TrainingProgress) -> String) {
        match &self.shown {
            Shown::Nothing => {}
            Shown::Bar(bar) => {
                bar.set_position(number);
                bar.set_message(text(self));
            }
            Shown::Lines(last) if last.elapsed() >= LINE_EVERY => {
                let TrainingProgress { name, unit, count, .. } = &*self;
                tell(format_args!("training {name}: {unit} {number} of {count}, {}", text(self)));
                self.shown = Shown::Lines(Instant::now());
            }
            Shown::Lines(_) => {}
        }
    }
}

impl Drop for TrainingProgress {
    fn drop(&mut self) {
        if let Shown::Bar(bar) = &self.shown {
            bar.finish_and_clear();
        }
    }
}

fn bar(name: &str, count: u32) -> ProgressBar {
    let target = ProgressDrawTarget::stderr();
    let bar = ProgressBar::with_draw_target(Some(u64::from(count)), target);
    let style = ProgressStyle::with_template("training {prefix} {bar:30} {pos:>4}/{len}  {msg}")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("━╸─");
    bar.set_style(style);
    bar.set_prefix(name.to_owned());
    bar
}
