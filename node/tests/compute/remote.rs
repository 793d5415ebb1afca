//! The service over QUIC.

use std::time::Duration;

use fogbit_node::compute::{ComputeEnd, ComputeTask};
use fogbit_scenario::work::{ComputeSpec, Execution, Work, WorkKind, execute};
use fogbit_transport::codec::encode;
use fogbit_transport::compute::{
    ComputeCode, ComputeReply, HEAD_LIMIT, OffloadError, Offloaded, Opening, offload, read_frame,
};
use quinn::Connection;

use crate::common::{Fog, request, soon, spec, task, until};

const MINUTE: u64 = 60_000_000_000;

async fn send(
    connection: &Connection,
    number: u64,
    task: &ComputeTask,
) -> Result<Offloaded, OffloadError> {
    soon(offload(connection, request(number, task), &task.input)).await
}

fn code(result: Result<Offloaded, OffloadError>) -> ComputeCode {
    match result {
        Err(OffloadError::Refused { code, .. }) => code,
        other => panic!("{other:?}"),
    }
}

/// The same bytes as without a network, and as Python has them (see `scenario/tests/work.rs`).
#[tokio::test]
async fn results_are_the_same_everywhere() {
    let mut fog = Fog::new(spec(Execution::Real)).await;
    for kind in WorkKind::ALL {
        for (input_bytes, output_bytes) in [(0, 0), (1, 1), (300_000, 200_000), (1 << 20, 32)] {
            let work = Work { kind, cycles: 1_000_000 };
            let input: Vec<u8> = (0..=255).cycle().take(input_bytes).collect();
            let expected = execute(work, &input, output_bytes, &mut || true).unwrap();
            let task = ComputeTask { work, input: input.into(), output_bytes, deadline_ns: None };
            let offloaded = send(&fog.connection, 7, &task).await.unwrap();
            assert_eq!(offloaded.output, expected);
            assert!(offloaded.sent <= offloaded.answered && offloaded.answered <= offloaded.done);
            assert_eq!(fog.end().await, ComputeEnd::Done);
        }
    }
    let work = Work { kind: WorkKind::Sha256Chain, cycles: 1 };
    let fog_task = ComputeTask { work, input: (&b"fog"[..]).into(), ..task(0) };
    let output = send(&fog.connection, 8, &fog_task).await.unwrap().output;
    assert_eq!(output[..8], [0x0c, 0x4b, 0xe9, 0xa8, 0x5e, 0xf9, 0x7b, 0xb2]);
}

/// The median of many; on a busy host the best of several medians. A task is never early.
#[tokio::test]
async fn timed_work_takes_cycles_by_frequency() {
    let fog = Fog::new(ComputeSpec { frequency_ghz: 2.0, ..spec(Execution::Timed) }).await;
    let mut medians = Vec::new();
    for _ in 0..8 {
        let mut late: Vec<u64> = Vec::new();
        for number in 0..51 {
            let times = send(&fog.connection, number, &task(6_000_000)).await.unwrap().times;
            assert_eq!(times.scheduled_ns, 3_000_000);
            late.push(times.served_ns.checked_sub(3_000_000).expect("never early"));
        }
        late.sort_unstable();
        medians.push(late[25]);
        if late[25] < 2_000_000 {
            eprintln!("median of lateness: {} us", late[25] / 1000);
            return;
        }
    }
    panic!("medians of lateness, in nanoseconds: {medians:?}");
}

#[tokio::test]
async fn tasks_are_served_in_the_order_in_which_they_came() {
    for execution in [Execution::Real, Execution::Timed] {
        let fog = Fog::new(spec(execution)).await;
        let (told, mut order) = tokio::sync::mpsc::unbounded_channel();
        for number in 0..8 {
            let (connection, told) = (fog.connection.clone(), told.clone());
            let cycles = if number == 0 { 300_000_000 } else { 10_000_000 };
            tokio::spawn(async move {
                send(&connection, number, &task(cycles)).await.unwrap();
                told.send(number).unwrap();
            });
            until(|| fog.service.counts().accepted == number + 1).await;
        }
        for number in 0..8 {
            assert_eq!(soon(order.recv()).await, Some(number), "{execution:?}");
        }
    }
}

#[tokio::test]
async fn refusals_have_their_codes() {
    let small = ComputeSpec { queue_limit: 0, payload_limit: 1000, ..spec(Execution::Timed) };
    let mut fog = Fog::new(small).await;
    let connection = fog.connection.clone();
    let long = ComputeTask { input: vec![0; 500_000].into(), ..task(1) };
    assert_eq!(code(send(&connection, 0, &long).await), ComputeCode::PayloadTooLarge);
    let wide = ComputeTask { output_bytes: 1001, ..task(1) };
    assert_eq!(code(send(&connection, 1, &wide).await), ComputeCode::PayloadTooLarge);
    let hasty = ComputeTask { deadline_ns: Some(1_000_000), ..task(2_000_000) };
    assert_eq!(code(send(&connection, 2, &hasty).await), ComputeCode::DeadlineMissed);
    let mut strange = request(3, &task(1));
    strange.kind = "bitcoin".into();
    let refused = soon(offload(&connection, strange, b"task")).await.unwrap_err();
    let message = "the task was refused: unknown kind of work `bitcoin`: one of \
                   `matrix-product`, `sha256-chain`";
    assert_eq!(refused.to_string(), message);
    let mut foreign = request(4, &task(1));
    foreign.trial.policy += 1;
    let refused = soon(offload(&connection, foreign, b"task")).await;
    assert_eq!(code(refused), ComputeCode::BadRequest);
    let held = tokio::spawn({
        let connection = connection.clone();
        async move { send(&connection, 5, &task(MINUTE)).await }
    });
    until(|| fog.service.counts().accepted == 1).await;
    assert_eq!(code(send(&connection, 6, &task(1)).await), ComputeCode::QueueFull);
    held.abort();
    until(|| fog.service.counts().cancelled == 1).await;
    send(&connection, 7, &task(1)).await.unwrap();
    let counts = fog.service.counts();
    assert_eq!((counts.accepted, counts.finished, counts.cancelled), (2, 1, 1));
    // The trial that is none has no service that could count.
    assert_eq!(counts.refused, [1, 1, 2, 1, 0, 0, 0]);
    let mut ends = Vec::new();
    for _ in 0..8 {
        ends.push(fog.end().await);
    }
    assert_eq!(ends.iter().filter(|end| matches!(end, ComputeEnd::Refused(_))).count(), 6);
}

