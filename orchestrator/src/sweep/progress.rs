//! How far a sweep has got and how long it will still take, on standard error: a bar on a terminal,
//! plain lines elsewhere.

use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::exit::tell;
use crate::progress::Display;

const DRAW_EVERY: Duration = Duration::from_millis(200);
const LINE_EVERY: Duration = Duration::from_secs(5);

/// Shows how far `done` is on its way to `all`; `what` says what is played. `quiet` shows nothing.
pub fn show(what: String, done: Arc<AtomicU64>, all: u64, quiet: bool) -> Display {
    Display::showing(!quiet && all > 0, move |stop| {
        if std::io::stderr().is_terminal() {
            draw(what, &done, all, stop);
        } else {
            write_lines(&what, &done, all, stop);
        }
    })
}

fn draw(what: String, done: &AtomicU64, all: u64, stop: &AtomicBool) {
    let bar = ProgressBar::with_draw_target(Some(all), ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template("{prefix}  {bar:30} {percent:>3} %  {msg}")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    bar.set_style(style.progress_chars("━╸─"));
    bar.set_prefix(what);
    let began = Instant::now();
    while !stop.load(Ordering::Relaxed) {
        let now = done.load(Ordering::Relaxed);
        bar.set_position(now);
        bar.set_message(remaining(began.elapsed(), now, all));
        std::thread::park_timeout(DRAW_EVERY);
    }
    bar.finish_and_clear();
}

fn write_lines(what: &str, done: &AtomicU64, all: u64, stop: &AtomicBool) {
    tell(format_args!("{what}"));
    let began = Instant::now();
    let mut last = began;
    while !stop.load(Ordering::Relaxed) {
        if last.elapsed() >= LINE_EVERY {
            last = Instant::now();
            let now = done.load(Ordering::Relaxed);
            let share = 100.0 * now as f64 / all as f64;
            tell(format_args!("{share:.0} %, {}", remaining(began.elapsed(), now, all)));
        }
        std::thread::park_timeout(DRAW_EVERY);
    }
}

/// The time that is left if it goes on as it went so far.
fn remaining(elapsed: Duration, done: u64, all: u64) -> String {
    if done == 0 || elapsed < Duration::from_millis(500) {
        return "remaining time not known yet".into();
    }
    let left = elapsed.as_secs_f64() * all.saturating_sub(done) as f64 / done as f64;
    let left = Duration::from_secs(libm::ceil(left) as u64);
    format!("{} left", humantime::format_duration(left))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_takes_as_long_as_what_was() {
        assert_eq!(remaining(Duration::from_secs(10), 10, 70), "1m left");
        assert_eq!(remaining(Duration::from_secs(10), 70, 70), "0s left");
        assert_eq!(remaining(Duration::from_secs(10), 0, 70), "remaining time not known yet");
    }
}
