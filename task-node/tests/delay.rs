//! Bits that are learnt late: before which decision, in which order, and what is recorded when.

use std::collections::VecDeque;
use std::future::Future;
use std::path::Path;
use std::pin::pin;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};

use fogbit_policy::Policy;
use fogbit_scenario::draw::{Stream, normal_cdf};
use fogbit_scenario::feedback::{Bit, Outcome};
use fogbit_scenario::instance::{FeedbackDraws, TaskSpec, policy_key};
use fogbit_scenario::rules::Presence;
use fogbit_scenario::weights::WeightPath;
use fogbit_scenario::{Contexts, Instance, Scenario, TaskSource, TopologyFile, TrialRules};
use fogbit_task_node::{
    Arrival, Decider, Fog, NoOracle, Recorder, SimFog, Step, Trial, TrialEnd, TrialError,
};

/// Runs a future that never waits.
fn now<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut std::task::Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("nothing here waits"),
    }
}

/// What happened, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Entry {
    Decided(u64),
    Learnt(u64, Bit),
    Recorded(u64, Option<Outcome>),
}

type Diary = Arc<Mutex<Vec<Entry>>>;

/// Chooses node 0 or 1, whoever is there.
struct Writes(Diary);

impl Policy for Writes {
    fn decide(&mut self, slot: u64, contexts: &Contexts) -> usize {
        self.0.lock().unwrap().push(Entry::Decided(slot));
        usize::from(!contexts.is_present(0))
    }

    fn learn(&mut self, slot: u64, contexts: &Contexts, node: usize, bit: Bit) {
        assert_eq!(contexts.get(node, 0), slot as f64, "the contexts are those of the decision");
        self.0.lock().unwrap().push(Entry::Learnt(slot, bit));
    }

    fn scores(&self) -> &[f64] {
        &[]
    }
}

impl Recorder for Writes {
    async fn record(
        &mut self,
        step: Step<'_>,
        _policy: Option<&dyn Policy>,
    ) -> Result<(), TrialError> {
        assert_eq!(step.contexts.get(step.node, 0), step.slot as f64);
        self.0.lock().unwrap().push(Entry::Recorded(step.slot, Some(step.outcome)));
        Ok(())
    }

    async fn idle(&mut self, slot: u64) -> Result<(), TrialError> {
        self.0.lock().unwrap().push(Entry::Recorded(slot, None));
        Ok(())
    }
}

/// A fog whose answers are known beforehand; each comes a number of slots after its task, 0 for at
/// once.
struct Known {
    outcomes: Vec<(Outcome, u64)>,
    due: VecDeque<(u64, Arrival)>,
    slot: u64,
}

impl Fog for Known {
    async fn observe(&mut self, slot: u64, contexts: &mut Contexts) -> Result<(), TrialError> {
        self.slot = slot;
        (0..2).for_each(|node| contexts.set_state(node, &[slot as f64]));
        Ok(())
    }

    async fn offload(
        &mut self,
        slot: u64,
        _node: usize,
        _task: &[f64],
    ) -> Result<Option<Outcome>, TrialError> {
        let (outcome, after) = self.outcomes[slot as usize - 1];
        if after == 0 {
            return Ok(Some(outcome));
        }
        self.due.push_back((slot + after, Arrival { slot, outcome }));
        Ok(None)
    }

    fn arrived(&mut self) -> Option<Arrival> {
        let index = self.due.iter().position(|(heard, _)| *heard <= self.slot)?;
        self.due.remove(index).map(|(_, arrival)| arrival)
    }

    async fn next_arrival(&mut self) -> Result<Option<Arrival>, TrialError> {
        Ok(self.due.pop_front().map(|(_, arrival)| arrival))
    }
}

/// Nobody is there in slots 4 and 5.
fn rules(delay_slots: u32) -> TrialRules {
    let presence = |at, node, present| Presence { at, node, present };
    let schedule = vec![
        presence(2, 0, false),
        presence(4, 1, false),
        presence(6, 1, true),
        presence(9, 0, true),
    ];
    TrialRules { delay_slots, schedule }
}

