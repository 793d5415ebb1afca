//! The helper node's part of a trial in real time: states and draws are those of the slots they
//! belong to, whenever a task arrives.

use fogbit_node::{Helper, LiveSession, SessionError, Taken};
use fogbit_scenario::deadline::{Deadline, Scales};
use fogbit_scenario::draw::{Key, Purpose};
use fogbit_scenario::feedback::{FeedbackModel, Outcome, Response};
use fogbit_scenario::instance::{
    CqiSpec, FeedbackDraws, HelperSpec, QueueSpec, StateSpec, UniformFeature,
};
use fogbit_scenario::weights::WeightMotion;
use proptest::prelude::*;

const UNIT: f64 = 0.447;
const TASK: [f64; 2] = [0.1, 0.2];

/// A session whose bits are drawn tells them at once.
trait Told {
    fn told(&mut self, slot: u64, task: &[f64]) -> Result<Outcome, SessionError>;
}

impl Told for LiveSession {
    fn told(&mut self, slot: u64, task: &[f64]) -> Result<Outcome, SessionError> {
        self.offload(slot, task).map(|taken| match taken {
            Taken::Told(outcome) => outcome,
            Taken::Kept { .. } => panic!("{taken:?} without a deadline"),
        })
    }
}

#[derive(Debug, Clone)]
struct Node {
    seed: u64,
    /// Capacity, millionths of a task a slot, own tasks a slot; `None` for a drawn queue.
    fifo: Option<(u32, u64, f64)>,
    correlation: Option<f64>,
}

impl Node {
    fn drawn(seed: u64) -> Node {
        Node { seed, fifo: None, correlation: None }
    }

    fn spec(&self) -> HelperSpec {
        let key = |purpose| Key::derive(self.seed, purpose, 0);
        let feature = |purpose| UniformFeature { key: key(purpose), low: 0.0, span: UNIT };
        let queue = match self.fifo {
            None => QueueSpec::Drawn(feature(Purpose::Queue)),
            Some((capacity, service_micro, own_rate)) => QueueSpec::Fifo {
                capacity,
                service_micro,
                own_rate,
                own_key: key(Purpose::OwnTasks),
                scale: UNIT,
            },
        };
        let feature = feature(Purpose::Cqi);
        let cqi = match self.correlation {
            None => CqiSpec::Iid(feature),
            Some(correlation) => CqiSpec::Autoregressive { feature, correlation },
        };
        HelperSpec {
            node: 0,
            name: "h0".into(),
            weights: vec![-0.5, -0.5, -0.5, 0.3, 0.3],
            motion: WeightMotion::default(),
            state: StateSpec::Model { queue, cpu_frequency: 0.3, cqi, noise: vec![] },
            feedback: FeedbackDraws::Keyed(key(Purpose::Feedback)),
            model: FeedbackModel::default(),
            link: None,
        }
    }
}

fn node() -> impl Strategy<Value = Node> {
    let fifo = prop::option::weighted(0.8, (1..6u32, 50_000..2_000_000u64, 0.0..1.5f64));
    let correlation = prop::option::of(-0.99..0.99f64);
    (any::<u64>(), fifo, correlation).prop_map(|(seed, fifo, correlation)| Node {
        seed,
        fifo,
        correlation,
    })
}

fn bits(state: &[f64]) -> Vec<u64> {
    state.iter().map(|value| value.to_bits()).collect()
}

/// The queue counts no task twice and loses none.
fn assert_counts_add_up(helper: &Helper, accepted: u64, refused: u64) {
    let Some(fifo) = helper.fifo() else { return };
    let counts = fifo.counts();
    assert_eq!(counts.joined, counts.served + u64::from(fifo.length()), "{counts:?}");
    // Whatever came, its own tasks and those offloaded, joined or was turned away.
    assert_eq!(counts.joined + counts.turned_away, helper.own_tasks() + accepted + refused);
    assert!(counts.turned_away >= refused && counts.joined >= accepted);
}

