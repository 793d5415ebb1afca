//! Work against Python's hashlib and numpy, and the schedule of timed work against a model that
//! goes from nanosecond to nanosecond, recursions by hand and formulas.

use std::collections::VecDeque;

use fogbit_scenario::work::{
    ComputeSpec, Execution, Planned, Refusal, TimedServer, Work, WorkKind, execute,
};
use proptest::prelude::*;
use sha2::{Digest, Sha256};

/// Kind, cycles, input, bytes of output; SHA-256 of the output and its first bytes.
type Case<'a> = (&'a str, u64, &'a [u8], u64, &'a str, &'a str);

/// The cases were made with:
///
/// ```python
/// import hashlib, numpy as np
/// H = lambda b: hashlib.sha256(b).digest()
/// X = lambda h, n: b"".join(H(h + j.to_bytes(8, "little")) for j in range(-(-n // 32)))[:n]
/// def result(kind, cycles, data, out):
///     d = H(data)
///     if kind == "sha256-chain":
///         r = d
///         for _ in range(-(-cycles // 2048)): r = H(r + d)
///     else:
///         e = (np.frombuffer(X(d, 2048), np.uint8) % 251).astype(np.float32)
///         a, b = e[:1024].reshape(32, 32), e[1024:].reshape(32, 32)
///         for _ in range(-(-cycles // 65536)): b = ((a @ b).astype(np.int64) % 251).astype(np.float32)
///         r = H(b.astype("<f4").tobytes())
///     return X(r, out)
/// ```
#[test]
fn results_are_those_of_python() {
    let long: Vec<u8> = (0..=255).cycle().take(256_000).collect();
    let cases: [Case<'_>; 7] = [
        (
            "sha256-chain",
            0,
            b"",
            5,
            "93d4f43ceac424d9512b17de692b1a9d7513c4c0e1779cae4c87c396041bfef5",
            "5c5d42dcf3",
        ),
        (
            "sha256-chain",
            1,
            b"fog",
            32,
            "90d1b89f5560b65239285371009d70f7197e6be8c9176d82526431d89beecdb3",
            "0c4be9a85ef97bb2",
        ),
        (
            "sha256-chain",
            2_048_001,
            &long,
            100,
            "e81e6441ec2fbb8a8ee9e857c297f8e7033cf64d893db0f3357155511f0b4c7b",
            "4b79ccaf09cb26fc",
        ),
        (
            "matrix-product",
            0,
            b"",
            5,
            "8760c4b4160e9931543d1b46ac635921080dab2b8302a889bd4ad2c9356d1963",
            "0f7e5a39cd",
        ),
        (
            "matrix-product",
            65_536,
            b"fog",
            32,
            "0f56137982c543e16562d67dbaecd8e35f81608eeda9e9509d50856db1aa4acc",
            "07a653f42ec59d9c",
        ),
        (
            "matrix-product",
            32_768_001,
            &long,
            100,
            "c06b00585c4e0da12244f366503deb7a0bf153f6c4374d1ccb72d716786be858",
            "29690d555eb96617",
        ),
        (
            "sha256-chain",
            10_000_000,
            b"task",
            0,
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "",
        ),
    ];
    for (kind, cycles, input, bytes, digest, first) in cases {
        let work = Work { kind: kind.parse().unwrap(), cycles };
        let output = execute(work, input, bytes, &mut || true).unwrap();
        assert_eq!(output.len() as u64, bytes);
        assert_eq!(hex(&output[..output.len().min(8)]), first, "{work:?}");
        assert_eq!(hex(&Sha256::digest(&output)), digest, "{work:?}");
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// However far it has got, it stops when it is told to.
#[test]
fn work_can_be_stopped_at_every_question() {
    let input = vec![7; 300_000];
    for kind in WorkKind::ALL {
        let work = Work { kind, cycles: 20_000_000 };
        let run = |stop_at: usize| {
            let mut asked = 0;
            let mut go_on = || {
                asked += 1;
                asked <= stop_at
            };
            let output = execute(work, &input, 40_000, &mut go_on);
            (output.is_some(), asked)
        };
        let (finished, questions) = run(usize::MAX);
        assert!(finished && questions > 20, "{questions}");
        for stop_at in 0..questions {
            assert_eq!(run(stop_at), (false, stop_at + 1));
        }
    }
}

fn spec(workers: u32, queue_limit: u32, service_overhead_ns: u64) -> ComputeSpec {
    ComputeSpec {
        frequency_ghz: 1.0,
        load: 0.0,
        service_overhead_ns,
        workers,
        queue_limit,
        payload_limit: 0,
        execution: Execution::Timed,
    }
}

/// Arrival, cycles, start and finish with 3 workers of 2.5 GHz under a load of .2 and 1,000 ns for
/// each task beside its cycles. Made with:
///
/// ```python
/// import heapq
/// x, t, free = 12345, 0, [0, 0, 0]
/// for i in range(12):
///     x = (1103515245 * x + 12345) % 2**31; t += x % 4000
///     x = (1103515245 * x + 12345) % 2**31; c = 2 * (x % 9000)
///     heapq.heapify(free); s = max(t, heapq.heappop(free)); e = s + 1000 + c // 2
///     heapq.heappush(free, e); print((t, c, s, e))
/// ```
const RECURSION: [(u64, u64, u64, u64); 12] = [
    (606, 9550, 606, 6381),
    (3530, 17146, 3530, 13103),
    (6708, 16918, 6708, 16167),
    (9900, 11586, 9900, 16693),
    (10210, 6334, 13103, 17270),
    (12454, 10394, 16167, 22364),
    (14536, 7142, 16693, 21264),
    (17464, 17170, 17464, 27049),
    (18310, 1054, 21264, 22791),
    (21090, 7882, 22364, 27305),
    (22652, 4150, 22791, 25866),
    (25956, 17906, 25956, 35909),
];

#[test]
fn several_workers_follow_the_recursion_of_kiefer_and_wolfowitz() {
    let node = ComputeSpec { frequency_ghz: 2.5, load: 0.2, ..spec(3, 100, 1000) };
    let mut server = TimedServer::new(node);
    for (id, (now, cycles, start_ns, finish_ns)) in RECURSION.into_iter().enumerate() {
        let planned = server.arrive(now, cycles, None);
        assert_eq!(planned, Ok(Planned { id: id as u64, start_ns, finish_ns }));
    }
}

/// D/D/1: with a service of s and an arrival every a < s, the n-th task waits n (s - a).
#[test]
fn the_wait_grows_with_each_task_that_comes_too_early() {
    let mut server = TimedServer::new(spec(1, 1000, 30));
    for n in 0..1000 {
        assert_eq!(server.wait_ns(n * 800), n * 230);
        let planned = server.arrive(n * 800, 1000, None).unwrap();
        assert_eq!((planned.start_ns - n * 800, planned.finish_ns), (n * 230, (n + 1) * 1030));
    }
    // At the arrival of the last, 799,200, the tasks up to 775 are done.
    assert_eq!(server.tasks(799_200), (1, 224));
}

/// With an arrival every a > s nobody ever waits.
#[test]
fn nobody_waits_for_an_idle_worker() {
    let mut server = TimedServer::new(spec(1, 0, 0));
    for n in 0..100 {
        let planned = server.arrive(n * 1001, 1000, Some(n * 1001 + 1000)).unwrap();
        assert_eq!(planned.start_ns, n * 1001);
    }
}

#[test]
fn who_is_refused_is_told_why_and_changes_nothing() {
    let mut server = TimedServer::new(spec(1, 1, 0));
    server.arrive(0, 100, Some(100)).unwrap();
    let late = Refusal::DeadlineTooClose { finish_ns: 110 };
    assert_eq!(server.arrive(0, 10, Some(109)), Err(late));
    server.arrive(0, 10, Some(110)).unwrap();
    assert_eq!(server.arrive(99, 1, None), Err(Refusal::QueueFull));
    // At 100 the worker takes the second; there is a place again.
    assert_eq!(server.arrive(100, 1, None), Ok(Planned { id: 2, start_ns: 110, finish_ns: 111 }));
}

#[test]
fn who_is_cancelled_leaves_at_once() {
    let mut server = TimedServer::new(spec(1, 10, 0));
    for _ in 0..4 {
        server.arrive(0, 100, None).unwrap();
    }
    assert!(server.cancel(2, 50), "one that waits");
    assert_eq!(server.planned(3), Some(Planned { id: 3, start_ns: 200, finish_ns: 300 }));
    assert!(server.cancel(0, 60), "one under way");
    assert_eq!(server.planned(1), Some(Planned { id: 1, start_ns: 60, finish_ns: 160 }));
    assert_eq!(server.next_finish_ns(), Some(160));
    assert!(!server.cancel(1, 160), "one that is done");
    assert!(!server.cancel(2, 160), "one that is cancelled already");
    let done = server.take_finished(1000);
    assert_eq!(
        done.iter().map(|task| (task.id, task.finish_ns)).collect::<Vec<_>>(),
        [(1, 160), (3, 260)]
    );
    assert_eq!(server.next_finish_ns(), None);
}

/// Goes from nanosecond to nanosecond and knows nothing of plans.
#[derive(Clone)]
struct Model {
    spec: ComputeSpec,
    now: u64,
    next: u64,
    /// Number, start, and what is left.
    workers: Vec<Option<(u64, u64, u64)>>,
    queue: VecDeque<(u64, u64)>,
    done: Vec<Planned>,
}

impl Model {
    fn new(spec: ComputeSpec) -> Model {
        let workers = vec![None; spec.workers as usize];
        Model { spec, now: 0, next: 0, workers, queue: VecDeque::new(), done: Vec::new() }
    }

    /// Ends and begins what ends and begins now.
    fn settle(&mut self) {
        loop {
            let mut changed = false;
            for worker in &mut self.workers {
                if let Some((id, start_ns, 0)) = *worker {
                    self.done.push(Planned { id, start_ns, finish_ns: self.now });
                    *worker = None;
                }
                if worker.is_none()
                    && let Some((id, service)) = self.queue.pop_front()
                {
                    *worker = Some((id, self.now, service));
                    changed = true;
                }
            }
            if !changed {
                return;
            }
        }
    }

    fn until(&mut self, now: u64) {
        while self.now < now {
            self.now += 1;
            for (_, _, left) in self.workers.iter_mut().flatten() {
                *left -= 1;
            }
            self.settle();
        }
    }

    fn arrive(&mut self, now: u64, cycles: u64, deadline: Option<u64>) -> Result<u64, Refusal> {
        self.until(now);
        let idle = self.workers.iter().any(Option::is_none);
        if !idle && self.queue.len() >= self.spec.queue_limit as usize {
            return Err(Refusal::QueueFull);
        }
        let before = self.clone();
        let id = self.next;
        self.next += 1;
        self.queue.push_back((id, cycles + self.spec.service_overhead_ns));
        self.settle();
        if let Some(deadline) = deadline {
            let mut ahead = self.clone();
            while !ahead.done.iter().any(|task| task.id == id) {
                ahead.until(ahead.now + 1);
            }
            let finish_ns = ahead.done.iter().find(|task| task.id == id).unwrap().finish_ns;
            if finish_ns > deadline {
                *self = before;
                return Err(Refusal::DeadlineTooClose { finish_ns });
            }
        }
        Ok(id)
    }

    fn cancel(&mut self, id: u64, now: u64) -> bool {
        self.until(now);
        let mut found = false;
        for worker in &mut self.workers {
            if worker.is_some_and(|task| task.0 == id) {
                *worker = None;
                found = true;
            }
        }
        found |= self.queue.iter().any(|task| task.0 == id);
        self.queue.retain(|task| task.0 != id);
        self.settle();
        found
    }

    fn take_finished(&mut self, now: u64) -> Vec<Planned> {
        self.until(now);
        let mut done = std::mem::take(&mut self.done);
        done.sort_by_key(|task| (task.finish_ns, task.id));
        done
    }
}

#[derive(Debug, Clone)]
enum Event {
    Arrive {
        cycles: u64,
        patience: Option<u64>,
    },
    /// The task with this number, counted back from the last.
    Cancel(u64),
}

fn event() -> impl Strategy<Value = (u64, Event)> {
    let patience = prop::option::weighted(0.3, 0..80u64);
    let arrive =
        (0..30u64, patience).prop_map(|(cycles, patience)| Event::Arrive { cycles, patience });
    (0..12u64, prop_oneof![3 => arrive, 1 => (0..8u64).prop_map(Event::Cancel)])
}

proptest! {
    #[test]
    fn the_schedule_is_what_happens(
        workers in 1..4u32,
        queue_limit in 0..6u32,
        overhead in 0..3u64,
        events in prop::collection::vec(event(), 1..60),
    ) {
        let node = spec(workers, queue_limit, overhead);
        let (mut server, mut model) = (TimedServer::new(node), Model::new(node));
        let mut now = 0;
        let mut deadlines = Vec::new();
        let keeps = |done: &[Planned], deadlines: &[Option<u64>]| {
            let kept = |task: &Planned| {
                deadlines[task.id as usize].is_none_or(|deadline| task.finish_ns <= deadline)
            };
            done.iter().all(kept)
        };
        for (pause, event) in events {
            now += pause;
            let done = server.take_finished(now);
            prop_assert!(keeps(&done, &deadlines), "accepted, and late");
            prop_assert_eq!(done, model.take_finished(now));
            match event {
                Event::Arrive { cycles, patience } => {
                    let deadline = patience.map(|patience| now + patience);
                    let taken = server.arrive(now, cycles, deadline);
                    if taken.is_ok() {
                        deadlines.push(deadline);
                    }
                    prop_assert_eq!(taken.map(|task| task.id), model.arrive(now, cycles, deadline));
                }
                Event::Cancel(back) => {
                    let id = model.next.saturating_sub(back);
                    prop_assert_eq!(server.cancel(id, now), model.cancel(id, now));
                }
            }
            let busy = model.workers.iter().flatten().count();
            // A task without cycles is done as soon as it begins.
            prop_assert_eq!(server.tasks(now), (busy, model.queue.len()));
        }
        let done = server.take_finished(now + 10_000);
        prop_assert!(keeps(&done, &deadlines), "accepted, and late");
        prop_assert_eq!(done, model.take_finished(now + 10_000));
        prop_assert_eq!(server.next_finish_ns(), None);
    }
}
