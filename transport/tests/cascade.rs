//! What follows the order of a trial of the problem `cascade`, in pieces.

mod common;

use fogbit_scenario::cascade::{
    ArrivalProcess, ImageRow, ImageTable, RingWalk, StreamKeys, TokenBucket,
};
use fogbit_scenario::draw::{Key, Purpose};
use fogbit_transport::cascade::{CascadeLoad, CascadeOrder, receive_load, send_load};
use fogbit_transport::codec::{DATA_LIMIT, encode};
use fogbit_transport::wire::{OrderHead, TaskNodeOrder, TrialId};
use fogbit_transport::{FrameReceiver, FrameSender, WireError};

/// So many images, of which some have the same metric.
fn table(images: u32, first: u32) -> ImageTable {
    let row = |id: u32| ImageRow {
        id: first + id,
        metric: (id / 3) as f32 * 1e-4,
        weak_loss: (id % 2) as f32,
        reward: -((id % 5) as f32),
    };
    ImageTable::new((0..images).map(row).collect())
}

fn order(images: u32, training: u32, weak: bool) -> CascadeOrder {
    let walk = |images| RingWalk { images, width: images - 1, reset: 0.1 };
    let key = Key::derive(1, Purpose::ImageReset, 0);
    CascadeOrder {
        head: OrderHead {
            trial: TrialId { seed_number: 0, policy: 0 },
            name: "mdp".into(),
            policy: "{}".into(),
            model: None,
            slots_per_second: None,
        },
        images: 10,
        walk: walk(images),
        training: walk(training),
        arrivals: ArrivalProcess { gaps: [1, 3], leave: [0.5; 2] },
        keys: StreamKeys { reset: key, place: key, within: key, arrivals: key },
        bucket: TokenBucket { refill: 1, price: 10, depth: 40 },
        wall_ns: None,
        helper: ("edge".into(), "127.0.0.1:9".parse().unwrap()),
        link: None,
        image_bytes: 784,
        weak: weak.then(|| vec![1, 2, 3]),
    }
}

/// Sends the order and what follows, and receives it.
async fn travel(
    order: &CascadeOrder,
    images: &ImageTable,
    training: &ImageTable,
    pictures: &[u8],
) -> Result<CascadeLoad, WireError> {
    let (here, there) = common::pair(false, common::settings(1 << 20, true)).await;
    // Each piece fits into the shortest frames that there are.
    let (send, _) = here.connection.open_bi().await.unwrap();
    let mut send = FrameSender::new(send, DATA_LIMIT);
    let sending = async {
        send.send(&TaskNodeOrder::Cascade(Box::new(order.clone()))).await?;
        let sent = send_load(&mut send, images, training, pictures).await;
        send.finish();
        sent
    };
    let receiving = async {
        let (_, receive) = there.connection.accept_bi().await.unwrap();
        let mut receive = FrameReceiver::new(receive, DATA_LIMIT);
        let TaskNodeOrder::Cascade(told) = receive.expect().await? else { panic!("another order") };
        assert_eq!(*told, *order);
        receive_load(&mut receive, &told).await
    };
    let (sent, received) = tokio::join!(sending, receiving);
    if received.is_ok() {
        sent.unwrap();
    }
    received
}

#[tokio::test]
async fn more_than_a_frame_comes_as_it_went() {
    let (images, training) = (table(10_000, 60_000), table(60_000, 0));
    let pictures: Vec<u8> = (0..10_000 * 784u32).map(|byte| (byte % 251) as u8).collect();
    let mut whole = Vec::new();
    assert!(encode(&pictures, &mut whole, DATA_LIMIT).is_err(), "they are more than a frame");
    let load = travel(&order(10_000, 60_000, true), &images, &training, &pictures).await.unwrap();
    assert_eq!(load, CascadeLoad { images, training, pictures });
}

#[tokio::test]
async fn what_was_not_announced_is_malformed() {
    let (two, three) = (table(2, 0), table(3, 0));
    let cases = [
        (order(2, 2, false), &three, &two, 0, "malformed message: more images than were announced"),
        (order(2, 2, false), &two, &three, 0, "malformed message: more images than were announced"),
        (order(3, 2, false), &two, &two, 0, "malformed message: 2 images of 3"),
        (order(2, 3, false), &two, &two, 0, "malformed message: 2 images of 3"),
        (order(2, 2, false), &two, &two, 1, "malformed message: more images than were announced"),
        (
            order(2, 2, true),
            &two,
            &two,
            783,
            "malformed message: fewer pictures than were announced",
        ),
        (order(2, 2, true), &two, &two, 1569, "malformed message: more images than were announced"),
    ];
    for (order, images, training, pictures, expected) in cases {
        let error = travel(&order, images, training, &vec![0; pictures]).await.unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
    let nan = ImageRow { id: 0, metric: f32::NAN, weak_loss: 0.0, reward: 0.0 };
    let error = travel(&order(1, 2, false), &ImageTable::new(vec![nan]), &two, &[]).await;
    assert_eq!(error.unwrap_err().to_string(), "malformed message: a metric that is not a number");
}
