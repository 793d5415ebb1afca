//! Probes over real sockets: a link that is what it is configured to be is never called wrong, and
//! one that is something else is.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use fogbit_scenario::draw::{Key, Purpose};
use fogbit_scenario::link::verdict::{LinkCheck, Measurement, PassiveCounts, Verdict, judge_loss};
use fogbit_scenario::link::{LinkPath, LinkSpec, LinkState, Loss};
use fogbit_scenario::topology::LinkProfile;
use fogbit_transport::emulation::Links;
use fogbit_transport::endpoint::bind_with_links;
use fogbit_transport::probe::{Probed, Prober, counts, new_id};
use tokio::runtime::{Builder, Runtime};

/// One end of a link.
struct Host {
    endpoint: quinn::Endpoint,
    links: Links,
    prober: Arc<Prober>,
}

impl Host {
    /// Must be called within a runtime.
    fn new() -> Host {
        let (endpoint, links) = bind_with_links((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let prober = Prober::of_links(&links);
        Host { endpoint, links, prober }
    }

    fn address(&self) -> SocketAddr {
        self.endpoint.local_addr().unwrap()
    }
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// A host that lives in a runtime of its own, on a thread of its own, as another process does.
struct Remote {
    host: Option<Host>,
    end: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Remote {
    fn new() -> Remote {
        let (give, take) = std::sync::mpsc::channel();
        let (end, ended) = tokio::sync::oneshot::channel::<()>();
        let live = async move {
            give.send(Host::new()).unwrap();
            let _ = ended.await;
        };
        let thread = std::thread::spawn(|| runtime().block_on(live));
        Remote { host: Some(take.recv().unwrap()), end: Some(end), thread: Some(thread) }
    }
}

impl std::ops::Deref for Remote {
    type Target = Host;

    fn deref(&self) -> &Host {
        self.host.as_ref().unwrap()
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        self.host.take();
        self.end.take();
        self.thread.take().unwrap().join().unwrap();
    }
}

fn named(name: &str) -> LinkState {
    LinkProfile::Named(name.into()).resolve().unwrap()
}

/// A task node and a helper node whose link is `real`.
struct Pair {
    task: Host,
    helper: Remote,
    runtime: Runtime,
}

impl Pair {
    fn new(real: &LinkSpec, seed: u64) -> Pair {
        let runtime = runtime();
        let task = runtime.block_on(async { Host::new() });
        let pair = Pair { task, helper: Remote::new(), runtime };
        let key = |purpose| Key::derive(seed, purpose, 0);
        let (task, helper) = (pair.task.address(), pair.helper.address());
        pair.task.links.set(helper, real.up, key(Purpose::LinkUp));
        pair.helper.links.set(task, real.down, key(Purpose::LinkDown));
        pair
    }

    fn open(&self, path: &LinkPath) -> (Probed, Probed) {
        let id = new_id().unwrap();
        let here = self.task.prober.open(id, self.helper.address(), path).unwrap();
        (here, self.helper.prober.open(id, self.task.address(), path).unwrap())
    }

    fn probe(&self, configured: &LinkState) -> Measurement {
        let (here, _there) = self.open(&LinkPath::constant(configured.clone()));
        let began = std::time::Instant::now();
        let measured = self.runtime.block_on(here.probe(0)).unwrap();
        // Two seconds, and what a busy host makes of them: a hang would be longer.
        assert!(began.elapsed().as_secs() < 10);
        measured
    }
}

/// What a probe says of a link that is `real` and should be `configured`.
fn check(configured: &LinkState, real: &LinkSpec, seed: u64) -> LinkCheck {
    let measured = Pair::new(real, seed).probe(configured);
    let check = LinkCheck::of_probe("h", 1, configured, &measured);
    println!("{check:#?}");
    check
}

/// What a busy host leaves open, another probe may tell: of up to five, none may say the opposite of `verdict`.
fn finally(verdict: Verdict, mut found: impl FnMut(u64) -> Verdict) {
    let opposite = if verdict == Verdict::Wrong { Verdict::Right } else { Verdict::Wrong };
    for seed in 0..5 {
        let found = found(seed);
        assert_ne!(found, opposite);
        if found == verdict {
            return;
        }
    }
    panic!("five probes did not say {verdict:?}");
}

fn right(name: &str) -> LinkCheck {
    let configured = named(name);
    let check = check(&configured, &configured.spec, 7);
    assert!(!check.is_wrong(), "{name}");
    check
}

#[test]
fn loopback_is_itself() {
    finally(Verdict::Right, |_| {
        let check = right("loopback");
        assert_eq!(check.up.rate_mbit_s.verdict, Verdict::NotResolved);
        check.round_trip_ms.verdict
    });
}

#[test]
fn wifi_is_itself() {
    finally(Verdict::Right, |_| right("wifi").round_trip_ms.verdict);
    finally(Verdict::Right, |_| right("wifi").up.loss.verdict);
    finally(Verdict::Right, |_| right("wifi").down.rate_mbit_s.verdict);
}

#[test]
fn fifth_generation_is_itself() {
    finally(Verdict::Right, |_| right("5g").round_trip_ms.verdict);
}

#[test]
fn lte_is_itself() {
    finally(Verdict::Right, |_| right("lte").up.rate_mbit_s.verdict);
}

#[test]
fn third_generation_is_itself() {
    // Its jitter hides its delay from so few packets.
    assert_eq!(right("3g").round_trip_ms.verdict, Verdict::NotResolved);
}

#[test]
fn congested_is_itself() {
    finally(Verdict::Right, |_| right("congested").up.loss.verdict);
}

#[test]
fn starlink_is_itself_in_bursts() {
    right("starlink");
}

#[test]
fn a_long_link_is_probed_in_time() {
    finally(Verdict::Right, |_| right("edge").round_trip_ms.verdict);
}

#[test]
fn a_tenth_less_rate_is_wrong() {
    let configured = named("lte");
    let mut real = configured.spec;
    real.up.rate_bits_s = real.up.rate_bits_s.map(|rate| rate / 10 * 9);
    finally(Verdict::Wrong, |seed| {
        let check = check(&configured, &real, seed);
        assert_ne!(check.down.rate_mbit_s.verdict, Verdict::Wrong);
        check.up.rate_mbit_s.verdict
    });
}

#[test]
fn more_loss_is_wrong() {
    let mut configured = named("congested");
    configured.spec.down.loss = Loss::Independent(0.02);
    let mut real = configured.spec;
    real.down.loss = Loss::Independent(0.05);
    finally(Verdict::Wrong, |seed| {
        let check = check(&configured, &real, seed);
        assert_ne!(check.up.loss.verdict, Verdict::Wrong);
        check.down.loss.verdict
    });
}

#[test]
fn ten_milliseconds_more_are_wrong() {
    let configured = named("5g");
    let mut real = configured.spec;
    real.down.delay_ns += 10_000_000;
    finally(Verdict::Wrong, |seed| check(&configured, &real, seed).round_trip_ms.verdict);
}

#[test]
fn a_link_that_is_probed_again_after_a_change_is_measured_as_it_is_then() {
    let (first, second) = (named("wifi"), named("lte"));
    let pair = Pair::new(&first.spec, 11);
    let change = fogbit_scenario::link::LinkChange { at: 100, state: second.clone() };
    let path = LinkPath { first: first.clone(), changes: vec![change] };
    let (here, _there) = pair.open(&path);
    let probe = |state| pair.runtime.block_on(here.probe(state)).unwrap();
    let before = LinkCheck::of_probe("h", 1, &first, &probe(0));
    assert!(before.round_trip_ms.measured.is_some() && !before.is_wrong(), "{before:#?}");
    assert!(pair.task.links.change(pair.helper.address(), second.spec.up));
    assert!(pair.helper.links.change(pair.task.address(), second.spec.down));
    let after = LinkCheck::of_probe("h", 100, &second, &probe(1));
    assert!(after.round_trip_ms.measured.unwrap() > 50.0 && !after.is_wrong(), "{after:#?}");
    // The same state can be probed once more.
    let again = LinkCheck::of_probe("h", 100, &second, &probe(1));
    assert!(again.round_trip_ms.measured.is_some() && !again.is_wrong(), "{again:#?}");
}

#[test]
fn both_ends_count_the_loss_of_what_passes() {
    let configured = named("congested");
    let pair = Pair::new(&configured.spec, 12);
    pair.probe(&configured);
    let of_task = || counts(&pair.task.links, pair.helper.address()).0;
    let of_helper = || counts(&pair.helper.links, pair.task.address());
    // Nothing is under way any more: no message is needed to count at the same moment.
    let (asked, (answered, lateness)) = (of_task(), of_helper());
    let [up, down] = PassiveCounts::exchanged(asked, answered, of_task());
    for (counted, way) in [(up, configured.spec.up), (down, configured.spec.down)] {
        let sample = counted.since(&PassiveCounts::default());
        assert!(sample.sent > 1000, "{sample:?}");
        assert_eq!(judge_loss(&way.loss, Some(sample)).verdict, Verdict::Right, "{sample:?}");
    }
    assert!(lateness.count() > 1000);
}

#[test]
fn packets_of_strangers_are_dropped_and_counted() {
    let configured = named("wifi");
    let pair = Pair::new(&configured.spec, 13);
    let (here, there) = pair.open(&LinkPath::constant(configured.clone()));
    for packet in [&[][..], &[7; 40], &[0; 1000]] {
        pair.task.links.send_raw(pair.helper.address(), packet).unwrap();
    }
    let measured = pair.runtime.block_on(here.probe(0)).unwrap();
    assert_eq!(pair.helper.prober.strangers(), 3);
    assert!(!measured.round_trips_ns.is_empty());
    // An end that is closed answers nobody, and nothing was measured.
    drop(there);
    let measured = pair.runtime.block_on(here.probe(0)).unwrap();
    assert!(measured.round_trips_ns.is_empty() && measured.up.loss.is_none());
    let check = LinkCheck::of_probe("h", 1, &configured, &measured);
    assert!(check.findings().all(|finding| finding.verdict == Verdict::NotResolved));
}
