//! A service that takes images.

use std::sync::Arc;

use bytes::Bytes;
use fogbit_neural::{CLASSES, Classifier, Network, PIXELS, Preparation, answer};
use fogbit_node::compute::{ComputeEnd, ComputeService, ImageSpec};
use fogbit_scenario::draw::{Key, Purpose};
use fogbit_scenario::work::Execution;
use fogbit_transport::cascade::ImageRequest;
use fogbit_transport::codec::encode;
use fogbit_transport::compute::{
    ComputeCode, ComputeReply, HEAD_LIMIT, OffloadError, Offloaded, Opening, offload,
    offload_image, read_frame,
};
use quinn::Connection;

use crate::common::{Fog, TRIAL, request, soon, spec, task, until};

const MINUTE: u64 = 60_000_000_000;

/// Images of a thousand bytes that only take their time.
fn timed(service_ns: u64, queue_limit: u32) -> ImageSpec {
    ImageSpec { workers: 1, queue_limit, bytes: 1000, service_ns, classifier: None }
}

/// A small classifier with weights by chance.
fn classifier() -> Classifier {
    let preparation = Preparation { pool: 4, mean: 0.3, scale: 0.4 };
    let key = Key::derive(5, Purpose::Policy("any"), 0);
    let network = Network::new(&[preparation.width(), 16, CLASSES], &key);
    Classifier::new(network, preparation, 1.5, Default::default()).unwrap()
}

/// Pictures of squares of different brightness, by a generator of the test's own.
fn picture(number: u64) -> Vec<u8> {
    let mut state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 56) as u8
    };
    let squares: Vec<u8> = (0..49).map(|_| next()).collect();
    (0..PIXELS).map(|pixel| squares[pixel / 28 / 4 * 7 + pixel % 28 / 4]).collect()
}

async fn fog(images: ImageSpec) -> Fog {
    Fog::with(ComputeService::for_images(images).unwrap()).await
}

fn image(number: u64, bytes: usize) -> ImageRequest {
    let image_bytes = bytes as u64;
    ImageRequest { trial: TRIAL, image: number, image_bytes, deadline_ns: None }
}

async fn send(
    connection: &Connection,
    number: u64,
    bytes: &[u8],
) -> Result<Offloaded, OffloadError> {
    soon(offload_image(connection, image(number, bytes.len()), bytes)).await
}

