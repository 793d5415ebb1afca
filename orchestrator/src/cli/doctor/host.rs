//! What the host has: file descriptors, processors, memory and disk.

use std::num::NonZero;

use rustix::process::{Resource, getrlimit};

use super::check::Check;

/// Descriptors that an orchestrator needs for each node process it starts.
const DESCRIPTORS_PER_NODE: u64 = 2;
/// Descriptors for everything else of an orchestrator: its own, and those of who scrapes it.
const OTHER_DESCRIPTORS: u64 = 100;
/// With less there is no room for the orchestrator of a handful of nodes.
const FEWEST_DESCRIPTORS: u64 = 64;
/// Enough for a few hundred nodes.
const MANY_DESCRIPTORS: u64 = 1024;

/// Bytes that a node process occupies at most.
const MEMORY_PER_NODE: u64 = 10_000_000;
/// With less there is not even room for the processes of a small topology.
const LEAST_MEMORY: u64 = 100_000_000;
/// Room for the hundred nodes of the largest topology that ships.
const MUCH_MEMORY: u64 = 1_100_000_000;

/// With less nothing of use can be written.
const LEAST_DISK: u64 = 10_000_000;
/// Enough for long runs with every decision.
const MUCH_DISK: u64 = 1_000_000_000;

pub(super) fn checks() -> Vec<Check> {
    let limit = getrlimit(Resource::Nofile);
    let processors = std::thread::available_parallelism().map(NonZero::get).ok();
    let memory = std::fs::read_to_string("/proc/meminfo").ok();
    let disk = rustix::fs::statvfs(".").map(|disk| disk.f_bavail.saturating_mul(disk.f_frsize));
    vec![
        judge_descriptors(limit.current, limit.maximum),
        judge_processors(processors),
        judge_memory(memory.as_deref().and_then(available_memory)),
        judge_disk(disk.ok()),
    ]
}

/// Soft and hard limit of open file descriptors; `None` is no limit.
fn judge_descriptors(soft: Option<u64>, hard: Option<u64>) -> Check {
    let check = "file-descriptors";
    let Some(soft) = soft else {
        return Check::well(check, "there is no limit");
    };
    let nodes = soft.saturating_sub(OTHER_DESCRIPTORS) / DESCRIPTORS_PER_NODE;
    let found = format!("the soft limit is {soft}, room for some {nodes} nodes");
    if soft >= MANY_DESCRIPTORS {
        return Check::well(check, found);
    }
    let enough = match hard {
        Some(hard) if hard < MANY_DESCRIPTORS => {
            format!(
                "the hard limit is {hard}: have it raised in /etc/security/limits.conf, then \
                     `ulimit -n {MANY_DESCRIPTORS}` before Fogbit is started"
            )
        }
        _ => format!("`ulimit -n {MANY_DESCRIPTORS}` before Fogbit is started"),
    };
    if soft < FEWEST_DESCRIPTORS {
        Check::failed(check, format!("the soft limit is {soft}, too few for any run"), enough)
    } else {
        Check::warning(check, found, enough)
    }
}

fn judge_processors(processors: Option<usize>) -> Check {
    let check = "processors";
    match processors {
        Some(1) => Check::warning(
            check,
            "1, for the orchestrator and all nodes",
            "runs over processes are slow and slots of a wall clock late; `--backend sim` does well \
             with one",
        ),
        Some(count) => Check::well(check, format!("{count}")),
        None => Check::warning(
            check,
            "how many there are cannot be found out",
            "nothing to do, unless there is a single one: runs over processes are slow then",
        ),
    }
}

/// Bytes that can be had without swapping, from the text of `/proc/meminfo`.
fn available_memory(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes.saturating_mul(1024))
}

fn judge_memory(available: Option<u64>) -> Check {
    let check = "memory";
    let Some(available) = available else {
        return Check::warning(
            check,
            "how much is available cannot be found out",
            "see that there are 10 MB for each node process",
        );
    };
    let nodes = available / MEMORY_PER_NODE;
    let found = format!("{} available, room for some {nodes} node processes", bytes(available));
    let advice = "a node process takes up to 10 MB: end other programs, play fewer nodes or \
                  policies at once, or use `--backend sim`, which takes 10 MB in all";
    if available < LEAST_MEMORY {
        Check::failed(check, found, advice)
    } else if available < MUCH_MEMORY {
        Check::warning(check, found, advice)
    } else {
        Check::well(check, found)
    }
}