/// A stream that is dropped, a connection that is closed: whoever waits gets the worker.
#[tokio::test]
async fn who_is_gone_frees_the_worker() {
    for execution in [Execution::Real, Execution::Timed] {
        let mut fog = Fog::new(spec(execution)).await;
        let connection = fog.connection.clone();
        let first = tokio::spawn(async move { send(&connection, 0, &task(MINUTE)).await });
        until(|| fog.service.state().running == 1).await;
        let second = fog.service.submit(task(MINUTE));
        let third = fog.service.submit(task(10));
        first.abort();
        assert_eq!(fog.end().await, ComputeEnd::Gone);
        drop(second);
        soon(third).await.unwrap();
        let connection = fog.connection.clone();
        let fourth = tokio::spawn(async move { send(&connection, 1, &task(MINUTE)).await });
        until(|| fog.service.state().running == 1).await;
        fog.connection.close(0u32.into(), b"");
        assert!(matches!(soon(fourth).await.unwrap(), Err(OffloadError::Wire(_))));
        assert_eq!(fog.end().await, ComputeEnd::Gone);
        soon(fog.service.submit(task(10))).await.unwrap();
        let counts = fog.service.counts();
        assert_eq!((counts.accepted, counts.cancelled, counts.finished), (5, 3, 2));
    }
}

/// More streams than are allowed at once, more tasks than there are places: each gets its answer.
#[tokio::test]
async fn two_hundred_tasks_at_once_add_up() {
    for execution in [Execution::Real, Execution::Timed] {
        let crowded = ComputeSpec { workers: 2, queue_limit: 20, ..spec(execution) };
        let fog = Fog::new(crowded).await;
        let tasks: Vec<_> = (0..200u64)
            .map(|number| {
                let connection = fog.connection.clone();
                tokio::spawn(async move {
                    let input = vec![number as u8; 20_000];
                    let deadline_ns = number.is_multiple_of(5).then_some(8_000_000);
                    let task = ComputeTask { input: input.into(), deadline_ns, ..task(2_000_000) };
                    let result = send(&connection, number, &task).await;
                    let expected = execute(task.work, &task.input, 32, &mut || true).unwrap();
                    result.map(|offloaded| (offloaded.output, expected))
                })
            })
            .collect();
        let (mut done, mut full, mut missed) = (0, 0, 0);
        for task in tasks {
            match soon(task).await.unwrap() {
                Ok((output, expected)) => {
                    done += 1;
                    let real = execution == Execution::Real;
                    assert_eq!(output, if real { expected } else { vec![0; 32] });
                }
                Err(OffloadError::Refused { code: ComputeCode::QueueFull, .. }) => full += 1,
                Err(OffloadError::Refused { code: ComputeCode::DeadlineMissed, .. }) => missed += 1,
                Err(error) => panic!("{error}"),
            }
        }
        let counts = fog.service.counts();
        assert_eq!(done + full + missed, 200);
        assert!(done >= 22, "at least those that found a place: {done}");
        assert_eq!(counts.finished, done);
        assert_eq!(counts.refused(ComputeCode::QueueFull), full);
        assert_eq!(counts.missed + counts.refused(ComputeCode::DeadlineMissed), missed);
        assert_eq!(counts.accepted + counts.all_refused(), 200);
        assert_eq!((counts.open(), counts.cancelled, counts.failed), (0, 0, 0));
        eprintln!("{execution:?}: {done} done, {full} refused, {missed} missed");
    }
}

/// The deadline counts from the head of the request: a slow input uses it up.
#[tokio::test]
async fn what_the_input_takes_is_part_of_the_deadline() {
    let fog = Fog::new(spec(Execution::Timed)).await;
    // One input never comes; another takes so long that no time is left for the task.
    for (deadline_ns, pause) in [(30_000_000, None), (400_000_000, Some(250))] {
        let waits = ComputeTask { deadline_ns: Some(deadline_ns), ..task(200_000_000) };
        let mut head = Vec::new();
        encode(&Opening::Compute(request(0, &waits)), &mut head, HEAD_LIMIT).unwrap();
        let (mut send, mut receive) = fog.connection.open_bi().await.unwrap();
        send.write_all(&head).await.unwrap();
        if let Some(pause) = pause {
            tokio::time::sleep(Duration::from_millis(pause)).await;
            send.write_all(b"task").await.unwrap();
            send.finish().unwrap();
        }
        let reply = soon(read_frame(&mut receive, HEAD_LIMIT)).await.unwrap();
        let missed = ComputeCode::DeadlineMissed;
        assert!(matches!(reply, ComputeReply::Refused { code, .. } if code == missed), "{reply:?}");
    }
    assert_eq!(fog.service.counts().accepted, 0);
}
