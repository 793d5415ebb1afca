//! A helper node beyond the model: bits by other curves, features that say nothing, moving weights.

use std::collections::VecDeque;
use std::path::Path;

use fogbit_node::{Helper, LiveSession, Session, Taken};
use fogbit_scenario::draw::{Key, Purpose, Stream};
use fogbit_scenario::feedback::{Bit, FeedbackModel, Outcome, Response};
use fogbit_scenario::instance::{
    CqiSpec, FeedbackDraws, HelperSpec, QueueSpec, StateSpec, UniformFeature,
};
use fogbit_scenario::weights::{WeightChange, WeightMotion};
use fogbit_scenario::{Scenario, TopologyFile};
use proptest::prelude::*;

/// A node for which x.w is the first feature of the task, whatever its state.
fn answering(model: FeedbackModel) -> HelperSpec {
    let key = |purpose| Key::derive(7, purpose, 0);
    let nothing = |purpose| UniformFeature { key: key(purpose), low: 0.0, span: 1.0 };
    HelperSpec {
        node: 0,
        name: "h0".into(),
        weights: vec![1.0, 0.0, 0.0, 0.0, 0.0],
        motion: WeightMotion::default(),
        state: StateSpec::Model {
            queue: QueueSpec::Drawn(nothing(Purpose::Queue)),
            cpu_frequency: 0.5,
            cqi: CqiSpec::Iid(nothing(Purpose::Cqi)),
            noise: vec![],
        },
        feedback: FeedbackDraws::Keyed(key(Purpose::Feedback)),
        model,
        link: None,
    }
}

fn is_happy(outcome: Outcome) -> bool {
    outcome == Outcome::Answered(Bit::Happy)
}

/// Probabilities of happiness from scipy 1.17: `scipy.special.expit` and `scipy.stats.norm.cdf`.
#[test]
fn bits_have_the_frequencies_of_their_curve_and_the_draw_of_their_slot() {
    const SLOTS: u64 = 20_000;
    let threshold = Response::Threshold(0.25);
    for (response, product, happiness) in [
        (Response::Logit, -0.8, 0.31002551887238755),
        (Response::Logit, 0.5, 0.6224593312018546),
        (Response::Probit, -0.8, 0.2118553985833967),
        (Response::Probit, 0.0, 0.5),
        (Response::Probit, 0.5, 0.6914624612740131),
        (threshold, 0.2499, 0.0),
        (threshold, 0.25, 1.0),
        (threshold, 0.9, 1.0),
    ] {
        for flip in [0.0, 0.2, 0.5, 1.0] {
            let spec = answering(FeedbackModel { response, flip });
            let FeedbackDraws::Keyed(key) = &spec.feedback else { unreachable!() };
            let mut draws = Stream::new(key);
            let mut helper = Helper::new(&spec);
            let told = happiness * (1.0 - flip) + (1.0 - happiness) * flip;
            let mut count = 0u32;
            for slot in 1..=SLOTS {
                let happy = is_happy(helper.offload(&[product, 0.3]));
                let draw = draws.uniform(slot);
                // Rounding may go either way at the edge itself.
                if (draw - told).abs() > 1e-12 {
                    assert_eq!(happy, draw < told, "{response:?} {product} {flip}, slot {slot}");
                }
                count += u32::from(happy);
                helper.advance();
            }
            let mean = told * SLOTS as f64;
            // Further than 4.5 standard deviations once in 150,000 times.
            let deviation = (mean * (1.0 - told)).sqrt();
            let distance = (f64::from(count) - mean).abs();
            assert!(
                distance <= 4.5 * deviation,
                "{response:?} {product} {flip}: {count} of {mean}"
            );
        }
    }
}

/// In real time a task may arrive a slot later than it was sent: it is judged by the weights, and
/// with the draw, of the slot in which it was sent.
#[test]
fn late_tasks_meet_the_weights_of_their_slot() {
    let mut spec = answering(FeedbackModel { response: Response::Threshold(0.1), flip: 0.0 });
    let weights = vec![-1.0, 0.0, 0.0, 0.0, 0.0];
    spec.motion.changes = vec![WeightChange { from: 10, weights, turn: None }];
    let mut session = LiveSession::new(&spec, 1);
    for _ in 1..12 {
        session.advance();
    }
    assert_eq!(session.helper().slot(), 12);
    let happy = |session: &mut LiveSession, slot| match session.offload(slot, &[0.5, 0.0]) {
        Ok(Taken::Told(outcome)) => is_happy(outcome),
        other => panic!("{other:?}"),
    };
    assert!(happy(&mut session, 9));
    assert!(!happy(&mut session, 10));
    assert!(!happy(&mut session, 14));
}

/// A node with a true queue, drifting and changing weights, and features that say nothing.
fn moving(seed: u64) -> HelperSpec {
    let text = "slots = 600\n[feedback]\nkind = \"probit\"\nflip = 0.1\n[features]\nnoise = 3\n\
                [nodes]\ncount = 1\nweights = { kind = \"sphere\" }\n\
                drift = { kind = \"rotate\", period_slots = 37 }\n\
                queue = { kind = \"fifo\", capacity = 3, service_rate = 0.6, own_rate = 0.3 }\n\
                [[event]]\nat = 40\nweights = { kind = \"sphere\" }\n\
                [[event]]\nat = 41\nweights = { kind = \"sphere\", norm = 0.5 }\n\
                [policies.toof]\nkind = \"toof\"\n";
    let file = TopologyFile::from_text(Path::new("t.toml"), text.into());
    Scenario::from_file(&file).unwrap().instance(seed).helpers.remove(0)
}

proptest! {
    #[test]
    fn looking_ahead_changes_neither_states_nor_bits(
        seed in 0..1u64 << 40,
        lookahead in prop::sample::select(vec![1u64, 2, 7, 64, 500]),
        offloads in prop::collection::vec(prop::bool::weighted(0.5), 1..300),
    ) {
        let spec = moving(seed);
        let mut plain = Helper::new(&spec);
        let mut session = Session::new(&spec);
        let mut known: VecDeque<Vec<f64>> = VecDeque::new();
        let width = 6;
        for (slot, offload) in (1u64..).zip(offloads) {
            if known.is_empty() {
                let states = session.announce(slot, slot + lookahead - 1).unwrap();
                known.extend(states.chunks_exact(width).map(<[f64]>::to_vec));
            }
            let state = known.pop_front().unwrap();
            prop_assert_eq!(&state[..], plain.state(), "slot {}", slot);
            prop_assert!(state[3..].iter().all(|v| (0.0..1.0 / 8f64.sqrt()).contains(v)));
            if offload {
                let task = [0.1, 0.3];
                let answer = session.offload(slot, &task).unwrap();
                prop_assert_eq!(answer.outcome, plain.offload(&task), "slot {}", slot);
                for (state, changed) in known.iter_mut().zip(answer.changed.chunks_exact(width)) {
                    state.copy_from_slice(changed);
                }
            }
            plain.advance();
        }
    }
}