proptest! {
    /// A task node that is never late sees what it would see in virtual time.
    #[test]
    fn in_time_it_is_the_node_of_virtual_time(
        node in node(),
        offloads in prop::collection::vec(prop::bool::weighted(0.4), 1..400),
    ) {
        let spec = node.spec();
        let mut plain = Helper::new(&spec);
        let mut session = LiveSession::new(&spec, 1);
        let (mut accepted, mut refused) = (0, 0);
        for (slot, offload) in (1u64..).zip(offloads) {
            prop_assert_eq!(session.helper().slot(), slot);
            prop_assert_eq!(bits(session.helper().state()), bits(plain.state()), "slot {}", slot);
            if offload {
                let outcome = session.told(slot, &TASK).expect("a later slot");
                prop_assert_eq!(outcome, plain.offload(&TASK), "slot {}", slot);
                accepted += u64::from(outcome != Outcome::Refused);
                refused += u64::from(outcome == Outcome::Refused);
            }
            assert_counts_add_up(session.helper(), accepted, refused);
            plain.advance();
            session.advance();
        }
    }

    /// Tasks come when they come: several within a slot of the node, or none for long. Each finds
    /// the queue as it is then, and brings the draw of the slot in which it was sent.
    #[test]
    fn a_task_brings_the_draw_of_its_own_slot(
        node in node(),
        first in 1..1000u64,
        // The number of tasks that arrive in each slot of the node, and how far the task node's
        // own count goes on from one to the next.
        slots in prop::collection::vec(prop::collection::vec(1..4u64, 0..4), 1..100),
    ) {
        let spec = node.spec();
        let mut session = LiveSession::new(&spec, first);
        let mut queue = Helper::starting_at(&spec, first);
        let (mut slot, mut accepted, mut refused) = (0, 0, 0);
        for arrivals in slots {
            for further in arrivals {
                slot += further;
                let state = session.helper().state().to_vec();
                let outcome = session.told(slot, &TASK).expect("a later slot");
                prop_assert_eq!(outcome, queue.offload_drawing(slot, &TASK));
                // Its own arrival does not change what the node is observed as in this slot.
                prop_assert_eq!(bits(session.helper().state()), bits(&state));
                accepted += u64::from(outcome != Outcome::Refused);
                refused += u64::from(outcome == Outcome::Refused);
            }
            assert_counts_add_up(session.helper(), accepted, refused);
            queue.advance();
            session.advance();
            prop_assert_eq!(bits(session.helper().state()), bits(queue.state()));
        }
        prop_assert!(node.fifo.is_some() || refused == 0);
    }

    /// A node that comes back has an empty queue but draws what belongs to the slot.
    #[test]
    fn a_session_may_begin_at_a_later_slot(node in node(), first in 2..300u64) {
        let spec = node.spec();
        let mut whole = Helper::new(&spec);
        while whole.slot() < first {
            whole.advance();
        }
        let session = LiveSession::new(&spec, first);
        let late = session.helper();
        prop_assert_eq!(late.slot(), first);
        if node.fifo.is_none() {
            prop_assert_eq!(late.state()[0].to_bits(), whole.state()[0].to_bits());
        }
        prop_assert_eq!(late.state()[1].to_bits(), whole.state()[1].to_bits());
        if node.correlation.is_none() {
            prop_assert_eq!(late.state()[2].to_bits(), whole.state()[2].to_bits());
        }
        assert_counts_add_up(late, 0, 0);
        if let Some(fifo) = late.fifo() {
            // Nothing but what arrived in this very slot.
            let counts = fifo.counts();
            prop_assert_eq!(counts.served, 0);
            prop_assert_eq!(counts.joined + counts.turned_away, late.own_tasks());
            let mut before = Helper::starting_at(&spec, first - 1);
            let earlier = before.own_tasks();
            before.advance();
            prop_assert_eq!(before.own_tasks() - earlier, late.own_tasks());
        }
    }
}

/// With weights of zero the bit is the draw alone: it must be that of the task's slot, whichever
/// slot the node is in.
#[test]
fn the_bit_is_the_same_however_late_the_task_is() {
    let spec = HelperSpec { weights: vec![0.0; 5], ..Node::drawn(5).spec() };
    let mut in_time = LiveSession::new(&spec, 1);
    let expected: Vec<Outcome> = (1..=200)
        .map(|slot| {
            let outcome = in_time.told(slot, &TASK).unwrap();
            in_time.advance();
            outcome
        })
        .collect();
    assert!(expected.windows(2).any(|pair| pair[0] != pair[1]), "the draws differ");
    let mut late = LiveSession::new(&spec, 1);
    (0..500).for_each(|_| late.advance());
    let mut early = LiveSession::new(&spec, 1);
    for (slot, expected) in (1..).zip(expected) {
        assert_eq!(late.told(slot, &TASK), Ok(expected));
        assert_eq!(early.told(slot, &TASK), Ok(expected));
    }
}

