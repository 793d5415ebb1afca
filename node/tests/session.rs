//! Lookahead changes nothing: what a task node knows of a slot is what it would have been told
//! then.

use std::collections::VecDeque;
use std::sync::Arc;

use fogbit_node::{Helper, MAX_LOOKAHEAD, Session, SessionError};
use fogbit_scenario::draw::{Key, Purpose};
use fogbit_scenario::feedback::FeedbackModel;
use fogbit_scenario::instance::{
    CqiSpec, FeedbackDraws, HelperSpec, QueueSpec, StateSpec, UniformFeature,
};
use fogbit_scenario::weights::WeightMotion;
use proptest::prelude::*;

const UNIT: f64 = 0.447;

#[derive(Debug, Clone)]
struct Node {
    seed: u64,
    /// Capacity, millionths of a task a slot, own tasks a slot; `None` for a drawn queue.
    fifo: Option<(u32, u64, f64)>,
    correlation: Option<f64>,
}

impl Node {
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

/// What a task node knows of one helper node's slots to come.
struct Known {
    session: Session,
    lookahead: u64,
    states: VecDeque<Vec<f64>>,
    horizon: u64,
}

impl Known {
    fn announce(&mut self, now: u64) {
        let through = now + self.lookahead - 1;
        let states = self.session.announce(now, through).expect("a slot that may be announced");
        self.states.extend(states.chunks_exact(3).map(<[f64]>::to_vec));
        self.horizon = through;
        assert_eq!(self.states.len() as u64, through - now + 1);
    }
}

proptest! {
    #[test]
    fn announced_states_are_those_of_stepping_slot_by_slot(
        node in node(),
        lookahead in prop::sample::select(vec![1u64, 2, 3, 7, 64, 500]),
        // Of each slot: whether a task is offloaded, and whether more is announced before it is
        // needed.
        slots in prop::collection::vec((prop::bool::weighted(0.4), prop::bool::weighted(0.1)), 1..600),
    ) {
        let spec = node.spec();
        let mut plain = Helper::new(&spec);
        let session = Session::new(&spec);
        let mut known = Known { session, lookahead, states: VecDeque::new(), horizon: 0 };
        for (slot, (offload, early)) in (1u64..).zip(slots) {
            let due = known.horizon < slot;
            if due || (early && known.horizon < slot + lookahead - 1) {
                known.announce(slot);
            }
            prop_assert_eq!(known.session.horizon(), known.horizon);
            let state = known.states.pop_front().expect("an announced state");
            prop_assert_eq!(bits(&state), bits(plain.state()), "slot {}", slot);
            if offload {
                let task = [0.1, 0.2];
                let answer = known.session.offload(slot, &task).expect("an announced slot");
                prop_assert_eq!(answer.outcome, plain.offload(&task), "slot {}", slot);
                prop_assert!(node.fifo.is_some() || answer.changed.is_empty());
                prop_assert!(answer.changed.len() <= 3 * known.states.len());
                for (state, changed) in known.states.iter_mut().zip(answer.changed.chunks_exact(3)) {
                    state.copy_from_slice(changed);
                }
            }
            plain.advance();
        }
    }
}

#[test]
fn an_offload_that_changes_nothing_to_come_says_so() {
    let full = Node { seed: 1, fifo: Some((1, 50_000, 100.0)), correlation: None };
    let mut session = Session::new(&full.spec());
    session.announce(1, 64).unwrap();
    let answer = session.offload(1, &[0.0, 0.0]).unwrap();
    assert_eq!(answer.outcome.column(), Some(0), "refused");
    assert!(answer.changed.is_empty());
}

#[test]
fn slots_out_of_order_or_out_of_sight_are_refused() {
    let node = Node { seed: 1, fifo: Some((4, 200_000, 0.04)), correlation: Some(0.9) };
    let mut session = Session::new(&node.spec());
    let task = [0.1, 0.2];
    let slot = |slot, first, last| SessionError::Slot { slot, first, last };
    assert_eq!(session.offload(1, &task), Err(slot(1, 1, 0)), "nothing is announced");
    assert_eq!(session.announce(0, 3), Err(slot(0, 1, 1)), "slots count from 1");
    assert_eq!(session.announce(2, 3), Err(slot(2, 1, 1)), "slot 1 is not announced");
    assert_eq!(session.announce(1, 0), Err(slot(0, 1, 1 + MAX_LOOKAHEAD)), "nothing to announce");
    let far = 2 + MAX_LOOKAHEAD;
    assert_eq!(session.announce(1, far), Err(slot(far, 1, far - 1)), "too far");
    assert_eq!(session.announce(1, 10).map(|s| s.len()), Ok(30));
    assert_eq!(session.announce(1, 10), Err(slot(10, 11, 1 + MAX_LOOKAHEAD)), "announced already");
    assert_eq!(session.offload(11, &task), Err(slot(11, 1, 10)), "not announced yet");
    assert!(session.offload(4, &task).is_ok());
    assert_eq!(session.offload(4, &task), Err(slot(4, 5, 10)), "one task a slot");
    assert_eq!(session.offload(3, &task), Err(slot(3, 5, 10)), "the past");
    assert_eq!(session.announce(3, 20), Err(slot(3, 4, 11)), "the past");
    assert!(session.announce(7, 20).is_ok());
    assert_eq!(session.offload(6, &task), Err(slot(6, 7, 20)), "given up by announcing from 7");
    assert!(session.offload(7, &task).is_ok());
}

#[test]
fn a_task_of_another_width_is_refused_and_changes_nothing() {
    let node = Node { seed: 1, fifo: None, correlation: None };
    let mut session = Session::new(&node.spec());
    session.announce(1, 5).unwrap();
    for got in [0, 1, 3] {
        let error = SessionError::TaskWidth { got, expected: 2 };
        assert_eq!(session.offload(2, &vec![0.0; got]), Err(error));
    }
    assert!(session.offload(1, &[0.0; 2]).is_ok(), "slot 1 is still open");
}

#[test]
fn rows_of_a_trace_are_announced_as_they_are() {
    let values: Arc<[f64]> = (0..20).map(|v| f64::from(v) / 100.0).collect();
    let spec = HelperSpec {
        node: 0,
        name: "h0".into(),
        weights: vec![0.5, 0.5, 0.5],
        motion: WeightMotion::default(),
        state: StateSpec::Trace { width: 2, values: Arc::clone(&values) },
        feedback: FeedbackDraws::Trace((0..10).map(|v| f64::from(v) / 10.0).collect()),
        model: FeedbackModel::default(),
        link: None,
    };
    let mut session = Session::new(&spec);
    assert_eq!(session.announce(1, 10).unwrap(), values[..]);
    let bits: Vec<i8> = (1..=10)
        .map(|slot| session.offload(slot, &[0.0]).unwrap().outcome.column().unwrap())
        .collect();
    // The draw climbs from 0 to 0.9, and the probability stays just above a half.
    assert_eq!(bits, [1, 1, 1, 1, 1, 1, -1, -1, -1, -1]);
}
