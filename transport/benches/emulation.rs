//! What emulated links cost, against QUIC on the kernel's socket:
//!
//! - a link that does nothing, against bare QUIC with segmentation offload: processor time for each
//!   byte of a bulk transfer, and round trips a second;
//! - a link that does something, but holds nobody up, against bare QUIC without segmentation offload.
//!   What is due together goes to the kernel together, so that this can cost less.
//!
//! At the end it says how near links come to what they are set to.
//!
//! Both sides of a comparison are measured in turn, because machines are shared and noisy; what
//! counts is the ratio within a pair. Times are of the processor: of the sender's thread, and of both
//! threads together.
//!
//! `cargo bench -p fogbit-transport --bench emulation`

#[path = "../tests/common/mod.rs"]
mod common;

use std::net::SocketAddr;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use common::{End, Trust, bound, echo, flood, pair, pings, settings, swallow};
use fogbit_scenario::draw::{Key, Purpose};
use fogbit_scenario::link::Direction;
use rustix::time::{ClockId, clock_gettime};

const PAIRS: usize = 20;
/// Student's t, 97.5 % with `PAIRS - 1` degrees of freedom: scipy.stats.t.ppf(0.975, 19)
const T: f64 = 2.093;
const BYTES: usize = 48 << 20;
/// Sent before it is measured.
const WARM_UP: usize = 8 << 20;
const PINGS: usize = 4_000;
/// Enough for all that is under way in a millisecond or two, and below the socket's buffer.
const WINDOW: u64 = 1 << 20;

fn main() {
    let unimpaired = Some(Direction::UNIMPAIRED);
    let fast = Direction {
        rate_bits_s: Some(10_000_000_000),
        queue_bytes: 16 << 20,
        ..Direction::UNIMPAIRED
    };
    let jitter = Direction { delay_ns: 1_000_000, jitter_ns: 500_000, ..Direction::UNIMPAIRED };
    // Packets 12 us apart: few are due together.
    let slower = Direction { rate_bits_s: Some(1_000_000_000), ..fast };
    let cases = [
        ("no link set, against bare, both with segmentation offload", None, true),
        (
            "a link that does nothing, against bare, both with segmentation offload",
            unimpaired,
            true,
        ),
        ("10 Gbit/s, against bare without segmentation offload", Some(fast), false),
        ("1 Gbit/s, against bare without segmentation offload", Some(slower), false),
        ("1 ms +- 0.5 ms, against bare without segmentation offload", Some(jitter), false),
    ];
    for (what, direction, offload) in cases {
        println!("{what}, {PAIRS} pairs:");
        let (mut sender, mut both) = (Vec::new(), Vec::new());
        in_turn(|first| {
            let with = || bulk(true, direction, true);
            let without = || bulk(false, None, offload);
            let (with, without) = each(first, with, without);
            println!(
                "  {:.2} ns/byte bare ({:.2} of them the sender's), {:.2} ({:.2}) emulated",
                without.both, without.sender, with.both, with.sender
            );
            sender.push(with.sender / without.sender);
            both.push(with.both / without.both);
        });
        say("processor time of the sender for each byte", &sender);
        say("processor time of both ends for each byte", &both);
    }
    println!("round trips, a link that does nothing, against bare, {PAIRS} pairs:");
    let mut rates = Vec::new();
    in_turn(|first| {
        let (with, without) = each(first, || round_trips(true), || round_trips(false));
        println!("  {without:.0} round trips a second bare, {with:.0} emulated");
        rates.push(with / without);
    });
    say("round trips a second", &rates);
    for (mbit_s, payload) in [(1.6, 400_000), (12.0, 3_000_000), (100.0, 25_000_000)] {
        rate(mbit_s, payload);
    }
    for ms in [1, 10, 100] {
        delay(ms);
    }
}

/// Who comes first changes, so that what grows slowly falls on both.
fn in_turn(mut pair: impl FnMut(bool)) {
    for number in 0..PAIRS {
        pair(number % 2 == 0);
    }
}

fn each<T>(first: bool, with: impl Fn() -> T, without: impl Fn() -> T) -> (T, T) {
    if first {
        let with = with();
        (with, without())
    } else {
        let without = without();
        (with(), without)
    }
}

