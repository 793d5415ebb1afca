use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fogbit_node::Helper;
use fogbit_scenario::feedback::{Bit, Outcome};
use fogbit_scenario::{Contexts, Instance, Scenario, TaskSource, TopologyFile};
use fogbit_transport::wire::LiveStep;

use super::{MOST_STATES, PATIENCE, Pairing, PairingError};
use crate::ledger::{Account, Ledger, curve_slots};

const NODES: usize = 3;
const SLOTS: u64 = 60;
/// A node's own features: queue, processor, channel.
const WIDTH: usize = 3;

fn scenario() -> Scenario {
    let text = format!(
        "slots = {SLOTS}\nclock = {{ kind = \"wall\", slot = \"20ms\" }}\n\
         [nodes]\ncount = {NODES}\nweights = {{ kind = \"signs\", signs = [-1, -1, -1, 1, 1] }}\n\
         [policies.random]\nkind = \"random\"\n"
    );
    Scenario::from_file(&TopologyFile::from_text(Path::new("test.toml"), text)).unwrap()
}

fn instance() -> Instance {
    scenario().instance(1)
}

/// A decision file in memory.
#[derive(Debug, Clone, Default)]
struct Page(Arc<Mutex<Vec<u8>>>);

impl Page {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Page {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn ledger(instance: &Instance) -> (Ledger, Page) {
    let page = Page::default();
    let marks: [u64; 2] = [10, SLOTS];
    let curve = curve_slots(scenario().length(), &marks);
    let made = Ledger::new(instance, curve, marks.into(), Some(Box::new(page.clone())));
    (made.unwrap(), page)
}

fn pairing() -> (Pairing, Page) {
    let (ledger, page) = ledger(&instance());
    (Pairing::new(&instance(), ledger, &[true; NODES]), page)
}

fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

/// What happened in a trial, as nobody is ever told in one piece.
struct Truth {
    steps: Vec<LiveStep>,
    contexts: Vec<Contexts>,
}

impl Truth {
    fn new() -> Truth {
        let instance = instance();
        let mut tasks = TaskSource::new(&instance.tasks);
        let mut helpers: Vec<Helper> = instance.helpers.iter().map(Helper::new).collect();
        let mut truth = Truth { steps: Vec::new(), contexts: Vec::new() };
        for slot in 1..=SLOTS {
            let mut contexts = Contexts::new(NODES, instance.features);
            let mut task = vec![0.0; tasks.width()];
            tasks.read(slot, &mut task);
            contexts.set_task(&task);
            for (node, helper) in helpers.iter_mut().enumerate() {
                contexts.set_state(node, helper.state());
                helper.advance();
            }
            let outcome = match slot % 5 {
                0 => Outcome::TimedOut,
                1 => Outcome::Refused,
                2 => Outcome::Answered(Bit::Unhappy),
                _ => Outcome::Answered(Bit::Happy),
            };
            truth.steps.push(LiveStep { slot, node: (slot * 7 % 3) as u32, outcome });
            truth.contexts.push(contexts);
        }
        truth
    }

    /// The steps of slots `from` to `through`.
    fn steps(&self, from: u64, through: u64) -> &[LiveStep] {
        &self.steps[from as usize - 1..through as usize]
    }

    /// What `node` says of its states in slots `from` to `through`.
    fn states(&self, node: usize, from: u64, through: u64) -> Vec<f64> {
        self.contexts[from as usize - 1..through as usize]
            .iter()
            .flat_map(|contexts| contexts.node(node).skip(contexts.features() - WIDTH))
            .collect()
    }

