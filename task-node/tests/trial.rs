//! The trial loop where answers come late, in another order, or not at all, and where nodes come
//! and go: every slot is recorded once and in order, whatever happens.

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use fogbit_policy::Policy;
use fogbit_scenario::feedback::{Bit, Outcome};
use fogbit_scenario::instance::TaskSpec;
use fogbit_scenario::{Contexts, TaskSource, TrialRules};
use fogbit_task_node::{
    Arrival, Decider, Fog, NoOracle, Pacer, Recorder, Step, Trial, TrialEnd, TrialError,
};

const NODES: usize = 4;

/// Runs a future that never waits.
fn now<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut std::task::Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("nothing here waits"),
    }
}

/// Numbers that are as good as random, the same in every run (SplitMix64).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }
}

/// What is to happen in one slot.
#[derive(Debug, Clone)]
struct Plan {
    present: [bool; NODES],
    outcome: Outcome,
    /// Before which slot the outcome is heard of; the same slot means at once.
    heard: u64,
}

/// Slots in any order of events; `patience` is the longest an outcome takes, in slots.
fn plans(seed: u64, slots: u64, patience: u64) -> Vec<Plan> {
    let mut numbers = Numbers(seed);
    let mut plan = |slot: u64| {
        let outcome = match numbers.below(5) {
            0 => Outcome::Refused,
            1 => Outcome::TimedOut,
            2 => Outcome::Answered(Bit::Unhappy),
            _ => Outcome::Answered(Bit::Happy),
        };
        // In one slot of eight nobody is there.
        let nobody = numbers.below(8) == 0;
        let present = std::array::from_fn(|_| !nobody && numbers.below(2) == 0);
        Plan { present, outcome, heard: slot + numbers.below(patience + 1) }
    };
    (1..=slots).map(&mut plan).collect()
}

/// A fog in which everything happens as planned.
struct PlannedFog {
    plans: Vec<Plan>,
    slot: u64,
    /// Outcomes that are due, and when they are heard of.
    due: Vec<(u64, Arrival)>,
}

impl PlannedFog {
    fn new(plans: &[Plan]) -> PlannedFog {
        PlannedFog { plans: plans.to_vec(), slot: 0, due: Vec::new() }
    }

    /// The first outcome that is heard of by `slot`.
    fn heard_by(&mut self, slot: u64) -> Option<Arrival> {
        let index = self.due.iter().position(|(heard, _)| *heard <= slot)?;
        Some(self.due.remove(index).1)
    }
}

impl Fog for PlannedFog {
    async fn observe(&mut self, slot: u64, contexts: &mut Contexts) -> Result<(), TrialError> {
        assert_eq!(slot, self.slot + 1, "slots come in order");
        self.slot = slot;
        for (node, present) in self.plans[slot as usize - 1].present.iter().enumerate() {
            contexts.set_present(node, *present);
            // By this one knows later of which slot the contexts are.
            contexts.set_state(node, &[slot as f64]);
        }
        Ok(())
    }

    async fn offload(
        &mut self,
        slot: u64,
        node: usize,
        _task: &[f64],
    ) -> Result<Option<Outcome>, TrialError> {
        let Plan { present, outcome, heard } = self.plans[slot as usize - 1].clone();
        assert!(present[node], "a task for a node that is not there");
        if heard == slot {
            return Ok(Some(outcome));
        }
        self.due.push((heard, Arrival { slot, outcome }));
        Ok(None)
    }

    fn arrived(&mut self) -> Option<Arrival> {
        self.heard_by(self.slot)
    }

    async fn next_arrival(&mut self) -> Result<Option<Arrival>, TrialError> {
        Ok(self.heard_by(u64::MAX))
    }
}

/// What a policy was asked and told.
#[derive(Debug, Default)]
struct Diary {
    decided: Vec<(u64, usize)>,
    learnt: Vec<(u64, usize, Bit)>,
}

/// Chooses the last node that is present, and keeps a diary.
struct Last(Arc<Mutex<Diary>>);

impl Policy for Last {
    fn decide(&mut self, slot: u64, contexts: &Contexts) -> usize {
        let node = (0..NODES).rfind(|node| contexts.is_present(*node)).expect("somebody is there");
        self.0.lock().unwrap().decided.push((slot, node));
        node
    }

