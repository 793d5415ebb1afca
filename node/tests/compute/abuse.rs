//! Streams on which comes what should not: each harms itself.

use fogbit_node::compute::{ComputeEnd, ComputeError, ComputeTask};
use fogbit_scenario::work::{ComputeSpec, Execution};
use fogbit_transport::codec::encode;
use fogbit_transport::compute::{
    ComputeCode, ComputeReply, HEAD_LIMIT, OffloadError, Opening, offload, read_frame,
};
use fogbit_transport::wire::OpenSession;

use crate::common::{Fog, TRIAL, request, soon, spec, task};

/// What the helper node answers to these bytes.
async fn answer(fog: &Fog, bytes: &[u8], finish: bool) -> (ComputeCode, String) {
    let (mut send, mut receive) = fog.connection.open_bi().await.unwrap();
    // It may have stopped reading.
    let _ = soon(send.write_all(bytes)).await;
    if finish {
        let _ = send.finish();
    }
    match soon(read_frame(&mut receive, HEAD_LIMIT)).await.unwrap() {
        ComputeReply::Refused { code, message } => (code, message),
        reply => panic!("{reply:?}"),
    }
}

fn head(opening: &Opening) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode(opening, &mut bytes, HEAD_LIMIT).unwrap();
    bytes
}

#[tokio::test]
async fn what_is_no_request_is_refused_and_harms_nobody() {
    let fog = Fog::new(spec(Execution::Real)).await;
    // A task is under way on the same connection all the while.
    let connection = fog.connection.clone();
    let other =
        tokio::spawn(
            async move { offload(&connection, request(1, &task(500_000_000)), b"task").await },
        );
    let good = head(&Opening::Compute(request(0, &task(1))));
    let mut trailing = good.clone();
    trailing[0] += 1;
    trailing.push(0);
    let cases: [(&[u8], &str); 7] = [
        (b"", "the stream ended where a message was due"),
        (b"\x05", "the stream ended in the middle of a message"),
        (&good[..good.len() - 1], "the stream ended in the middle of a message"),
        (b"\xff\xff\xff\xff", "a message of 4294967295 bytes where at most 4096 are allowed"),
        (b"\x03\0\0\0\xfa\xfa\xfa", "malformed message: "),
        (b"GET / HTTP/1.1\r\n\r\n", "a message of "),
        (&trailing, "malformed message: 1 bytes too many"),
    ];
    for (bytes, expected) in cases {
        let (code, message) = answer(&fog, bytes, true).await;
        assert_eq!(code, ComputeCode::BadRequest, "{message}");
        assert!(message.starts_with(expected), "{message}");
    }
    let session = head(&Opening::Session(OpenSession { trial: TRIAL }));
    assert_eq!(answer(&fog, &session, false).await.0, ComputeCode::BadRequest);
    soon(other).await.unwrap().unwrap();
    assert_eq!(fog.service.counts().accepted, 1);
}

/// Any bytes at all, some of which begin like a request.
#[tokio::test]
async fn noise_is_answered_or_refused() {
    let fog = Fog::new(spec(Execution::Timed)).await;
    let good = head(&Opening::Compute(request(0, &task(1))));
    let mut state = 1u64;
    let mut noise = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize
    };
    for _ in 0..300 {
        let mut bytes = good.clone();
        bytes.extend_from_slice(b"task");
        for _ in 0..1 + noise() % 4 {
            let at = noise() % bytes.len();
            bytes[at] = noise() as u8;
        }
        bytes.truncate(noise() % (bytes.len() + 1));
        let (mut send, mut receive) = fog.connection.open_bi().await.unwrap();
        let _ = soon(send.write_all(&bytes)).await;
        let _ = send.finish();
        // A request that was changed may still be one, and may take for ever.
        let answered = tokio::time::timeout(
            std::time::Duration::from_millis(50),
            read_frame::<ComputeReply>(&mut receive, HEAD_LIMIT),
        );
        if let Ok(reply) = answered.await {
            reply.expect("every stream is answered");
        }
    }
    soon(offload(&fog.connection, request(0, &task(1)), b"task")).await.unwrap();
}

