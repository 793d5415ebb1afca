//! The socket around a kernel that does what the test wants.

use std::collections::VecDeque;
use std::io::{self, IoSliceMut};
use std::net::{SocketAddr, UdpSocket};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use fogbit_scenario::draw::{Key, Purpose};
use fogbit_scenario::link::{Direction, Loss};
use quinn::udp::{RecvMeta, Transmit};
use quinn::{AsyncUdpSocket, UdpPoller};

use super::kernel::KernelSocket;
use super::packet::Packet;
use super::socket::EmulatedSocket;
use super::{CAPACITY, Links};

/// A batch as the kernel was given it.
#[derive(Debug, Clone, PartialEq)]
struct Sent {
    contents: Vec<u8>,
    segment: Option<usize>,
}

#[derive(Debug, Default)]
struct State {
    sent: VecDeque<Sent>,
    full: bool,
    wakers: Vec<Waker>,
}

/// A kernel that writes down what it is given, unless it is full.
#[derive(Debug, Clone, Default)]
struct Kernel(Arc<Mutex<State>>);

#[derive(Debug)]
struct Poller(Kernel);

impl UdpPoller for Poller {
    fn poll_writable(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.0.0.lock().unwrap();
        if !state.full {
            return Poll::Ready(Ok(()));
        }
        state.wakers.push(context.waker().clone());
        Poll::Pending
    }
}

impl AsyncUdpSocket for Kernel {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        Box::pin(Poller(self.as_ref().clone()))
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        if state.full {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let contents = transmit.contents.to_vec();
        state.sent.push_back(Sent { contents, segment: transmit.segment_size });
        Ok(())
    }

    fn poll_recv(
        &self,
        _: &mut Context<'_>,
        _: &mut [IoSliceMut<'_>],
        _: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        Poll::Pending
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok("127.0.0.1:1".parse().unwrap())
    }

    fn max_transmit_segments(&self) -> usize {
        64
    }
}

impl Kernel {
    fn set_full(&self, full: bool) {
        let mut state = self.0.lock().unwrap();
        state.full = full;
        state.wakers.drain(..).for_each(Waker::wake);
    }

    fn taken(&self) -> Vec<Sent> {
        self.0.lock().unwrap().sent.drain(..).collect()
    }
}

fn peer() -> SocketAddr {
    "192.0.2.1:7".parse().unwrap()
}

fn key() -> Key {
    Key::derive(1, Purpose::LinkUp, 0)
}

fn delayed(ms: u64) -> Direction {
    Direction { delay_ns: ms * 1_000_000, ..Direction::UNIMPAIRED }
}

/// Runs a test with a kernel, a socket around it with this capacity, and its links.
fn with(capacity: usize, test: impl AsyncFnOnce(Kernel, EmulatedSocket, Links)) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let kernel = Kernel::default();
        let real = UdpSocket::bind("127.0.0.1:0").unwrap();
        let around = Arc::new(kernel.clone());
        let real = KernelSocket::new(&real).unwrap();
        let (socket, links) = EmulatedSocket::around(around, real, capacity).unwrap();
        test(kernel, socket, links).await;
    });
}

/// Sends packets of 100 bytes as one batch; each is filled with its number.
fn send(socket: &EmulatedSocket, numbers: std::ops::Range<u8>) {
    let contents: Vec<u8> = numbers.flat_map(|number| [number; 100]).collect();
    send_bytes(socket, &contents, Some(100));
}

fn send_bytes(socket: &EmulatedSocket, contents: &[u8], segment_size: Option<usize>) {
    let transmit =
        Transmit { destination: peer(), ecn: None, contents, segment_size, src_ip: None };
    socket.try_send(&transmit).unwrap();
}

/// Waits until nothing is under way, and gives what the kernel was given.
async fn arrived(kernel: &Kernel, links: &Links) -> Vec<Sent> {
    let all = async {
        while links.stats(peer()).unwrap().under_way.packets > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), all).await.expect("everything arrives");
    balanced(links);
    kernel.taken()
}