    fn learn(&mut self, slot: u64, contexts: &Contexts, node: usize, bit: Bit) {
        assert_eq!(contexts.get(node, 0), slot as f64, "the contexts are those of the decision");
        assert!(contexts.is_present(node));
        let mut diary = self.0.lock().unwrap();
        let decided = diary.decided.contains(&(slot, node));
        assert!(decided, "slot {slot}, node {node} was learnt but not decided");
        diary.learnt.push((slot, node, bit));
    }

    fn scores(&self) -> &[f64] {
        &[]
    }
}

/// What was recorded: the slot, and node and outcome unless it was idle.
#[derive(Debug, Default)]
struct Record(Vec<(u64, Option<(usize, Outcome)>)>);

impl Recorder for Record {
    async fn record(
        &mut self,
        step: Step<'_>,
        policy: Option<&dyn Policy>,
    ) -> Result<(), TrialError> {
        assert!(policy.is_some());
        assert_eq!(step.contexts.get(step.node, 0), step.slot as f64);
        self.0.push((step.slot, Some((step.node, step.outcome))));
        Ok(())
    }

    async fn idle(&mut self, slot: u64) -> Result<(), TrialError> {
        self.0.push((slot, None));
        Ok(())
    }
}

fn no_tasks() -> TaskSource {
    TaskSource::new(&TaskSpec::Drawn(Vec::new()))
}

fn trial(rules: &TrialRules, slots: u64) -> Trial<'_> {
    Trial { tasks: no_tasks(), rules, shape: (NODES, 1), slots }
}

/// Plays `plans`; what became of the trial, what was recorded, and the policy's diary.
fn play(plans: &[Plan]) -> (Result<TrialEnd, TrialError>, Record, Diary) {
    let diary = Arc::new(Mutex::new(Diary::default()));
    let mut record = Record::default();
    let end = play_with(plans, Box::new(Last(Arc::clone(&diary))), &mut record);
    let diary = std::mem::take(&mut *diary.lock().unwrap());
    (end, record, diary)
}

fn play_with(
    plans: &[Plan],
    policy: Box<dyn Policy>,
    record: &mut Record,
) -> Result<TrialEnd, TrialError> {
    now(trial(&TrialRules::default(), plans.len() as u64).play(
        &mut PlannedFog::new(plans),
        &mut Decider::<NoOracle>::Policy(policy),
        record,
        &AtomicBool::new(false),
    ))
}

/// What must be recorded of a slot.
fn expected(slot: u64, plan: &Plan) -> (u64, Option<(usize, Outcome)>) {
    let node = plan.present.iter().rposition(|present| *present);
    (slot, node.map(|node| (node, plan.outcome)))
}

#[test]
fn every_slot_is_recorded_once_and_in_order() {
    for seed in 0..300 {
        // From answers within the slot to answers after the end of the trial.
        let plans = plans(seed, 1 + seed, [0, 1, 3, 20, 1000][seed as usize % 5]);
        let (end, record, diary) = play(&plans);
        assert_eq!(end.unwrap(), TrialEnd::Complete);
        let expected: Vec<_> = (1..).zip(&plans).map(|(slot, p)| expected(slot, p)).collect();
        // A slot within which the answer comes is over at once; those before it may be waiting.
        let mut in_order = record.0.clone();
        in_order.sort_by_key(|(slot, _)| *slot);
        assert_eq!(in_order, expected, "seed {seed}");
        if plans.iter().zip(1..).all(|(plan, slot)| plan.heard > slot) {
            assert_eq!(record.0, expected, "seed {seed}");
        }
        // What was answered is learnt, once; the rest teaches nothing.
        let mut learnt = diary.learnt;
        learnt.sort_by_key(|(slot, ..)| *slot);
        let bits: Vec<_> = expected
            .iter()
            .filter_map(|(slot, step)| match step {
                Some((node, Outcome::Answered(bit))) => Some((*slot, *node, *bit)),
                _ => None,
            })
            .collect();
        assert_eq!(learnt, bits, "seed {seed}");
    }
}