/// The mean of the logarithms, with its interval.
fn say(what: &str, ratios: &[f64]) {
    let logs: Vec<f64> = ratios.iter().map(|ratio| ratio.ln()).collect();
    let n = logs.len() as f64;
    let mean = logs.iter().sum::<f64>() / n;
    let variance = logs.iter().map(|log| (log - mean).powi(2)).sum::<f64>() / (n - 1.0);
    let half = T * (variance / n).sqrt();
    let mut sorted = ratios.to_vec();
    sorted.sort_by(f64::total_cmp);
    println!(
        "ratio of {what}: {:.3} (95 % interval {:.3} to {:.3}), median {:.3}",
        mean.exp(),
        (mean - half).exp(),
        (mean + half).exp(),
        0.5 * (sorted[(PAIRS - 1) / 2] + sorted[PAIRS / 2])
    );
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

fn seconds(clock: ClockId) -> f64 {
    let time = clock_gettime(clock);
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}

/// Nanoseconds of processor time for each byte.
struct Cost {
    sender: f64,
    both: f64,
}

/// A bulk transfer from one thread to another, both with a link of `direction` if there is one.
fn bulk(with_links: bool, direction: Option<Direction>, offload: bool) -> Cost {
    let trust = Trust::new(settings(WINDOW, offload));
    let server = trust.server();
    let (tell, told) = mpsc::channel::<SocketAddr>();
    let (tell_back, told_back) = mpsc::channel::<SocketAddr>();
    let receiver = std::thread::spawn(move || {
        runtime().block_on(async {
            let (endpoint, links) = bound(with_links);
            endpoint.set_server_config(Some(server));
            tell.send(endpoint.local_addr().unwrap()).unwrap();
            let peer = told_back.recv().unwrap();
            if let (Some(links), Some(direction)) = (&links, direction) {
                links.set(peer, direction, Key::derive(1, Purpose::LinkDown, 0));
            }
            let connection = endpoint.accept().await.unwrap().await.unwrap();
            for _ in 0..2 {
                let (mut send, mut receive) = connection.accept_bi().await.unwrap();
                while receive.read_chunk(usize::MAX, false).await.unwrap().is_some() {}
                send.write_all(&[1]).await.unwrap();
            }
            connection.closed().await;
        });
    });
    let cost = runtime().block_on(async {
        let (endpoint, links) = bound(with_links);
        let peer = told.recv().unwrap();
        if let (Some(links), Some(direction)) = (&links, direction) {
            links.set(peer, direction, Key::derive(1, Purpose::LinkUp, 0));
        }
        tell_back.send(endpoint.local_addr().unwrap()).unwrap();
        let connection = trust.connect(&endpoint, peer).await;
        transfer(&connection, WARM_UP).await;
        let clocks = || [ClockId::ThreadCPUTime, ClockId::ProcessCPUTime].map(seconds);
        let before = clocks();
        transfer(&connection, BYTES).await;
        let after = clocks();
        connection.close(0u32.into(), b"");
        endpoint.wait_idle().await;
        let each = |clock: usize| (after[clock] - before[clock]) * 1e9 / BYTES as f64;
        Cost { sender: each(0), both: each(1) }
    });
    receiver.join().unwrap();
    cost
}

/// Sends bytes until the other side has read them all.
async fn transfer(connection: &quinn::Connection, bytes: usize) {
    let (mut send, mut receive) = connection.open_bi().await.unwrap();
    let zeros = vec![0; 256 << 10];
    for _ in 0..bytes / zeros.len() {
        send.write_all(&zeros).await.unwrap();
    }
    send.finish().unwrap();
    receive.read_exact(&mut [0]).await.unwrap();
}

/// Round trips a second, with both ends on one thread: nothing but work.
fn round_trips(with_links: bool) -> f64 {
    runtime().block_on(async {
        let (here, there) = pair(with_links, settings(WINDOW, true)).await;
        if with_links {
            set_links(&here, &there, Direction::UNIMPAIRED, Direction::UNIMPAIRED);
        }
        tokio::spawn(echo(there.connection.clone()));
        pings(&here.connection, PINGS / 10).await;
        let began = Instant::now();
        pings(&here.connection, PINGS).await;
        PINGS as f64 / began.elapsed().as_secs_f64()
    })
}

/// Sets a link in both directions; without one the other way there are no counts of what came.
fn set_links(here: &End, there: &End, up: Direction, down: Direction) {
    let key = |purpose| Key::derive(1, purpose, 0);
    here.links().set(there.address, up, key(Purpose::LinkUp));
    there.links().set(here.address, down, key(Purpose::LinkDown));
}

/// How fast a saturated link is, by what has come at its other end.
fn rate(mbit_s: f64, bytes: u64) {
    runtime().block_on(async {
        let (here, there) = pair(true, settings(100_000, true)).await;
        let up = Direction {
            rate_bits_s: Some((mbit_s * 1e6) as u64),
            queue_bytes: 300_000,
            ..Direction::UNIMPAIRED
        };
        set_links(&here, &there, up, Direction::UNIMPAIRED);
        tokio::spawn(swallow(there.connection.clone()));
        tokio::spawn(flood(here.connection.clone()));
        let received = || there.links().received(here.address).unwrap().wire_bytes();
        tokio::time::sleep(Duration::from_millis(300)).await;
        let (before, began) = (received(), Instant::now());
        while received() - before < bytes {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let got = (received() - before) as f64 * 8e-6 / began.elapsed().as_secs_f64();
        println!("{mbit_s} Mbit/s: {got:.4} Mbit/s, {:+.2} %", 100.0 * (got / mbit_s - 1.0));
        show_lateness(&here, &there);
    });
}

/// How long a round trip takes.
fn delay(ms: u64) {
    runtime().block_on(async {
        let (here, there) = pair(true, settings(100_000, true)).await;
        let half = Direction { delay_ns: ms * 500_000, ..Direction::UNIMPAIRED };
        set_links(&here, &there, half, half);
        tokio::spawn(echo(there.connection.clone()));
        let mut times = pings(&here.connection, 2_000 / ms as usize + 20).await;
        times.sort_unstable();
        let at = |share: f64| times[(share * (times.len() - 1) as f64) as usize] as f64 * 1e-6;
        println!(
            "round trip of {ms} ms: p10 {:.3} ms, median {:.3}, p99 {:.3}",
            at(0.1),
            at(0.5),
            at(0.99)
        );
        show_lateness(&here, &there);
    });
}

fn show_lateness(here: &End, there: &End) {
    let lateness = here.links().stats(there.address).unwrap().lateness;
    let us = |q| lateness.quantile_ns(q).unwrap_or(0) as f64 * 1e-3;
    println!("  late by: median {:.0} us, p99 {:.0} us", us(0.5), us(0.99));
}
