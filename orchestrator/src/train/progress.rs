//! How far a training has got: a bar on a terminal, plain lines elsewhere. Everything goes to
//! standard error.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use fogbit_neural::Epoch;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::exit::tell;

/// How often a line is written where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(2);

/// Shows a training until it is dropped.
#[derive(Debug)]
pub struct TrainingProgress {
    name: String,
    epochs: u32,
    shown: Shown,
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
        let shown = match (quiet, std::io::stderr().is_terminal()) {
            (true, _) => Shown::Nothing,
            (false, true) => Shown::Bar(bar(name, epochs)),
            (false, false) => {
                tell(format_args!("training {name}: {epochs} epochs"));
                Shown::Lines(Instant::now())
            }
        };
        TrainingProgress { name: name.to_owned(), epochs, shown }
    }

    /// One more epoch is done.
    pub fn epoch(&mut self, epoch: &Epoch) {
        let accuracy = epoch.accuracy.unwrap_or(f64::NAN);
        match &mut self.shown {
            Shown::Nothing => {}
            Shown::Bar(bar) => {
                bar.set_position(epoch.number as u64);
                bar.set_message(format!("loss {:.4}, accuracy {accuracy:.4}", epoch.loss));
            }
            Shown::Lines(last) if last.elapsed() >= LINE_EVERY => {
                *last = Instant::now();
                tell(format_args!(
                    "training {}: epoch {} of {}, loss {:.4}, accuracy {accuracy:.4}",
                    self.name, epoch.number, self.epochs, epoch.loss
                ));
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

fn bar(name: &str, epochs: u32) -> ProgressBar {
    let target = ProgressDrawTarget::stderr();
    let bar = ProgressBar::with_draw_target(Some(u64::from(epochs)), target);
    let style = ProgressStyle::with_template("training {prefix} {bar:30} {pos:>4}/{len}  {msg}")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("━╸─");
    bar.set_style(style);
    bar.set_prefix(name.to_owned());
    bar
}
