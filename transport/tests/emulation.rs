//! Emulated links between real QUIC endpoints on loopback. How long things take is judged by the
//! tenth percentile, and by the best of a few attempts: the machine may have other work.

mod common;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use common::{bound, echo, flood, floor, pair, pings, settings, swallow};
use fogbit_scenario::draw::{Key, Purpose};
use fogbit_scenario::link::{Direction, Loss};
use fogbit_transport::Links;
use fogbit_transport::emulation::{RAW_LIMIT, RAW_OVERHEAD, SendRawError, Traffic};

/// Raw packets, and when they were read.
type Heard = Vec<(Vec<u8>, Instant)>;

const MS: u64 = 1_000_000;

fn up() -> Key {
    Key::derive(1, Purpose::LinkUp, 0)
}

fn down() -> Key {
    Key::derive(1, Purpose::LinkDown, 0)
}

fn delayed(ms: u64) -> Direction {
    Direction { delay_ns: ms * MS, ..Direction::UNIMPAIRED }
}

fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let limited = async { tokio::time::timeout(Duration::from_secs(60), test).await };
    runtime.block_on(limited).expect("it ends");
}

/// Waits until `done`.
async fn until(mut done: impl FnMut() -> bool) {
    let all = async {
        while !done() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), all).await.expect("it happens");
}

#[test]
fn a_bulk_transfer_has_the_rate_of_its_link() {
    run(async {
        let (here, there) = pair(true, settings(100_000, true)).await;
        there.links().set(here.address, Direction::UNIMPAIRED, down());
        let direction =
            Direction { rate_bits_s: Some(12_000_000), queue_bytes: 300_000, ..delayed(5) };
        here.links().set(there.address, direction, up());
        tokio::spawn(swallow(there.connection.clone()));
        tokio::spawn(flood(here.connection.clone()));
        let mut rates = Vec::new();
        for _ in 0..4 {
            // Beyond the ramp-up in the first place.
            tokio::time::sleep(Duration::from_millis(400)).await;
            let (before, began) = (there.links().received(here.address).unwrap(), Instant::now());
            tokio::time::sleep(Duration::from_secs(2)).await;
            let (after, seconds) =
                (there.links().received(here.address).unwrap(), began.elapsed().as_secs_f64());
            let bytes = after.wire_bytes() - before.wire_bytes();
            rates.push(bytes as f64 * 8.0 / seconds);
            if (rates[rates.len() - 1] / 12e6 - 1.0).abs() < 0.03 {
                return;
            }
        }
        panic!("{rates:?} bit/s and not 12 Mbit/s");
    });
}

#[test]
fn a_ping_takes_the_delays_of_both_directions() {
    run(async {
        let (here, there) = pair(true, settings(100_000, true)).await;
        tokio::spawn(echo(there.connection.clone()));
        let bare = floor(pings(&here.connection, 50).await);
        for (up_ms, down_ms) in [(10, 10), (3, 15), (20, 0)] {
            here.links().set(there.address, delayed(up_ms), up());
            there.links().set(here.address, delayed(down_ms), down());
            let both = (up_ms + down_ms) * MS;
            let took = floor(pings(&here.connection, 50).await);
            assert!((both..both + bare + 5 * MS).contains(&took), "{took} ns for {both}");
        }
        // Without a link again, once nothing is under way.
        assert!(here.links().change(there.address, Direction::UNIMPAIRED));
        assert!(there.links().remove(here.address));
        let took = floor(pings(&here.connection, 50).await);
        assert!(took < bare + 5 * MS, "{took} ns, {bare} at first");
    });
}

#[test]
fn jitter_alone_makes_quic_lose_nothing() {
    run(async {
        let (here, there) = pair(true, settings(200_000, true)).await;
        tokio::spawn(swallow(there.connection.clone()));
        let jitter = Direction { jitter_ns: 4 * MS, ..delayed(5) };
        here.links().set(there.address, jitter, up());
        let flood = tokio::spawn(flood(here.connection.clone()));
        until(|| here.links().stats(there.address).unwrap().delivered.packets > 3000).await;
        flood.abort();
        let stats = here.links().stats(there.address).unwrap();
        assert_eq!((stats.lost, stats.queue_dropped, stats.reordered), (0, 0, 0));
        // What the kernel loses where it has little room for it is not the link's.
        if there.links().kernel_drops() == Some(0) {
            assert_eq!(here.connection.stats().path.lost_packets, 0);
        }
    });
}

/// Sends raw packets, a few at a time, so that no kernel buffer is too small for them.
async fn send_raw(from: &Links, to: std::net::SocketAddr, count: usize, payload: &[u8]) {
    for sent in 1..=count {
        from.send_raw(to, payload).unwrap();
        if sent % 100 == 0 {
            until(|| from.stats(to).unwrap().under_way.packets == 0).await;
            tokio::task::yield_now().await;
        }
    }
}

#[test]
fn what_is_offered_and_not_received_was_lost_and_binomially() {
    run(async {
        let (here, here_links) = bound(true);
        let (there, there_links) = bound(true);
        let (here_links, there_links) = (here_links.unwrap(), there_links.unwrap());
        let (from, to) = (here.local_addr().unwrap(), there.local_addr().unwrap());
        there_links.set(from, Direction::UNIMPAIRED, down());
        let lossy = Direction { loss: Loss::Independent(0.05), ..Direction::UNIMPAIRED };
        here_links.set(to, lossy, up());
        send_raw(&here_links, to, 20_000, &[1; 92]).await;
        let stats = here_links.stats(to).unwrap();
        let received = || there_links.received(from).unwrap();
        until(|| received().packets == stats.delivered.packets).await;
        assert_eq!(there_links.kernel_drops().unwrap_or(0), 0);
        assert_eq!(stats.offered, Traffic { packets: 20_000, bytes: 2_000_000 });
        // scipy.stats.binom.ppf([0.0005, 0.9995], 20000, 0.05)
        let lost = stats.offered.packets - received().packets;
        assert!((900..=1103).contains(&lost), "{lost}");
        assert_eq!(lost, stats.lost);
        assert_eq!(received().bytes, 100 * received().packets);
    });
}