/// Every packet is somewhere.
fn balanced(links: &Links) {
    let s = links.stats(peer()).unwrap();
    let gone = s.lost + s.queue_dropped + s.capacity_dropped;
    let all = gone + s.under_way.packets + s.delivered.packets;
    assert_eq!(s.offered.packets + s.duplicated, all, "{s:?}");
    assert_eq!(s.lateness.count(), s.delivered.packets - s.bypassed.packets, "{s:?}");
}

/// The first byte of each packet in the order of arrival.
fn numbers(sent: &[Sent]) -> Vec<u8> {
    let packets = |sent: &Sent| {
        let segment = sent.segment.unwrap_or(sent.contents.len()).max(1);
        sent.contents.chunks(segment).map(|packet| packet[0]).collect::<Vec<u8>>()
    };
    sent.iter().flat_map(packets).collect()
}

#[test]
fn a_delay_alone_keeps_batches_whole() {
    with(CAPACITY, async |kernel, socket, links| {
        links.set(peer(), delayed(2), key());
        send(&socket, 0..7);
        assert_eq!(kernel.taken(), []);
        let sent = arrived(&kernel, &links).await;
        assert_eq!(sent.len(), 1);
        assert_eq!((sent[0].segment, numbers(&sent)), (Some(100), (0..7).collect()));
    });
}

#[test]
fn nothing_is_done_without_a_link_or_by_one_that_does_nothing() {
    with(CAPACITY, async |kernel, socket, links| {
        send(&socket, 0..3);
        assert_eq!(numbers(&kernel.taken()), [0, 1, 2]);
        links.set(peer(), Direction::UNIMPAIRED, key());
        send(&socket, 3..6);
        let sent = kernel.taken();
        assert_eq!((sent[0].segment, numbers(&sent)), (Some(100), vec![3, 4, 5]));
        let stats = links.stats(peer()).unwrap();
        assert_eq!((stats.offered.packets, stats.offered.bytes), (3, 300));
        assert_eq!((stats.bypassed, stats.delivered), (stats.offered, stats.offered));
        balanced(&links);
    });
}

#[test]
fn a_rate_splits_batches_and_what_is_due_together_is_joined_again() {
    with(CAPACITY, async |kernel, socket, links| {
        // 128 bytes on the wire take 10 ms.
        let rate =
            Direction { rate_bits_s: Some(102_400), queue_bytes: 10_000, ..Direction::UNIMPAIRED };
        links.set(peer(), rate, key());
        send(&socket, 0..4);
        let began = std::time::Instant::now();
        let sent = arrived(&kernel, &links).await;
        assert!(began.elapsed() > Duration::from_millis(35), "{:?}", began.elapsed());
        assert_eq!(numbers(&sent), [0, 1, 2, 3]);
        // So fast that all are due before the pump wakes up: one batch.
        links.change(peer(), Direction { rate_bits_s: Some(100_000_000_000), ..rate });
        send(&socket, 0..4);
        let sent = arrived(&kernel, &links).await;
        assert_eq!((sent.len(), numbers(&sent)), (1, vec![0, 1, 2, 3]));
    });
}

#[test]
fn only_equal_packets_are_joined() {
    with(CAPACITY, async |kernel, socket, links| {
        links.set(peer(), delayed(1), key());
        // A probe for larger packets, that the path may not take, and what follows it.
        for size in [300, 100, 100, 40, 40, 100] {
            send_bytes(&socket, &vec![1; size], None);
        }
        std::thread::sleep(Duration::from_millis(5));
        let sent = arrived(&kernel, &links).await;
        let shape = |sent: &Sent| (sent.contents.len(), sent.segment);
        let shapes: Vec<_> = sent.iter().map(shape).collect();
        assert_eq!(shapes, [(300, None), (200, Some(100)), (80, Some(40)), (100, None)]);
    });
}

#[test]
fn a_lost_packet_is_one_packet_of_a_batch() {
    with(CAPACITY, async |kernel, socket, links| {
        let lossy = Direction { loss: Loss::Independent(0.5), ..delayed(1) };
        links.set(peer(), lossy, key());
        send(&socket, 0..60);
        let sent = arrived(&kernel, &links).await;
        let numbers = numbers(&sent);
        assert!((15..45).contains(&numbers.len()), "{numbers:?}");
        assert!(numbers.is_sorted(), "{numbers:?}");
        assert_eq!(links.stats(peer()).unwrap().lost, 60 - numbers.len() as u64);
    });
}

