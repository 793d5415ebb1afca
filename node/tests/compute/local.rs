//! The service without a network.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use fogbit_node::compute::{ComputeError, ComputeService, ComputeTask, calibration};
use fogbit_scenario::work::{ComputeSpec, Execution, Work, WorkKind, execute};
use fogbit_transport::compute::ComputeCode;

use crate::common::{soon, spec, task, until};

/// A minute of work on the node of 1 GHz.
const MINUTE: u64 = 60_000_000_000;

const BOTH: [Execution; 2] = [Execution::Real, Execution::Timed];

#[tokio::test]
async fn real_work_gives_the_result_and_takes_its_time() {
    let service = ComputeService::new(spec(Execution::Real)).unwrap();
    for kind in WorkKind::ALL {
        let work = Work { kind, cycles: 20_000_000 };
        let task = ComputeTask { work, ..task(0) };
        let finished = soon(service.submit(task.clone())).await.unwrap();
        let expected = execute(work, &task.input, 32, &mut || true).unwrap();
        assert_eq!(finished.output, expected);
        let times = finished.times;
        assert_eq!(times.scheduled_ns, 20_000_000);
        assert!(times.served_ns >= times.scheduled_ns.max(times.executed_ns), "{times:?}");
        assert!(times.executed_ns > 0);
    }
}

/// No host does a thousand million GHz: the work takes what it takes, and that is told.
#[tokio::test]
async fn a_node_faster_than_the_host_says_what_it_took() {
    let fast = ComputeSpec { frequency_ghz: 1e9, ..spec(Execution::Real) };
    let service = ComputeService::new(fast).unwrap();
    let times = soon(service.submit(task(200_000_000))).await.unwrap().times;
    assert_eq!(times.scheduled_ns, 0);
    assert!(times.executed_ns > 1000 && times.served_ns >= times.executed_ns, "{times:?}");
}

#[tokio::test]
async fn timed_work_takes_its_time_and_gives_zeros() {
    let slow = ComputeSpec { load: 0.5, service_overhead_ns: 1000, ..spec(Execution::Timed) };
    let service = ComputeService::new(slow).unwrap();
    let begun = tokio::time::Instant::now();
    let finished = soon(service.submit(task(5_000_000))).await.unwrap();
    assert!(begun.elapsed() >= Duration::from_nanos(10_001_000));
    assert_eq!(finished.output, [0; 32]);
    let times = finished.times;
    assert_eq!((times.executed_ns, times.scheduled_ns), (0, 10_001_000));
    assert!(times.served_ns >= times.scheduled_ns, "{times:?}");
}

#[tokio::test]
async fn tasks_are_done_in_the_order_in_which_they_came() {
    for execution in BOTH {
        let service = ComputeService::new(spec(execution)).unwrap();
        let order = Arc::new(Mutex::new(Vec::new()));
        let tasks: Vec<_> = (0..20)
            .map(|number| {
                let (end, order) = (service.submit(task(1_000_000)), Arc::clone(&order));
                tokio::spawn(async move {
                    let times = end.await.unwrap().times;
                    order.lock().unwrap().push(number);
                    times.queued_ns
                })
            })
            .collect();
        let mut queued = Vec::new();
        for task in tasks {
            queued.push(soon(task).await.unwrap());
        }
        assert_eq!(*order.lock().unwrap(), (0..20).collect::<Vec<_>>(), "{execution:?}");
        // Each waits for all before it; they were submitted within one of them, or nearly.
        assert!(queued.is_sorted() || execution == Execution::Real, "{queued:?}");
        assert!(queued[19] > queued[1], "{queued:?}");
    }
}

#[tokio::test]
async fn workers_work_side_by_side() {
    for execution in BOTH {
        let two = ComputeSpec { workers: 2, ..spec(execution) };
        let service = ComputeService::new(two).unwrap();
        let long = service.submit(task(MINUTE));
        for _ in 0..5 {
            soon(service.submit(task(100_000))).await.unwrap();
        }
        let state = service.state();
        assert_eq!((state.running, state.waiting, state.wait_ns), (1, 0, 0), "{execution:?}");
        drop(long);
    }
}

#[tokio::test]
async fn a_full_queue_refuses() {
    for execution in BOTH {
        let service =
            ComputeService::new(ComputeSpec { queue_limit: 2, ..spec(execution) }).unwrap();
        let held: Vec<_> = (0..3).map(|_| service.submit(task(MINUTE))).collect();
        let refused = soon(service.submit(task(1))).await;
        assert_eq!(refused, Err(ComputeError::QueueFull(2)), "{execution:?}");
        until(|| service.state().running == 1).await;
        let state = service.state();
        assert_eq!(state.waiting, 2);
        // Three minutes are to be waited for, less what has passed.
        let minutes = state.wait_ns.div_ceil(MINUTE);
        assert_eq!(minutes, 3, "{state:?}");
        drop(held);
        let counts = service.counts();
        assert_eq!((counts.accepted, counts.cancelled, counts.open()), (3, 3, 0));
        assert_eq!((counts.refused(ComputeCode::QueueFull), counts.all_refused()), (1, 1));
    }
}