#[test]
fn a_link_that_does_nothing_leaves_batches_alone() {
    run(async {
        let (here, there) = pair(true, settings(1_000_000, true)).await;
        here.links().set(there.address, Direction::UNIMPAIRED, up());
        there.links().set(here.address, Direction::UNIMPAIRED, down());
        tokio::spawn(swallow(there.connection.clone()));
        let flood = tokio::spawn(flood(here.connection.clone()));
        until(|| here.links().stats(there.address).unwrap().offered.packets > 3000).await;
        flood.abort();
        let stats = here.links().stats(there.address).unwrap();
        assert_eq!((stats.bypassed, stats.lateness.count()), (stats.offered, 0));
        let sent = here.connection.stats().udp_tx;
        // Where the kernel has segmentation offload.
        if sent.ios < sent.datagrams {
            assert!(sent.datagrams > 2 * sent.ios, "{sent:?}");
        }
        // Both sides count the same packets, but for what the kernel loses where it has no room.
        until(|| {
            let received = there.links().received(here.address).unwrap();
            received == here.links().stats(there.address).unwrap().delivered
                || there.links().kernel_drops().is_some_and(|drops| drops > 0)
        })
        .await;
    });
}

#[test]
fn raw_packets_pass_the_link_beside_quic() {
    run(async {
        let (here, there) = pair(true, settings(100_000, true)).await;
        tokio::spawn(echo(there.connection.clone()));
        here.links().set(there.address, delayed(10), up());
        there.links().set(here.address, delayed(10), down());
        let heard: Arc<Mutex<Heard>> = Arc::default();
        let (answers, notes) = (there.links().clone(), heard.clone());
        there.links().on_raw(Some(Arc::new(move |peer, payload, _| {
            answers.send_raw(peer, payload).unwrap();
        })));
        here.links().on_raw(Some(Arc::new(move |_, payload, at| {
            notes.lock().unwrap().push((payload.to_vec(), at));
        })));
        let began = Instant::now();
        let quic = here.connection.clone();
        let pings = tokio::spawn(async move { pings(&quic, 20).await });
        for number in 0..20 {
            here.links().send_raw(there.address, &[number; RAW_LIMIT]).unwrap();
        }
        until(|| heard.lock().unwrap().len() == 20).await;
        for (number, (payload, at)) in heard.lock().unwrap().iter().enumerate() {
            assert_eq!(payload, &[number as u8; RAW_LIMIT]);
            assert!(at.duration_since(began) >= Duration::from_millis(20));
        }
        assert_eq!(pings.await.unwrap().len(), 20);
        let raw = 20 * (RAW_LIMIT + RAW_OVERHEAD) as u64;
        assert!(there.links().received(here.address).unwrap().bytes > raw);
        let too_long = here.links().send_raw(there.address, &[0; RAW_LIMIT + 1]);
        assert!(matches!(too_long, Err(SendRawError::TooLong { .. })));
        // Those of strangers are nobody's business, and nobody's again harms nothing.
        here.links().remove(there.address);
        there.links().send_raw(here.address, b"stranger").unwrap();
        there.links().on_raw(None);
        here.links().send_raw(there.address, b"nobody").unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(heard.lock().unwrap().len(), 20);
        assert!(here.connection.close_reason().is_none());
    });
}

/// The receiver stands still until its buffer is full: what was sent is received or known to be lost.
#[test]
fn a_receiver_that_stands_still_loses_nothing_silently() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (here, there) = (runtime(), runtime());
    let (sender, from) = here.block_on(async { bound(true) });
    let (receiver, to) = there.block_on(async { bound(true) });
    let (from, to) = (from.unwrap(), to.unwrap());
    let (at, peer) = (sender.local_addr().unwrap(), receiver.local_addr().unwrap());
    to.set(at, Direction::UNIMPAIRED, down());
    from.set(peer, delayed(1), up());
    let count = 30_000;
    here.block_on(async {
        for sent in 0..count {
            from.send_raw(peer, &[0; 1000]).unwrap();
            if sent % 1000 == 0 {
                tokio::task::yield_now().await;
            }
        }
        until(|| from.stats(peer).unwrap().under_way.packets == 0).await;
    });
    let stats = from.stats(peer).unwrap();
    assert_eq!((stats.delivered.packets, stats.capacity_dropped), (count, 0));
    there.block_on(async {
        let received = || to.received(at).unwrap().packets;
        let mut last = 0;
        // Until nothing more comes.
        loop {
            tokio::time::sleep(Duration::from_millis(100)).await;
            if received() == last && last > 0 {
                break;
            }
            last = received();
        }
        let missing = count - last;
        assert!(missing > 0, "30 MB fit into a buffer");
        // The kernel counts a batch once, and a batch has up to 64 packets.
        let told = |drops| drops <= missing && missing <= 64 * drops;
        assert!(to.kernel_drops().is_none_or(told), "{missing}: {:?}", to.kernel_drops());
    });
}