#[tokio::test]
async fn a_payload_over_the_limit_is_refused_before_it_is_read() {
    let mut fog = Fog::new(spec(Execution::Timed)).await;
    let mut vast = request(0, &task(1));
    vast.input_bytes = 1 << 50;
    let (code, message) = answer(&fog, &head(&Opening::Compute(vast)), false).await;
    assert_eq!(code, ComputeCode::PayloadTooLarge);
    let expected = "1125899906842624 bytes of input where at most 1048576 are allowed";
    assert_eq!(message, expected);
    assert!(matches!(fog.end().await, ComputeEnd::Refused(ComputeError::PayloadTooLarge { .. })));
}

#[tokio::test]
async fn an_input_of_another_length_is_refused() {
    let fog = Fog::new(spec(Execution::Timed)).await;
    let mut bytes = head(&Opening::Compute(request(0, &task(1))));
    bytes.extend_from_slice(b"tas");
    let (code, message) = answer(&fog, &bytes, true).await;
    assert_eq!(
        (code, message.as_str()),
        (ComputeCode::BadRequest, "4 bytes of input announced, 3 came")
    );
    bytes.extend_from_slice(b"ks");
    // Nobody waits for the end of what is too long already.
    assert_eq!(answer(&fog, &bytes, false).await.0, ComputeCode::BadRequest);
    assert_eq!(fog.service.counts().refused(ComputeCode::BadRequest), 2);
    let short = offload(&fog.connection, request(0, &task(1)), b"tas").await.unwrap_err();
    assert!(matches!(short, OffloadError::InputLength { announced: 4, actual: 3 }));
}

/// Half an input that is given up is not taken for a whole one.
#[tokio::test]
async fn a_task_that_is_given_up_while_it_is_sent_is_none() {
    let mut fog = Fog::new(spec(Execution::Timed)).await;
    let mut bytes = head(&Opening::Compute(request(0, &task(1))));
    bytes.extend_from_slice(b"ta");
    let (mut send, receive) = fog.connection.open_bi().await.unwrap();
    send.write_all(&bytes).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    send.reset(1u32.into()).unwrap();
    assert_eq!(fog.end().await, ComputeEnd::Gone);
    drop(receive);
    let counts = fog.service.counts();
    assert_eq!((counts.accepted, counts.all_refused()), (0, 0));
}

/// Dropping the client's future is such a giving up, wherever it has got to.
#[tokio::test]
async fn who_is_dropped_while_it_is_sent_is_none() {
    let large = ComputeSpec { payload_limit: 1 << 24, ..spec(Execution::Timed) };
    let mut fog = Fog::new(large).await;
    // More than flow control lets go at once.
    let long = ComputeTask { input: vec![1; 1 << 24].into(), ..task(1) };
    tokio::select! {
        biased;
        _ = offload(&fog.connection, request(0, &long), &long.input) => panic!("all at once"),
        () = std::future::ready(()) => {}
    }
    assert_eq!(fog.end().await, ComputeEnd::Gone);
    let counts = fog.service.counts();
    assert_eq!((counts.accepted, counts.all_refused()), (0, 0));
    assert_eq!(
        soon(offload(&fog.connection, request(1, &long), &long.input)).await.unwrap().output,
        [0; 32]
    );
}

/// An error message that repeats a long name fits into the head of an answer.
#[tokio::test]
async fn long_names_are_shortened() {
    let fog = Fog::new(spec(Execution::Timed)).await;
    let mut strange = request(0, &task(1));
    strange.kind = "\u{1f32b}".repeat(1000);
    let (code, message) = answer(&fog, &head(&Opening::Compute(strange)), false).await;
    assert_eq!(code, ComputeCode::UnknownWork);
    assert!(message.ends_with("...") && message.chars().count() == 403, "{message}");
}