#[test]
fn slots_of_tasks_only_go_up() {
    let mut session = LiveSession::new(&Node::drawn(1).spec(), 7);
    let refused = |slot, first| Err(SessionError::Slot { slot, first, last: u64::MAX });
    assert_eq!(session.told(0, &TASK), refused(0, 1), "slots count from 1");
    // The task node's count is its own: it may be behind the node's, or before it.
    assert!(session.told(3, &TASK).is_ok());
    assert_eq!(session.told(3, &TASK), refused(3, 4), "one task a slot");
    assert_eq!(session.told(2, &TASK), refused(2, 4), "the past");
    assert!(session.told(4, &TASK).is_ok());
    assert!(session.told(1000, &TASK).is_ok());
    session.advance();
    assert_eq!(session.told(999, &TASK), refused(999, 1001));
    assert!(session.told(u64::MAX, &TASK).is_ok());
    assert_eq!(session.helper().slot(), 8, "tasks do not make time pass");
}

#[test]
fn a_task_of_another_shape_is_refused_and_changes_nothing() {
    let node = Node { seed: 1, fifo: Some((3, 100_000, 0.0)), correlation: None };
    let mut session = LiveSession::new(&node.spec(), 1);
    for got in [0, 1, 3] {
        let error = SessionError::TaskWidth { got, expected: 2 };
        assert_eq!(session.told(1, &vec![0.0; got]), Err(error));
    }
    for value in [f64::NAN, f64::INFINITY] {
        assert_eq!(session.told(1, &[0.0, value]), Err(SessionError::NotFinite));
    }
    assert_eq!(session.helper().fifo().unwrap().length(), 0);
    assert!(session.told(1, &TASK).is_ok(), "the slot is still open");
    assert_eq!(session.helper().fifo().unwrap().length(), 1);
}

#[test]
fn a_full_queue_refuses_until_it_has_served() {
    // One task takes two slots, and there are no others than those offloaded.
    let node = Node { seed: 1, fifo: Some((2, 500_000, 0.0)), correlation: None };
    let mut session = LiveSession::new(&node.spec(), 1);
    let accepted = |outcome| !matches!(outcome, Ok(Outcome::Refused) | Err(_));
    assert!(accepted(session.told(1, &TASK)) && accepted(session.told(2, &TASK)));
    assert_eq!(session.told(3, &TASK), Ok(Outcome::Refused));
    session.advance();
    assert_eq!(session.told(4, &TASK), Ok(Outcome::Refused), "half a task is left");
    session.advance();
    assert!(accepted(session.told(5, &TASK)));
    assert_counts_add_up(session.helper(), 3, 2);
}

/// Where answers have a deadline the node keeps a task for as long as it takes, from the state that it
/// is in, and draws no bit.
#[test]
fn tasks_are_kept_for_as_long_as_they_take() {
    let scales = Scales { bytes: 1.0, cycles: 1e9, queue: 1.0, gigahertz: 4.0 };
    let deadline = Deadline { deadline_ns: 1, full_queue_ns: 8_000_000, response_bytes: 1, scales };
    let model = FeedbackModel { response: Response::Deadline(deadline), flip: 0.0 };
    let mut session = LiveSession::new(&HelperSpec { model, ..Node::drawn(5).spec() }, 1);
    for slot in 1..50 {
        let state = session.helper().state().to_vec();
        // The queue's share of 8 ms, and 0.3e9 cycles.
        let right = state[0] * 8e6 + 0.3e9 / (4.0 * state[1]);
        match session.offload(slot, &[0.1, 0.3]) {
            Ok(Taken::Kept { nanoseconds }) => {
                assert!((nanoseconds / right - 1.0).abs() < 1e-12, "{nanoseconds}, {right}");
            }
            other => panic!("slot {slot}: {other:?}"),
        }
        session.advance();
    }
    let full = Node { fifo: Some((1, 1, 0.0)), ..Node::drawn(5) };
    let mut session = LiveSession::new(&HelperSpec { model, ..full.spec() }, 1);
    assert!(matches!(session.offload(1, &[0.1, 0.3]), Ok(Taken::Kept { .. })));
    assert_eq!(session.offload(2, &[0.1, 0.3]), Ok(Taken::Told(Outcome::Refused)));
}