/// Real time has no answer within its slot: then the order is kept even where one is late.
#[test]
fn a_late_answer_holds_the_record_back_but_not_the_learning() {
    let everybody = [true; NODES];
    let happy = Outcome::Answered(Bit::Happy);
    let plan = |heard| Plan { present: everybody, outcome: happy, heard };
    // The answer to slot 1 comes before slot 4, those to 2 and 3 before.
    let plans = [plan(4), plan(3), plan(4), plan(5), plan(6)];
    let (end, record, diary) = play(&plans);
    assert_eq!(end.unwrap(), TrialEnd::Complete);
    let slots: Vec<u64> = record.0.iter().map(|(slot, _)| *slot).collect();
    assert_eq!(slots, [1, 2, 3, 4, 5]);
    let learnt: Vec<u64> = diary.learnt.iter().map(|(slot, ..)| *slot).collect();
    assert_eq!(learnt, [2, 1, 3, 4, 5], "what is known is learnt at once");
}

#[test]
fn slots_without_anybody_are_idle() {
    let nobody = Plan { present: [false; NODES], outcome: Outcome::TimedOut, heard: 9 };
    let (end, record, diary) = play(&vec![nobody; 7]);
    assert_eq!(end.unwrap(), TrialEnd::Complete);
    assert_eq!(record.0, (1..=7).map(|slot| (slot, None)).collect::<Vec<_>>());
    assert!(diary.decided.is_empty(), "nobody can be chosen, so nobody is asked");
}

/// Chooses the same node, whatever it is told.
struct Stubborn(usize);

impl Policy for Stubborn {
    fn decide(&mut self, _slot: u64, _contexts: &Contexts) -> usize {
        self.0
    }

    fn learn(&mut self, _slot: u64, _contexts: &Contexts, _node: usize, _bit: Bit) {}

    fn scores(&self) -> &[f64] {
        &[]
    }
}

#[test]
fn a_policy_that_chooses_nobody_ends_the_trial() {
    let present = [true, true, false, true];
    let plan = Plan { present, outcome: Outcome::Answered(Bit::Happy), heard: 1 };
    let play = |node| {
        play_with(std::slice::from_ref(&plan), Box::new(Stubborn(node)), &mut Record::default())
    };
    assert!(play(1).is_ok());
    assert!(matches!(play(2), Err(TrialError::AbsentNode { slot: 1, node: 2 })));
    assert!(matches!(
        play(NODES),
        Err(TrialError::NoSuchNode { slot: 1, node: NODES, nodes: NODES })
    ));
}

/// Stops the trial after a number of slots.
struct StopAfter<'s>(u64, &'s AtomicBool);

impl Recorder for StopAfter<'_> {
    async fn record(
        &mut self,
        step: Step<'_>,
        _policy: Option<&dyn Policy>,
    ) -> Result<(), TrialError> {
        if step.slot == self.0 {
            self.1.store(true, Ordering::Relaxed);
        }
        Ok(())
    }
}

#[test]
fn a_trial_that_is_stopped_says_how_far_it_got() {
    let plan =
        |slot| Plan { present: [true; NODES], outcome: Outcome::Answered(Bit::Happy), heard: slot };
    let plans: Vec<Plan> = (1..=20).map(plan).collect();
    let stop = AtomicBool::new(false);
    let end = now(trial(&TrialRules::default(), 20).play(
        &mut PlannedFog::new(&plans),
        &mut Decider::<NoOracle>::Policy(Box::new(Stubborn(0))),
        &mut StopAfter(7, &stop),
        &stop,
    ));
    assert_eq!(end.unwrap(), TrialEnd::Stopped(7));
}

#[test]
fn slots_that_are_held_back_are_due_one_after_another() {
    let before = Instant::now();
    let pacer = Pacer::new(50.0);
    let after = Instant::now();
    assert!((before..=after).contains(&pacer.due(1)), "the first may begin at once");
    for slot in 2..100 {
        assert_eq!(pacer.due(slot) - pacer.due(1), Duration::from_millis(20) * (slot as u32 - 1));
    }
    // So slow, and so far away, that no clock gets there; it must not break the clock either.
    let slowest = Pacer::new(1e-3);
    assert!(slowest.due(1_000_000_000_000) > slowest.due(2));
}