/// The worker may be at work, or waiting for the end of the node's time.
#[tokio::test]
async fn who_is_dropped_frees_the_worker() {
    let working = (ComputeSpec { frequency_ghz: 1e6, ..spec(Execution::Real) }, u64::MAX / 4);
    let waiting = (spec(Execution::Real), MINUTE);
    let idle = (ComputeSpec { frequency_ghz: 1e-5, ..spec(Execution::Real) }, 1_000_000);
    let timed = (spec(Execution::Timed), MINUTE);
    for (spec, cycles) in [working, waiting, idle, timed] {
        let service = ComputeService::new(spec).unwrap();
        let first = tokio::spawn(service.submit(task(cycles)));
        let second = service.submit(task(cycles));
        let third = service.submit(task(10));
        until(|| service.state().running == 1).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
        first.abort();
        assert!(soon(first).await.unwrap_err().is_cancelled());
        drop(second);
        soon(third).await.unwrap();
        let counts = service.counts();
        assert_eq!((counts.accepted, counts.cancelled, counts.finished), (3, 2, 1), "{spec:?}");
    }
}

#[tokio::test]
async fn who_cannot_be_done_in_time_is_refused() {
    for execution in BOTH {
        let service = ComputeService::new(spec(execution)).unwrap();
        let hasty = ComputeTask { deadline_ns: Some(9_999_999), ..task(10_000_000) };
        assert_eq!(soon(service.submit(hasty)).await, Err(ComputeError::DeadlineMissed));
        let counts = service.counts();
        assert_eq!((counts.accepted, counts.refused(ComputeCode::DeadlineMissed)), (0, 1));
        let patient = ComputeTask { deadline_ns: Some(u64::MAX), ..task(10_000_000) };
        soon(service.submit(patient)).await.unwrap();
    }
}

/// A timed queue knows beforehand that a task will be late.
#[tokio::test]
async fn who_waits_too_long_misses_its_deadline() {
    for execution in BOTH {
        let service = ComputeService::new(spec(execution)).unwrap();
        let long = service.submit(task(MINUTE));
        let hasty = ComputeTask { deadline_ns: Some(50_000_000), ..task(10_000_000) };
        assert_eq!(soon(service.submit(hasty)).await, Err(ComputeError::DeadlineMissed));
        let counts = service.counts();
        let ends = (counts.missed, counts.refused(ComputeCode::DeadlineMissed));
        assert_eq!(ends, if execution == Execution::Real { (1, 0) } else { (0, 1) });
        assert_eq!(service.state().waiting, 0);
        drop(long);
    }
}

/// Work that takes longer than the node was said to take: it stops, and the worker is free.
#[tokio::test]
async fn who_is_not_done_in_time_stops() {
    let fast = ComputeSpec { frequency_ghz: 1e12, ..spec(Execution::Real) };
    let service = ComputeService::new(fast).unwrap();
    let endless = ComputeTask { deadline_ns: Some(100_000_000), ..task(u64::MAX / 4) };
    assert_eq!(soon(service.submit(endless)).await, Err(ComputeError::DeadlineMissed));
    soon(service.submit(task(10))).await.unwrap();
    let counts = service.counts();
    assert_eq!((counts.accepted, counts.missed, counts.finished), (2, 1, 1));
}

#[tokio::test]
async fn long_inputs_and_outputs_are_refused() {
    for execution in BOTH {
        let small = ComputeSpec { payload_limit: 10, ..spec(execution) };
        let service = ComputeService::new(small).unwrap();
        let fits = ComputeTask { input: vec![1; 10].into(), output_bytes: 10, ..task(10) };
        assert_eq!(soon(service.submit(fits.clone())).await.unwrap().output.len(), 10);
        let (input, output_bytes) = (vec![1; 11].into(), 11);
        let long_input = ComputeTask { input, ..fits.clone() };
        let long_output = ComputeTask { output_bytes, ..fits };
        for (task, what) in [(long_input, "input"), (long_output, "output")] {
            let refused = soon(service.submit(task)).await;
            assert_eq!(refused, Err(ComputeError::PayloadTooLarge { what, bytes: 11, limit: 10 }));
        }
        assert_eq!(service.counts().refused(ComputeCode::PayloadTooLarge), 2);
    }
}

#[tokio::test]
async fn the_end_of_a_trial_ends_its_tasks() {
    for execution in BOTH {
        let service = ComputeService::new(spec(execution)).unwrap();
        let tasks: Vec<_> = (0..3).map(|_| service.submit(task(MINUTE))).collect();
        until(|| service.state().running == 1).await;
        service.close();
        for task in tasks {
            assert_eq!(soon(task).await, Err(ComputeError::Cancelled), "{execution:?}");
        }
        assert_eq!(soon(service.submit(task(1))).await, Err(ComputeError::Cancelled));
        let counts = service.counts();
        assert_eq!((counts.accepted, counts.cancelled, counts.all_refused()), (3, 3, 1));
    }
}

#[tokio::test]
async fn a_service_that_is_described_wrongly_is_none() {
    let bad = ComputeSpec { workers: 0, ..spec(Execution::Timed) };
    let error = ComputeService::new(bad).unwrap_err().to_string();
    assert_eq!(error, "0 workers: at least 1 is needed, and at most 1024");
}

#[test]
fn this_host_can_be_measured() {
    for kind in WorkKind::ALL {
        let ghz = calibration().host_ghz(kind);
        assert!(ghz > 0.001 && ghz < 10_000.0, "{kind}: {ghz} GHz");
        eprintln!("{kind}: {ghz:.2} GHz");
    }
}