    /// What the ledger that looks at the contexts themselves keeps of the first `slots` slots,
    /// where `change` says what the orchestrator knows less than the task node did.
    fn expected(&self, slots: u64, change: impl Fn(u64, &mut Contexts)) -> (Account, String) {
        let (mut ledger, page) = ledger(&instance());
        for (step, contexts) in self.steps.iter().zip(&self.contexts).take(slots as usize) {
            let mut contexts = contexts.clone();
            change(step.slot, &mut contexts);
            ledger.record(&contexts, step.node as usize, step.outcome, None).unwrap();
        }
        (ledger.close().unwrap(), page.text())
    }
}

/// Nothing is missing.
fn nothing(_slot: u64, _contexts: &mut Contexts) {}

fn assert_kept(pairing: Pairing, page: &Page, (account, decisions): (Account, String)) {
    assert_eq!(pairing.into_ledger().close().unwrap(), account);
    // The bits of each regret, which `{:?}` shows in full.
    assert_eq!(page.text(), decisions);
}

#[test]
fn in_whatever_portions_it_is_told_it_is_the_same() {
    let truth = Truth::new();
    for steps_at_once in [1, 7, SLOTS] {
        for states_at_once in [1, 5, SLOTS] {
            for states_first in [false, true] {
                let (mut pairing, page) = pairing();
                let (mut told, mut known) = (0, 0);
                while told < SLOTS || known < SLOTS {
                    let next = (told + steps_at_once).min(SLOTS);
                    if told < SLOTS && (!states_first || known == SLOTS || told < known) {
                        pairing
                            .tell(truth.steps(told + 1, next), next, SLOTS, Duration::ZERO)
                            .unwrap();
                        told = next;
                    }
                    let next = (known + states_at_once).min(SLOTS);
                    for node in 0..NODES {
                        pairing.states(node, known + 1, &truth.states(node, known + 1, next));
                    }
                    known = next.max(known);
                    pairing.book(Duration::ZERO).unwrap();
                    let booked = pairing.ledger().totals().slots;
                    assert_eq!(booked, told.min(known), "neither waits without need");
                }
                assert!(pairing.is_settled());
                assert_kept(pairing, &page, truth.expected(SLOTS, nothing));
            }
        }
    }
}

#[test]
fn states_that_are_late_are_waited_for() {
    let truth = Truth::new();
    let (mut pairing, page) = pairing();
    pairing.tell(truth.steps(1, 10), 10, SLOTS, seconds(5.0)).unwrap();
    pairing.states(0, 1, &truth.states(0, 1, 10));
    pairing.states(1, 1, &truth.states(1, 1, 10));
    pairing.states(2, 1, &truth.states(2, 1, 4));
    for now in [5.0, 6.0, 6.999] {
        pairing.book(seconds(now)).unwrap();
        assert_eq!(pairing.ledger().totals().slots, 4, "at {now} s");
        assert!(!pairing.is_settled());
    }
    pairing.states(2, 5, &truth.states(2, 5, 10));
    pairing.book(seconds(6.999)).unwrap();
    assert!(pairing.is_settled());
    assert_kept(pairing, &page, truth.expected(10, nothing));
}

/// A node that never says what its state was counts as absent: nothing is lost against it. Where
/// it was chosen all the same, its last state is the best guess.
#[test]
fn states_that_never_come_are_given_up() {
    let truth = Truth::new();
    let (mut pairing, page) = pairing();
    for node in 0..NODES {
        let through = if node == 2 { 4 } else { SLOTS };
        pairing.states(node, 1, &truth.states(node, 1, through));
    }
    pairing.tell(truth.steps(1, 8), 8, SLOTS, seconds(1.0)).unwrap();
    pairing.tell(truth.steps(9, 12), 12, SLOTS, seconds(2.5)).unwrap();
    pairing.book(seconds(1.0) + PATIENCE - seconds(0.001)).unwrap();
    assert_eq!(pairing.ledger().totals().slots, 4);
    pairing.book(seconds(1.0) + PATIENCE).unwrap();
    assert_eq!(pairing.ledger().totals().slots, 8, "each slot has its own patience");
    pairing.book(seconds(2.5) + PATIENCE).unwrap();
    assert!(pairing.is_settled());
    let last = truth.states(2, 4, 4);
    let expected = truth.expected(12, |slot, contexts| {
        if slot > 4 {
            contexts.set_present(2, false);
            contexts.set_state(2, &last);
        }
    });
    // It was chosen in slots in which it counts as absent, and in such a slot another was better.
    assert!(truth.steps(5, 12).iter().any(|step| step.node == 2));
    assert_kept(pairing, &page, expected);
}

#[test]
fn a_node_that_is_gone_is_not_waited_for_and_comes_back_at_a_later_slot() {
    let truth = Truth::new();
    let (mut pairing, page) = pairing();
    let now = Duration::ZERO;
    for node in [0, 2] {
        pairing.states(node, 1, &truth.states(node, 1, 40));
    }
    pairing.states(1, 1, &truth.states(1, 1, 4));
    pairing.set_present(1, false);
    pairing.tell(truth.steps(1, 8), 8, SLOTS, now).unwrap();
    pairing.book(now).unwrap();
    assert_eq!(pairing.ledger().totals().slots, 8, "nobody waits for who is gone");
    // It is there again, before slots are told in which it was not.
    pairing.set_present(1, true);
    pairing.states(1, 11, &truth.states(1, 11, 20));
    pairing.tell(truth.steps(9, 20), 20, SLOTS, now).unwrap();
    pairing.book(now).unwrap();
    assert_eq!(pairing.ledger().totals().slots, 20);
    // From here on it is waited for again.
    pairing.tell(truth.steps(21, 25), 25, SLOTS, now).unwrap();
    pairing.book(now).unwrap();
    assert_eq!(pairing.ledger().totals().slots, 20);
    // It begins anew without having been seen to be lost, while slots before that are not booked.
    pairing.states(1, 24, &truth.states(1, 24, 25));
    pairing.book(now).unwrap();
    assert!(pairing.is_settled());
    let absent = |slot| (5..=10).contains(&slot) || (21..=23).contains(&slot);
    let (before, between) = (truth.states(1, 4, 4), truth.states(1, 20, 20));
    let expected = truth.expected(25, |slot, contexts| {
        if absent(slot) {
            contexts.set_present(1, false);
            contexts.set_state(1, if slot < 20 { &before } else { &between });
        }
    });
    assert_kept(pairing, &page, expected);
}

#[test]
fn a_node_that_is_not_there_at_first_is_missed_until_it_speaks() {
    let truth = Truth::new();
    let (ledger, page) = ledger(&instance());
    let mut pairing = Pairing::new(&instance(), ledger, &[true, true, false]);
    let now = Duration::ZERO;
    for node in 0..2 {
        pairing.states(node, 1, &truth.states(node, 1, SLOTS));
    }
    // Node 2 is never chosen here, so that no state of it has to be guessed.
    let own = |slot: u64| LiveStep { slot, node: 0, outcome: Outcome::Answered(Bit::Happy) };
    let steps: Vec<LiveStep> = (1..=9).map(own).collect();
    pairing.tell(&steps[..5], 5, SLOTS, now).unwrap();
    pairing.book(now).unwrap();
    assert_eq!(pairing.ledger().totals().slots, 5);
    pairing.states(2, 7, &truth.states(2, 7, 9));
    pairing.tell(&steps[5..], 9, SLOTS, now).unwrap();
    pairing.book(now).unwrap();
    assert!(pairing.is_settled());
    let truth = Truth { steps, contexts: truth.contexts };
    let expected = truth.expected(9, |slot, contexts| contexts.set_present(2, slot > 6));
    assert_kept(pairing, &page, expected);
}

#[test]
fn slots_in_which_nobody_was_there_are_idle() {
    let truth = Truth::new();
    let (mut pairing, page) = pairing();
    let steps = [truth.steps[0], truth.steps[3]];
    pairing.tell(&steps, 6, SLOTS, Duration::ZERO).unwrap();
    for node in 0..NODES {
        pairing.states(node, 1, &truth.states(node, 1, 4));
    }
    pairing.book(Duration::ZERO).unwrap();
    // For an idle slot nobody's state is needed.
    assert!(pairing.is_settled());
    let totals = *pairing.ledger().totals();
    assert_eq!((totals.slots, totals.idle, totals.offloaded()), (6, 4, 2));
    let nodes = pairing.ledger().nodes();
    assert_eq!(nodes.iter().map(|node| node.offloaded()).sum::<u64>(), 2);
    let rows: Vec<u64> = page
        .text()
        .lines()
        .skip(1)
        .map(|row| row.split(',').next().unwrap().parse().unwrap())
        .collect();
    assert_eq!(rows, [1, 4], "the numbers are those of the slots");
    // An empty report says how far it is all the same, and the same again says nothing.
    pairing.tell(&[], 9, SLOTS, Duration::ZERO).unwrap();
    pairing.tell(&[], 9, SLOTS, Duration::ZERO).unwrap();
    pairing.book(Duration::ZERO).unwrap();
    assert_eq!(pairing.ledger().totals().idle, 7);
    // The states of the slots that were skipped are not taken for those of the next.
    for node in 0..NODES {
        pairing.states(node, 5, &truth.states(node, 5, 10));
    }
    pairing.tell(truth.steps(10, 10), 10, SLOTS, Duration::ZERO).unwrap();
    pairing.book(Duration::ZERO).unwrap();
    let (_, decisions) = truth.expected(10, nothing);
    assert_eq!(page.text().lines().last(), decisions.lines().last());
}

#[test]
fn what_cannot_have_happened_is_refused() {
    let step = |slot, node| LiveStep { slot, node, outcome: Outcome::TimedOut };
    let tell = |steps: &[LiveStep], through| {
        let (mut pairing, _) = pairing();
        let now = Duration::ZERO;
        pairing.tell(&[step(3, 0)], 5, SLOTS, now).unwrap();
        pairing.tell(steps, through, SLOTS, now)
    };
    let slots = |result: Result<(), PairingError>| match result {
        Err(PairingError::Slot { slot, first, last }) => (slot, first, last),
        other => panic!("{other:?}"),
    };
    assert!(tell(&[step(6, 2), step(9, 0)], 9).is_ok());
    assert_eq!(slots(tell(&[step(5, 0)], 8)), (5, 6, 8), "told before, as an idle slot");
    assert_eq!(slots(tell(&[step(0, 0)], 8)), (0, 6, 8), "slots count from 1");
    assert_eq!(slots(tell(&[step(7, 0), step(7, 0)], 8)), (7, 8, 8), "twice");
    assert_eq!(slots(tell(&[step(8, 0), step(7, 0)], 8)), (7, 9, 8), "backwards");
    assert_eq!(slots(tell(&[step(9, 0)], 8)), (9, 6, 8), "beyond what it has reached");
    assert_eq!(slots(tell(&[], 4)), (4, 5, SLOTS), "back in time");
    assert_eq!(slots(tell(&[], SLOTS + 1)), (SLOTS + 1, 5, SLOTS), "beyond the end");
    match tell(&[step(6, NODES as u32)], 6) {
        Err(PairingError::Node { slot: 6, node }) => assert_eq!(node as usize, NODES),
        other => panic!("{other:?}"),
    }
    // In an endless trial a report cannot fill the memory with idle slots.
    let (mut pairing, _) = pairing();
    let most = MOST_STATES as u64;
    let endless = pairing.tell(&[], most + 1, u64::MAX, Duration::ZERO);
    assert_eq!(slots(endless), (most + 1, 0, most));
    assert!(pairing.tell(&[], most, u64::MAX, Duration::ZERO).is_ok());
}

#[test]
fn states_that_are_none_change_nothing() {
    let truth = Truth::new();
    let (mut pairing, page) = pairing();
    for node in 0..NODES {
        pairing.states(node, 1, &truth.states(node, 1, 10));
    }
    let good = truth.states(0, 11, 12);
    pairing.states(NODES, 11, &good);
    pairing.states(0, 11, &good[..WIDTH + 1]);
    pairing.states(0, 11, &[f64::NAN; WIDTH]);
    pairing.states(0, 11, &[f64::INFINITY; WIDTH]);
    pairing.states(0, u64::MAX, &good);
    pairing.set_present(NODES, false);
    pairing.tell(truth.steps(1, 10), 10, SLOTS, Duration::ZERO).unwrap();
    pairing.book(Duration::ZERO).unwrap();
    assert!(pairing.is_settled());
    assert_kept(pairing, &page, truth.expected(10, nothing));
}

#[test]
fn no_more_states_are_kept_than_are_needed() {
    let truth = Truth::new();
    let (mut pairing, _) = pairing();
    // A task node that says nothing, for far longer than anything is kept.
    let portion: Vec<f64> = truth.states(0, 1, SLOTS);
    let mut first = 1;
    while first * WIDTH as u64 <= 2 * MOST_STATES as u64 {
        pairing.states(0, first, &portion);
        first += SLOTS;
        let kept = &pairing.states[0];
        assert!(kept.values.len() <= MOST_STATES);
        assert_eq!(kept.end(), first, "the newest are kept");
    }
    assert!(pairing.states[0].values.len() > MOST_STATES - WIDTH);
    // What is booked is not kept; nor is what comes after it was booked.
    let (mut pairing, _) = self::pairing();
    pairing.states(0, 1, &truth.states(0, 1, 10));
    pairing.states(1, 1, &truth.states(1, 1, 10));
    pairing.tell(truth.steps(1, 10), 10, SLOTS, Duration::ZERO).unwrap();
    pairing.book(PATIENCE).unwrap();
    assert!(pairing.is_settled());
    pairing.states(2, 1, &truth.states(2, 1, 12));
    let kept: Vec<usize> = pairing.states.iter().map(|s| s.values.len()).collect();
    assert_eq!(kept, [0, 0, 2 * WIDTH]);
}
