//! How finely time can be told, and how late sleepers wake.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_getres};

use super::check::Check;

/// How often a sleep is timed.
const SLEEPS: usize = 200;
/// How long each sleep is: the shortest slot of a wall clock.
const SLEEP: Duration = Duration::from_millis(1);
/// A slot may begin this part of its length late: a tenth.
const SLOTS_PER_LATENESS: u32 = 10;
/// Slots of this length are to work without a warning.
const COMMON_SLOT: Duration = Duration::from_millis(20);
/// With high-resolution timers it is a nanosecond, without them at least a millisecond.
const FINE: Duration = Duration::from_micros(100);

pub(super) fn checks() -> Vec<Check> {
    let resolution = clock_getres(ClockId::Monotonic);
    let resolution = Duration::try_from(resolution).unwrap_or(Duration::MAX);
    vec![judge_resolution(resolution), judge_lateness(lateness())]
}

fn judge_resolution(resolution: Duration) -> Check {
    let check = "clock-resolution";
    let found = format!("{} (CLOCK_MONOTONIC)", exact(resolution));
    if resolution <= FINE {
        return Check::well(check, found);
    }
    let shortest = shortest_slot(resolution);
    let advice = format!(
        "the kernel runs without high-resolution timers (`highres=off` among its parameters, or \
         CONFIG_HIGH_RES_TIMERS not set): with a wall clock choose slots of {} or longer",
        exact(shortest)
    );
    Check::warning(check, found, advice)
}

/// How much later than asked for each of several short sleeps ended.
fn lateness() -> Vec<Duration> {
    let late = |()| {
        let due = Instant::now() + SLEEP;
        std::thread::sleep(SLEEP);
        due.elapsed()
    };
    std::iter::repeat_n((), SLEEPS).map(late).collect()
}

fn judge_lateness(mut late: Vec<Duration>) -> Check {
    let check = "timer-lateness";
    late.sort_unstable();
    let (median, most) = (quantile(&late, 0.5), quantile(&late, 0.99));
    let shortest = shortest_slot(most);
    let found = format!(
        "{} sleeps of 1 ms: p50 {}, p99 {} late; with a wall clock, slots of {} or longer are \
         likely valid",
        late.len(),
        milliseconds(median),
        milliseconds(most),
        exact(shortest)
    );
    if shortest <= COMMON_SLOT {
        return Check::well(check, found);
    }
    let advice = format!(
        "choose slots of {} or longer in topologies with a wall clock, or give this host less else \
         to do; runs with the slot clock do not care",
        exact(shortest)
    );
    Check::warning(check, found, advice)
}

/// The shortest slot, in whole milliseconds, of which a tenth is longer than `late`.
fn shortest_slot(late: Duration) -> Duration {
    let limit = late.saturating_mul(SLOTS_PER_LATENESS).as_millis();
    Duration::from_millis(u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1))
}

/// The smallest value that a share `share` of the sorted values do not exceed; zero if there are
/// none.
fn quantile(sorted: &[Duration], share: f64) -> Duration {
    let rank = (share * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or_default()
}

fn milliseconds(duration: Duration) -> String {
    format!("{:.2} ms", duration.as_secs_f64() * 1e3)
}

fn exact(duration: Duration) -> String {
    humantime::format_duration(duration).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::check::Verdict;

    const fn micros(count: u64) -> Duration {
        Duration::from_micros(count)
    }

    #[test]
    fn coarse_clocks_are_a_warning() {
        let well = judge_resolution(Duration::from_nanos(1));
        assert_eq!(well.verdict, Verdict::Well);
        assert_eq!(well.found, "1ns (CLOCK_MONOTONIC)");
        let coarse = judge_resolution(Duration::from_millis(4));
        assert_eq!(coarse.verdict, Verdict::Warning);
        assert!(coarse.advice.unwrap().contains("41ms or longer"));
    }

    #[test]
    fn a_tenth_of_the_shortest_slot_exceeds_the_lateness() {
        let cases = [(0, 1), (99, 1), (100, 2), (101, 2), (1_999, 20), (2_000, 21)];
        for (late, slot) in cases {
            assert_eq!(shortest_slot(micros(late)), Duration::from_millis(slot), "{late} us");
        }
    }

    #[test]
    fn quantiles() {
        let sorted: Vec<Duration> = (1..=200).map(micros).collect();
        assert_eq!(quantile(&sorted, 0.5), micros(100));
        assert_eq!(quantile(&sorted, 0.99), micros(198));
        assert_eq!(quantile(&sorted[..1], 0.99), micros(1));
        assert_eq!(quantile(&[], 0.5), Duration::ZERO);
    }

    #[test]
    fn late_sleepers_are_a_warning() {
        let mut late = vec![micros(60); 200];
        late[7] = micros(900_000);
        let well = judge_lateness(late.clone());
        assert_eq!(well.verdict, Verdict::Well);
        assert!(well.found.contains("p50 0.06 ms, p99 0.06 ms late"), "{}", well.found);
        assert!(well.found.contains("slots of 1ms or longer"), "{}", well.found);
        late[..10].fill(micros(2_500));
        let warning = judge_lateness(late);
        assert_eq!(warning.verdict, Verdict::Warning);
        assert!(warning.advice.unwrap().contains("26ms or longer"));
    }

    #[test]
    fn every_sleep_is_timed() {
        assert_eq!(lateness().len(), SLEEPS);
    }
}
