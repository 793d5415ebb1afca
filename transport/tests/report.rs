//! Messages that are put together of shared parts have the bytes of those that are written out: programs of
//! one protocol version understand each other.

use fogbit_transport::codec::{DATA_LIMIT, encode};
use fogbit_transport::report::{Batch, Report, Timed};
use fogbit_transport::wire::{OrderHead, TrialId};
use serde::Serialize;

/// The report of a problem whose slots begin by the clock.
#[derive(Serialize)]
enum InTime {
    Steps {
        steps: Vec<u64>,
        begun: u32,
        late: u32,
    },
    #[expect(dead_code, reason = "it has a number")]
    Link(u8),
    Done {
        nanoseconds: u64,
    },
    Failed {
        message: String,
    },
}

/// The report of one in which nothing has to begin in time.
#[derive(Serialize)]
enum AtLeisure {
    Steps(Vec<u64>),
}

/// The order of a trial.
#[derive(Serialize)]
struct Order {
    trial: TrialId,
    name: String,
    policy: String,
    model: Option<Vec<u8>>,
    slots_per_second: Option<f64>,
    images: u64,
}

/// The same, with the part that orders share.
#[derive(Serialize)]
struct WithHead {
    head: OrderHead,
    images: u64,
}

fn bytes(message: &impl Serialize) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode(message, &mut bytes, DATA_LIMIT).unwrap();
    bytes
}

#[test]
fn reports_have_the_bytes_of_enums_that_are_written_out() {
    let steps = vec![7, 300, 1 << 40];
    let timed = Timed { steps: steps.clone(), begun: 90_000, late: 3 };
    let written = InTime::Steps { steps: steps.clone(), begun: 90_000, late: 3 };
    assert_eq!(bytes(&Report::Steps(timed)), bytes(&written));
    assert_eq!(bytes(&Report::Steps(steps.clone())), bytes(&AtLeisure::Steps(steps)));
    let done = Report::<Vec<u64>>::Done { nanoseconds: 5 };
    assert_eq!(bytes(&done), bytes(&InTime::Done { nanoseconds: 5 }));
    let message = String::from("no policy");
    let failed = Report::<Vec<u64>>::Failed { message: message.clone() };
    assert_eq!(bytes(&failed), bytes(&InTime::Failed { message }));
}

#[test]
fn orders_with_a_shared_head_have_the_bytes_of_those_that_are_written_out() {
    let trial = TrialId { seed_number: 2, policy: 1 };
    let (name, policy) = (String::from("rule"), String::from("{}"));
    let model = Some(vec![1, 2, 3]);
    let slots_per_second = Some(2.5);
    let head = OrderHead {
        trial,
        name: name.clone(),
        policy: policy.clone(),
        model: model.clone(),
        slots_per_second,
    };
    let written = Order { trial, name, policy, model, slots_per_second, images: 12 };
    assert_eq!(bytes(&WithHead { head, images: 12 }), bytes(&written));
}

#[test]
fn a_batch_of_nothing_is_told_only_where_something_may_be_late() {
    assert_eq!(Vec::<u64>::of(Vec::new(), (4, 1)), None);
    let timed = Timed::<u64>::of(Vec::new(), (4, 1)).unwrap();
    assert_eq!((timed.steps(), timed.begun()), (&[][..], (4, 1)));
    assert_eq!(vec![1u64].begun(), (0, 0));
}
