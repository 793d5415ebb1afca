//! What metrics cost: the speed of a run over processes with and without them, and how long an
//! orchestrator with a hundred helper nodes takes to answer a scrape.
//!
//! Runs with and without metrics are played in turn, because machines are shared and noisy; what
//! counts is the ratio within a pair.
//!
//! `cargo bench -p fogbit --bench metrics`

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use fogbit::stats::Interval;

const PAIRS: usize = 20;
/// Two seconds or so: several scrapes fall into each run.
const SLOTS: u64 = 40_000;
/// Prometheus asks every five to fifteen seconds; this is more than anybody wants.
const SCRAPE_EVERY: Duration = Duration::from_secs(1);
const SCRAPES: usize = 50;

fn main() {
    cost_of_metrics();
    time_of_scrapes();
}

fn topology(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../topologies").join(name)
}

fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// The body of an answer, if there is somebody to answer.
fn get(address: SocketAddr, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n").ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    Some(text.split_once("\r\n\r\n")?.1.to_owned())
}

/// A run that ends with this, however this ends.
struct Run(Child);

impl Drop for Run {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(file: &str, arguments: &[&str], metrics: Option<SocketAddr>, out: &Path) -> Run {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fogbit"));
    command
        .arg("run")
        .arg(topology(file))
        .args(arguments)
        .args(["--set", "expect=[]", "--no-decisions", "--quiet", "--out"])
        .arg(out)
        .stdout(Stdio::null());
    if let Some(address) = metrics {
        command.args(["--metrics", &address.to_string()]);
    }
    Run(command.spawn().unwrap())
}

fn cost_of_metrics() {
    println!("toof on paper.toml over processes, {SLOTS} slots, {PAIRS} pairs:");
    println!("with metrics every process is scraped every {SCRAPE_EVERY:?}");
    let mut ratios = Vec::new();
    for pair in 1..=PAIRS {
        // Who comes first changes, so that what grows slowly falls on both.
        let (with, without) = if pair % 2 == 0 {
            let with = rate(true);
            (with, rate(false))
        } else {
            let without = rate(false);
            (rate(true), without)
        };
        println!(
            "pair {pair}: {without:.0} slots/s without, {with:.0} with, ratio {:.3}",
            with / without
        );
        ratios.push((with / without).ln());
    }
    let Interval { mean, low, high } = Interval::of(&ratios);
    ratios.sort_by(f64::total_cmp);
    let median = 0.5 * (ratios[(PAIRS - 1) / 2] + ratios[PAIRS / 2]);
    println!("median of the ratios: {:.3}", median.exp());
    println!(
        "ratio of slot rates, with metrics to without: {:.3} (95 % interval {:.3} to {:.3})",
        mean.exp(),
        low.unwrap_or(mean).exp(),
        high.unwrap_or(mean).exp()
    );
}

/// Slots a second of one policy with ten helper nodes.
fn rate(metrics: bool) -> f64 {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let address = metrics.then(free_address);
    let slots = format!("slots={SLOTS}");
    let mut run = start("paper.toml", &["--policy", "toof", "--set", &slots], address, &out);
    let over = &AtomicBool::new(false);
    std::thread::scope(|scope| {
        if let Some(address) = address {
            scope.spawn(move || scrape_all(address, over));
        }
        let status = run.0.wait().unwrap();
        over.store(true, Ordering::Relaxed);
        assert!(status.success(), "{status}");
    });
    let summary = std::fs::read(out.join("summary.json")).unwrap();
    let summary: serde_json::Value = serde_json::from_slice(&summary).unwrap();
    summary["policies"][0]["slots_per_second"].as_f64().unwrap()
}

/// What Prometheus does: finds all processes of the run and asks each of them.
fn scrape_all(orchestrator: SocketAddr, over: &AtomicBool) {
    let mut due = Instant::now();
    while !over.load(Ordering::Relaxed) {
        let targets = get(orchestrator, "/targets").unwrap_or_default();
        let targets: serde_json::Value = serde_json::from_str(&targets).unwrap_or_default();
        for target in targets.as_array().into_iter().flatten() {
            let address = target["targets"][0].as_str().and_then(|text| text.parse().ok());
            address.and_then(|address| get(address, "/metrics"));
        }
        due += SCRAPE_EVERY;
        while Instant::now() < due && !over.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

fn time_of_scrapes() {
    let dir = tempfile::tempdir().unwrap();
    let address = free_address();
    let run = start(
        "hundred.toml",
        &["--set", "slots=100000000"],
        Some(address),
        &dir.path().join("out"),
    );
    println!("\norchestrator of hundred.toml, 100 helper nodes, 4 policies, while they play:");
    let playing = |body: &String| {
        let slots = body.lines().filter(|line| line.starts_with("fogbit_slots_total{"));
        slots.clone().count() == 4 && slots.clone().all(|line| !line.ends_with(" 0"))
    };
    while !get(address, "/metrics").as_ref().is_some_and(playing) {
        std::thread::sleep(Duration::from_millis(100));
    }
    let (mut times, mut size) = (Vec::new(), 0);
    for _ in 0..SCRAPES {
        let began = Instant::now();
        let body = get(address, "/metrics").unwrap();
        times.push(began.elapsed());
        size = size.max(body.len());
        std::thread::sleep(Duration::from_millis(50));
    }
    drop(run);
    times.sort();
    let milliseconds = |time: Duration| time.as_secs_f64() * 1e3;
    println!(
        "{SCRAPES} scrapes: median {:.1} ms, longest {:.1} ms, {size} bytes",
        milliseconds(times[times.len() / 2]),
        milliseconds(times[times.len() - 1])
    );
}