/// Bytes that are free where results go by default.
fn judge_disk(free: Option<u64>) -> Check {
    let check = "disk";
    let Some(free) = free else {
        return Check::warning(
            check,
            "how much is free in this folder cannot be found out",
            "see that results can be written: --out DIR (FOGBIT_OUT) puts them elsewhere",
        );
    };
    let found = format!("{} free in this folder", bytes(free));
    let advice = "--out DIR (FOGBIT_OUT) puts results elsewhere; --no-decisions makes them small";
    if free < LEAST_DISK {
        Check::failed(check, found, advice)
    } else if free < MUCH_DISK {
        Check::warning(check, found, advice)
    } else {
        Check::well(check, found)
    }
}

/// A number of bytes for people.
fn bytes(count: u64) -> String {
    match count {
        ..1_000_000_000 => format!("{} MB", count / 1_000_000),
        _ => format!("{:.1} GB", count as f64 / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::check::Verdict;

    #[test]
    fn descriptors() {
        let verdict = |soft, hard| judge_descriptors(soft, hard).verdict;
        assert_eq!(verdict(None, None), Verdict::Well);
        assert_eq!(verdict(Some(1024), Some(4096)), Verdict::Well);
        assert_eq!(verdict(Some(1023), Some(4096)), Verdict::Warning);
        assert_eq!(verdict(Some(64), None), Verdict::Warning);
        assert_eq!(verdict(Some(63), None), Verdict::Failed);
        let found = judge_descriptors(Some(1024), None).found;
        assert!(found.contains("room for some 462 nodes"), "{found}");
        let advice = judge_descriptors(Some(256), Some(4096)).advice.unwrap();
        assert!(advice.starts_with("`ulimit -n 1024`"), "{advice}");
        let advice = judge_descriptors(Some(256), Some(512)).advice.unwrap();
        assert!(advice.contains("hard limit is 512"), "{advice}");
    }

    #[test]
    fn processors() {
        assert_eq!(judge_processors(Some(1)).verdict, Verdict::Warning);
        assert_eq!(judge_processors(Some(2)).verdict, Verdict::Well);
        assert_eq!(judge_processors(None).verdict, Verdict::Warning);
    }

    #[test]
    fn memory() {
        let meminfo = "MemTotal:       24682888 kB\nMemAvailable:    2048000 kB\nBuffers: 1 kB\n";
        assert_eq!(available_memory(meminfo), Some(2_097_152_000));
        assert_eq!(available_memory("MemTotal: 1 kB\n"), None);
        assert_eq!(available_memory("MemAvailable: many kB\n"), None);
        let well = judge_memory(Some(2_097_152_000));
        assert_eq!(well.verdict, Verdict::Well);
        assert_eq!(well.found, "2.1 GB available, room for some 209 node processes");
        assert_eq!(judge_memory(Some(1_099_999_999)).verdict, Verdict::Warning);
        assert_eq!(judge_memory(Some(100_000_000)).verdict, Verdict::Warning);
        assert_eq!(judge_memory(Some(99_999_999)).verdict, Verdict::Failed);
        assert_eq!(judge_memory(None).verdict, Verdict::Warning);
    }

    #[test]
    fn disk() {
        assert_eq!(judge_disk(Some(1_000_000_000)).verdict, Verdict::Well);
        let warning = judge_disk(Some(999_999_999));
        assert_eq!(warning.verdict, Verdict::Warning);
        assert_eq!(warning.found, "999 MB free in this folder");
        assert_eq!(judge_disk(Some(9_999_999)).verdict, Verdict::Failed);
        assert_eq!(judge_disk(None).verdict, Verdict::Warning);
    }

    #[test]
    fn this_host_is_read() {
        let unread = |check: &Check| check.found.contains("cannot be found out");
        let checks = checks();
        assert!(!checks.iter().any(unread), "{checks:?}");
    }
}