#[test]
fn a_copy_comes_after_its_packet() {
    with(CAPACITY, async |kernel, socket, links| {
        links.set(peer(), Direction { duplicate: 1.0, ..delayed(1) }, key());
        send(&socket, 0..3);
        assert_eq!(numbers(&arrived(&kernel, &links).await), [0, 0, 1, 1, 2, 2]);
        assert_eq!(links.stats(peer()).unwrap().duplicated, 3);
    });
}

#[test]
fn what_a_full_kernel_does_not_take_waits_and_is_counted() {
    with(CAPACITY, async |kernel, socket, links| {
        links.set(peer(), delayed(1), key());
        kernel.set_full(true);
        for number in 0..50 {
            send(&socket, number..number + 1);
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
        let stats = links.stats(peer()).unwrap();
        assert_eq!((stats.delivered.packets, stats.under_way.packets), (0, 50));
        assert!(stats.kernel_waits > 0);
        kernel.set_full(false);
        assert_eq!(numbers(&arrived(&kernel, &links).await), (0..50).collect::<Vec<u8>>());
        assert!(links.stats(peer()).unwrap().lateness.max_ns() > 5_000_000);
    });
}

#[test]
fn beyond_its_capacity_the_emulator_drops_and_says_so() {
    with(20 * Packet::footprint(100), async |kernel, socket, links| {
        links.set(peer(), delayed(5), key());
        for number in 0..40 {
            send(&socket, number..number + 1);
        }
        let stats = links.stats(peer()).unwrap();
        // There is always room left for a copy.
        assert_eq!((stats.capacity_dropped, stats.under_way.packets), (21, 19));
        balanced(&links);
        assert_eq!(numbers(&arrived(&kernel, &links).await).len(), 19);
        send(&socket, 0..1);
        assert_eq!(arrived(&kernel, &links).await.len(), 1);
    });
}

#[test]
fn packets_stay_behind_what_is_under_way_when_a_link_comes_to_do_nothing() {
    with(CAPACITY, async |kernel, socket, links| {
        links.set(peer(), delayed(5), key());
        send(&socket, 0..2);
        assert!(links.change(peer(), Direction::UNIMPAIRED));
        send(&socket, 2..4);
        assert_eq!(kernel.taken(), []);
        assert_eq!(numbers(&arrived(&kernel, &links).await), [0, 1, 2, 3]);
        send(&socket, 4..6);
        assert_eq!(numbers(&kernel.taken()), [4, 5]);
        balanced(&links);
    });
}

#[test]
fn a_new_link_does_not_count_the_packets_of_the_old_one() {
    with(CAPACITY, async |kernel, socket, links| {
        links.set(peer(), delayed(2), key());
        send(&socket, 0..2);
        links.set(peer(), delayed(4), key());
        send(&socket, 2..5);
        assert_eq!(numbers(&arrived(&kernel, &links).await), [0, 1, 2, 3, 4]);
        assert_eq!(links.stats(peer()).unwrap().delivered.packets, 3);
        assert!(links.remove(peer()));
        assert!(!links.remove(peer()) && !links.change(peer(), delayed(1)));
        assert_eq!((links.stats(peer()), links.received(peer())), (None, None));
    });
}

#[test]
fn an_address_of_ipv4_is_the_same_peer_in_ipv6() {
    with(CAPACITY, async |kernel, socket, links| {
        links.set("[::ffff:192.0.2.1]:7".parse().unwrap(), delayed(1), key());
        send(&socket, 0..1);
        assert_eq!(kernel.taken(), []);
        assert_eq!(arrived(&kernel, &links).await.len(), 1);
        links.send_raw("[::ffff:192.0.2.1]:7".parse().unwrap(), b"probe").unwrap();
        let sent = arrived(&kernel, &links).await;
        assert!(sent[0].contents.ends_with(b"probe") && sent[0].contents[0] & 0x40 == 0);
        drop(socket);
        assert!(links.send_raw(peer(), b"probe").is_err());
    });
}