fn code(result: Result<Offloaded, OffloadError>) -> ComputeCode {
    match result {
        Err(OffloadError::Refused { code, .. }) => code,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn pictures_are_classified_as_without_a_network() {
    let here = classifier();
    let mut scratch = here.scratch();
    let classifier = Some(Arc::new(Classifier::from_bytes(&here.to_bytes().unwrap()).unwrap()));
    let bytes = PIXELS as u64;
    let images = ImageSpec { workers: 2, queue_limit: 100, bytes, service_ns: MINUTE, classifier };
    let mut fog = fog(images).await;
    let mut classes = [0; CLASSES];
    for number in 0..60 {
        let picture = picture(number);
        let class = answer(&here.classify(picture[..].try_into().unwrap(), &mut scratch));
        let sent = send(&fog.connection, number, &picture).await.unwrap();
        assert_eq!(sent.output, [class], "picture {number}");
        assert!(sent.times.queued_ns + sent.times.served_ns <= sent.done.as_nanos() as u64);
        assert_eq!(sent.times.scheduled_ns, 0, "it takes what it takes");
        assert_eq!(fog.end().await, ComputeEnd::Done);
        classes[class as usize] += 1;
    }
    assert!(classes.iter().filter(|count| **count > 0).count() > 2, "{classes:?} tells little");
    assert_eq!(fog.service.counts().finished, 60);
}

#[tokio::test]
async fn without_a_classifier_images_take_their_time() {
    let fog = fog(timed(3_000_000, 0)).await;
    for number in 0..5 {
        let times = send(&fog.connection, number, &[7; 1000]).await.unwrap().times;
        assert_eq!(times.scheduled_ns, 3_000_000);
        assert!(times.served_ns >= 3_000_000, "never early");
        assert_eq!(times.executed_ns, 0);
    }
}

#[tokio::test]
async fn refusals_have_their_codes() {
    let mut fog = fog(timed(MINUTE, 0)).await;
    let connection = fog.connection.clone();
    for bytes in [&[7; 999][..], &[7; 1001], &[]] {
        assert_eq!(code(send(&connection, 0, bytes).await), ComputeCode::BadRequest);
    }
    let foreign = ImageRequest {
        trial: fogbit_transport::wire::TrialId { policy: 9, ..TRIAL },
        ..image(0, 1000)
    };
    let refused = soon(offload_image(&connection, foreign, &[7; 1000])).await;
    assert_eq!(code(refused), ComputeCode::BadRequest);
    let hasty = ImageRequest { deadline_ns: Some(1_000_000), ..image(0, 1000) };
    let refused = soon(offload_image(&connection, hasty, &[7; 1000])).await;
    assert_eq!(code(refused), ComputeCode::DeadlineMissed);
    let held = tokio::spawn({
        let connection = connection.clone();
        async move { send(&connection, 1, &[7; 1000]).await }
    });
    until(|| fog.service.counts().accepted == 1).await;
    assert_eq!(code(send(&connection, 2, &[7; 1000]).await), ComputeCode::QueueFull);
    // Whoever takes it back makes room.
    held.abort();
    until(|| fog.service.counts().cancelled == 1).await;
    let counts = fog.service.counts();
    assert_eq!(counts.refused(ComputeCode::BadRequest), 3, "the foreign one is not its own");
    assert_eq!(counts.refused(ComputeCode::DeadlineMissed), 1);
    assert_eq!(counts.refused(ComputeCode::QueueFull), 1);
    assert_eq!((counts.accepted, counts.open()), (1, 0));
    for _ in 0..6 {
        fog.end().await;
    }
}

#[tokio::test]
async fn images_and_tasks_are_not_taken_for_each_other() {
    let images = fog(timed(0, 10)).await;
    let refused = soon(offload(&images.connection, request(0, &task(1)), b"task")).await;
    let message = "the task was refused: images are classified here, no more";
    assert_eq!(refused.unwrap_err().to_string(), message);
    let tasks = Fog::new(spec(Execution::Timed)).await;
    let refused = send(&tasks.connection, 0, &[7; 1000]).await.unwrap_err();
    assert_eq!(refused.to_string(), "the task was refused: no images are classified here");
}

#[tokio::test]
async fn images_are_classified_in_the_order_in_which_they_came() {
    let fog = fog(timed(20_000_000, 100)).await;
    let (told, mut order) = tokio::sync::mpsc::unbounded_channel();
    for number in 0..6 {
        let (connection, told) = (fog.connection.clone(), told.clone());
        tokio::spawn(async move {
            let times = send(&connection, number, &Bytes::from(vec![7; 1000])).await.unwrap().times;
            told.send((number, times.queued_ns)).unwrap();
        });
        until(|| fog.service.counts().accepted == number + 1).await;
    }
    let mut waited = 0;
    for number in 0..6 {
        let (next, queued_ns) = soon(order.recv()).await.unwrap();
        assert_eq!(next, number);
        assert!(queued_ns >= waited, "who came later waits longer behind images of one length");
        waited = queued_ns;
    }
}

/// What the helper node answers to an image that is announced and then is something else.
#[tokio::test]
async fn images_that_are_cut_off_or_too_long_harm_nobody() {
    let mut fog = fog(timed(0, 10)).await;
    for (length, expected) in [
        (500, "1000 bytes of input announced, 500 came"),
        (0, "1000 bytes of input announced, 0 came"),
        (1001, "1000 bytes of input announced, 1001 came"),
    ] {
        let (mut send, mut receive) = fog.connection.open_bi().await.unwrap();
        let mut bytes = Vec::new();
        encode(&Opening::Image(image(1, 1000)), &mut bytes, HEAD_LIMIT).unwrap();
        bytes.extend(vec![7; length]);
        // It may have stopped reading.
        let _ = soon(send.write_all(&bytes)).await;
        let _ = send.finish();
        let ComputeReply::Refused { code, message } =
            soon(read_frame(&mut receive, HEAD_LIMIT)).await.unwrap()
        else {
            panic!("it was classified")
        };
        assert_eq!((code, message.as_str()), (ComputeCode::BadRequest, expected));
        assert!(matches!(fog.end().await, ComputeEnd::Refused(_)));
    }
    assert!(send(&fog.connection, 9, &[7; 1000]).await.is_ok(), "the next one is classified");
}