fn play(delay: u32, outcomes: &[(Outcome, u64)]) -> Vec<Entry> {
    let diary = Diary::default();
    let rules = rules(delay);
    let tasks = TaskSource::new(&TaskSpec::Drawn(Vec::new()));
    let mut trial = Trial { tasks, rules: &rules, shape: (2, 1), slots: outcomes.len() as u64 };
    let end = now(trial.play(
        &mut Known { outcomes: outcomes.to_vec(), due: VecDeque::new(), slot: 0 },
        &mut Decider::<NoOracle>::Policy(Box::new(Writes(Arc::clone(&diary)))),
        &mut Writes(Arc::clone(&diary)),
        &AtomicBool::new(false),
    ));
    assert_eq!(end.unwrap(), TrialEnd::Complete);
    Arc::try_unwrap(diary).map_or_else(|d| d.lock().unwrap().clone(), |d| d.into_inner().unwrap())
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

    /// Outcomes, each `1 + patience` slots late at most; at once where there is no patience.
    fn outcomes(&mut self, slots: u64, patience: Option<u64>) -> Vec<(Outcome, u64)> {
        let one = |_| {
            let outcome = match self.below(3) {
                0 => Outcome::Answered(Bit::Happy),
                1 => Outcome::Answered(Bit::Unhappy),
                _ => Outcome::Refused,
            };
            (outcome, patience.map_or(0, |patience| 1 + self.below(patience + 1)))
        };
        (0..slots).map(one).collect()
    }
}

fn is_idle(slot: u64) -> bool {
    (4..6).contains(&slot)
}

/// The whole diary where answers come within their slot: with a delay of k the bit of slot t is
/// learnt before the decision of slot t + 1 + k and after that of slot t + k.
fn expected(delay: u32, outcomes: &[(Outcome, u64)]) -> Vec<Entry> {
    let mut diary = Vec::new();
    let mut next = 1;
    for now in 1..=outcomes.len() as u64 + 1 {
        let over = now > outcomes.len() as u64;
        // Without a delay a slot is over at once; idle ones wait for the one before the next.
        while next < now && (over || is_idle(next) || next + u64::from(delay) < now) {
            match outcomes[next as usize - 1].0 {
                _ if is_idle(next) => diary.push(Entry::Recorded(next, None)),
                outcome => {
                    if let Outcome::Answered(bit) = outcome {
                        diary.push(Entry::Learnt(next, bit));
                    }
                    diary.push(Entry::Recorded(next, Some(outcome)));
                }
            }
            next += 1;
        }
        if !over && !is_idle(now) {
            diary.push(Entry::Decided(now));
        }
    }
    diary
}

#[test]
fn a_bit_is_learnt_when_it_is_due() {
    let mut numbers = Numbers(1);
    for slots in 1..=40 {
        for delay in [0, 1, 2, 7, 38, 39, 40, 10_000] {
            let outcomes = numbers.outcomes(slots, None);
            let (found, right) = (play(delay, &outcomes), expected(delay, &outcomes));
            assert_eq!(found, right, "{slots} slots, delay {delay}");
        }
    }
}

/// Answers that come later than the delay are learnt when they come; none is lost, and the record
/// stays in order.
#[test]
fn answers_that_come_later_than_the_delay() {
    let mut numbers = Numbers(2);
    for (slots, delay) in (1..=60).flat_map(|slots| (0..20).map(move |delay| (slots, delay))) {
        let outcomes = numbers.outcomes(slots, Some(30));
        // Before which slot the bit of `slot` is known and due.
        let due = |slot: u64| {
            let heard = slot + outcomes[slot as usize - 1].1;
            heard.max(slot + 1 + u64::from(delay))
        };
        let (mut now, mut learnt, mut recorded) = (0, Vec::new(), Vec::new());
        for entry in play(delay, &outcomes) {
            match entry {
                Entry::Decided(slot) => {
                    // Everything that is due before this decision is learnt by now.
                    let all = (1..slot).filter(|s| !is_idle(*s) && due(*s) <= slot);
                    let bits =
                        |s: &u64| matches!(outcomes[*s as usize - 1].0, Outcome::Answered(_));
                    let mut sorted = learnt.clone();
                    sorted.sort_unstable();
                    assert_eq!(sorted, all.filter(bits).collect::<Vec<_>>(), "before slot {slot}");
                    now = slot;
                }
                Entry::Learnt(slot, _) => learnt.push(slot),
                Entry::Recorded(slot, outcome) => {
                    assert_eq!(outcome.is_none(), is_idle(slot));
                    recorded.push(slot);
                }
            }
        }
        assert!(now <= slots);
        assert_eq!(recorded, (1..=slots).collect::<Vec<_>>());
        let answered = (1..=slots).filter(|slot| {
            !is_idle(*slot) && matches!(outcomes[*slot as usize - 1].0, Outcome::Answered(_))
        });
        assert_eq!(learnt.len(), answered.count(), "every bit is learnt, once");
    }
}

/// What was chosen and what came back, slot after slot.
#[derive(Default)]
struct Choices(Vec<(usize, Outcome)>);

impl Recorder for Choices {
    async fn record(
        &mut self,
        step: Step<'_>,
        _policy: Option<&dyn Policy>,
    ) -> Result<(), TrialError> {
        self.0.push((step.node, step.outcome));
        Ok(())
    }
}

fn exogenous(delay: u32) -> Instance {
    let text = format!(
        "slots = 400\n[feedback]\nkind = \"probit\"\nflip = 0.1\ndelay_slots = {delay}\n\
         [features]\nnoise = 2\n[nodes]\ncount = 5\nweights = {{ kind = \"sphere\" }}\n\
         drift = {{ kind = \"rotate\", period_slots = 300 }}\n\
         [[event]]\nat = 50\nnode = \"h2\"\naction = \"leave\"\n\
         [[event]]\nat = 90\nweights = {{ kind = \"sphere\" }}\n\
         [[event]]\nat = 200\nnode = \"h2\"\naction = \"join\"\n\
         [policies.toof]\nkind = \"toof\"\n"
    );
    let file = TopologyFile::from_text(Path::new("t.toml"), text);
    Scenario::from_file(&file).unwrap().instance(11)
}

/// TOOF in the trial loop and in the plainest loop there is: a table of contexts, then slot by slot
/// the bits that are due, the decision, the bit.
#[test]
fn toof_decides_as_in_a_plain_loop() {
    let spec = serde_json::from_value(serde_json::json!({ "kind": "toof" })).unwrap();
    let mut runs = Vec::new();
    for delay in [0, 1, 30, 399, 1000] {
        let instance = exogenous(delay);
        let key = policy_key(11, "toof");
        let policy = || fogbit_policy::build(&spec, 5, 7, &key).unwrap();
        let mut found = Choices::default();
        let tasks = TaskSource::new(&instance.tasks);
        let mut trial = Trial { tasks, rules: &instance.rules, shape: (5, 7), slots: 400 };
        let mut decider = Decider::<NoOracle>::Policy(policy());
        let mut fog = SimFog::new(&instance);
        let stop = AtomicBool::new(false);
        now(trial.play(&mut fog, &mut decider, &mut found, &stop)).unwrap();

        let mut tasks = TaskSource::new(&instance.tasks);
        let mut fog = SimFog::new(&instance);
        let mut table = Vec::new();
        for slot in 1..=400u64 {
            let mut contexts = Contexts::new(5, 7);
            let mut task = [0.0; 2];
            tasks.read(slot, &mut task);
            contexts.set_task(&task);
            fog.observe_now(slot, &mut contexts);
            contexts.set_present(2, !(50..200).contains(&slot));
            table.push(contexts);
        }
        let mut policy = policy();
        let mut right: Vec<(usize, Outcome)> = Vec::new();
        for slot in 1..=400u64 {
            if let Some(due) = slot.checked_sub(1 + u64::from(delay)).filter(|due| *due > 0) {
                let (node, outcome) = right[due as usize - 1];
                let Outcome::Answered(bit) = outcome else { panic!("nobody refuses here") };
                policy.learn(due, &table[due as usize - 1], node, bit);
            }
            let contexts = &table[slot as usize - 1];
            let node = policy.decide(slot, contexts);
            let helper = &instance.helpers[node];
            let weights = WeightPath::new(helper).at(slot).to_vec();
            let product: f64 = (0..7).map(|f| contexts.get(node, f) * weights[f]).sum();
            let happy = normal_cdf(product);
            let FeedbackDraws::Keyed(key) = &helper.feedback else { panic!("no trace here") };
            let told = 0.9 * happy + 0.1 * (1.0 - happy);
            let bit = match Stream::new(key).uniform(slot) < told {
                true => Bit::Happy,
                false => Bit::Unhappy,
            };
            right.push((node, Outcome::Answered(bit)));
        }
        assert_eq!(found.0, right, "delay {delay}");
        runs.push(found.0);
    }
    // The delay does change what is decided, unless all bits come after the last decision.
    assert!(runs[0] != runs[1] && runs[1] != runs[2] && runs[2] != runs[3]);
    assert_eq!(runs[3], runs[4]);
}
