//! What lies beyond the model in the topology file: its mistakes, its overrides, and what becomes of
//! it under a seed.

mod common;

use std::path::Path;

use common::{check_all, read};
use fogbit_scenario::draw::{Key, Purpose, Stream};
use fogbit_scenario::feedback::Response;
use fogbit_scenario::instance::{Instance, StateSpec};
use fogbit_scenario::rules::Presence;
use fogbit_scenario::weights::WeightPath;
use fogbit_scenario::{Contexts, Scenario, TopologyFile, Truth};

const GOOD: &str = r#"slots = 1000

[feedback]
kind = "threshold"
level = 0.2
flip = 0.1
delay_slots = 7

[features]
kind = "model"
noise = 3

[nodes]
weights = { kind = "sphere", norm = 0.8 }
drift = { kind = "rotate", period_slots = 90 }

[[node]]
name = "anna"
weights = { kind = "given", values = [0.1, 0.2, 0.3, 0.4, 0.5] }

[[node]]
name = "bert"

[[node]]
name = "carl"
drift = { kind = "none" }

[[event]]
at = 100
node = "carl"
action = "join"

[[event]]
at = 200
node = "anna"
action = "leave"

[[event]]
at = 200
node = "bert"
weights = { kind = "signs", signs = [-1, -1, -1, 1, 1] }

[[event]]
at = 400
weights = { kind = "sphere" }

[policies.toof]
kind = "toof"
"#;

const MISTAKES: &str = r#"
# Feedback.
an unknown curve ¦ "threshold" → «"thresold"» ¦ unknown kind `thresold` ¦ did you mean `threshold`?
a level of another curve ¦ "threshold"⏎level → "probit"⏎«level» ¦ unknown key `level` ¦ known here: flip, delay_slots
a level beyond every product ¦ level = 0.2 → level = «1.5» ¦ level = 1.5 is out of range ¦ from -1 to 1
a level that is no number ¦ level = 0.2 → level = «nan» ¦ level is not a finite number ¦
flips below 0 ¦ flip = 0.1 → flip = «-0.1» ¦ flip = -0.1 is out of range ¦ from 0 to 1
flips above 1 ¦ flip = 0.1 → flip = «1.1» ¦ flip = 1.1 is out of range ¦ from 0 to 1
a delay too long ¦ delay_slots = 7 → delay_slots = «10001» ¦ delay_slots = 10001 is out of range ¦ from 0 to 10000
a delay below 0 ¦ delay_slots = 7 → delay_slots = «-1» ¦ wrong value: integer `-1` ¦ a whole number
half a slot of delay ¦ delay_slots = 7 → delay_slots = «0.5» ¦ wrong type: ¦ a whole number
# Features that say nothing, drift.
too much noise ¦ noise = 3 → noise = «101» ¦ noise = 101 is out of range ¦ from 0 to 100
weights for features that say nothing ¦ [0.1, 0.2, 0.3, 0.4, 0.5] → «[0.1, 0.2, 0.3, 0.4, 0.5, 0, 0, 0]» ¦ 8 weights for 5 features ¦ give 5 numbers
too fast a turn ¦ period_slots = 90 → period_slots = «3» ¦ period_slots = 3 is out of range ¦
a turn of no length ¦ , period_slots = 90 →  & drift = { kind = "rotate" } → drift = «{ kind = "rotate" }» ¦ missing key `period_slots` ¦
a period without a turn ¦ drift = { kind = "none" } → drift = { kind = "none", «period_slots» = 9 } ¦ unknown key `period_slots` ¦ no key but `kind`
an unknown drift ¦ kind = "rotate" → kind = «"rotates"» ¦ unknown kind `rotates` ¦ did you mean `rotate`?
# Events.
an event before the first slot ¦ at = 100 → at = «0» ¦ there is no slot 0 ¦ slots count from 1
events out of order ¦ at = 400 → at = «199» ¦ slot 199 is listed after slot 200 ¦ in the order of their slots
an event at no slot ¦ [[event]]⏎at = 100⏎ → «[[event]]»⏎ ¦ missing key `at` ¦
an event of nobody ¦ node = "bert" → node = «"berta"» ¦ no helper node is called `berta` ¦ anna, bert, carl
a leave of everybody ¦ node = "anna"⏎action = "leave" → action = «"leave"» ¦ it is not said which helper node ¦ for example node =
an unknown action ¦ action = "leave" → action = «"depart"» ¦ unknown value `depart` ¦
an event in which nothing happens ¦ [[event]]⏎at = 200⏎node = "anna"⏎action = "leave" → «[[event]]»⏎at = 200⏎node = "anna" ¦ nothing happens in this event ¦ action = "leave"
both at once ¦ action = "leave" → action = "leave"⏎«weights» = { kind = "sphere" } ¦ both `action` and `weights` ¦ two events
bad weights of an event ¦ [-1, -1, -1, 1, 1] → «[-1, 1]» ¦ 2 signs for 5 features ¦ give 5 signs
a leave of who is away ¦ action = "join" → action = "join"⏎[[event]]⏎at = 150⏎node = "anna"⏎action = "leave" & at = 200⏎node = "anna"⏎action = "leave" → at = 200⏎node = "anna"⏎action = «"leave"» ¦ the node is away already ¦ by turns
a join of who is there ¦ action = "leave" → action = "leave"⏎[[event]]⏎at = 200⏎node = "carl"⏎action = «"join"» ¦ the node is there already ¦ by turns
nobody is left ¦ at = 400⏎ → at = 400⏎node = "bert"⏎action = "leave"⏎«[[event]]»⏎at = 401⏎node = "carl"⏎action = "leave"⏎[[event]]⏎at = 402⏎ ¦ no helper node is there in slot 401 ¦ let another join before
"#;

#[test]
fn mistakes_are_told_where_they_are() {
    check_all(GOOD, MISTAKES);
}

const ALONE: &str = r#"slots = 10

[nodes]
count = 1
weights = { kind = "sphere" }

[[event]]
at = 3
node = "h0"
action = "leave"

[policies.toof]
kind = "toof"
"#;

const ALONE_MISTAKES: &str = r#"
the only one leaves ¦ [[event]] → «[[event]]» ¦ no helper node is there in slot 3 ¦ at least one has to stay
the only one comes late ¦ "leave" → "join" & [[event]] → «[[event]]» ¦ no helper node is there in slot 1 ¦ at least one has to stay
"#;

#[test]
fn somebody_has_to_be_there() {
    let two = ALONE.replace("count = 1", "count = 2");
    read(Path::new("t.toml"), &two, &[]).expect("another is there");
    let spoilt = |case: &str| {
        let parts: Vec<&str> = case.split(" ¦").collect();
        let edits = parts[1].trim().split(" & ").map(|edit| edit.split_once(" → ").unwrap());
        let text = edits.fold(ALONE.to_owned(), |text, (old, new)| text.replacen(old, new, 1));
        let (text, span) = common::unmark(&text);
        let fault = common::only_fault(parts[0], read(Path::new("t.toml"), &text, &[]));
        let place = Some(("t.toml", span.unwrap()));
        common::check(parts[0], &fault, parts[2].trim(), parts[3].trim(), place);
    };
    ALONE_MISTAKES.lines().filter(|line| !line.is_empty()).for_each(spoilt);
}

fn scenario(overrides: &[&str]) -> Scenario {
    read(Path::new("t.toml"), GOOD, overrides).unwrap_or_else(|e| panic!("{overrides:?}: {e}"))
}

#[test]
fn every_key_can_be_overridden() {
    let model = |overrides: &[&str]| scenario(overrides).feedback();
    assert_eq!(model(&[]).response, Response::Threshold(0.2));
    assert_eq!(model(&["feedback.level=-1"]).response, Response::Threshold(-1.0));
    assert_eq!(model(&["feedback.flip=1"]).flip, 1.0);
    let probit = model(&["feedback={kind=\"probit\",flip=0.25}"]);
    assert_eq!((probit.response, probit.flip), (Response::Probit, 0.25));
    assert_eq!(scenario(&["feedback.delay_slots=0"]).rules().delay_slots, 0);
    assert_eq!(scenario(&["features.noise=0"]).features(), 5);
    // Without a kind it is the logistic curve.
    let text = GOOD.replace("kind = \"threshold\"\nlevel = 0.2\n", "");
    let logit = read(Path::new("t.toml"), &text, &["feedback.flip=0.5"]).unwrap();
    let model = logit.feedback();
    assert_eq!((model.response, model.flip), (Response::Logit, 0.5));
    let schedule = scenario(&["event.0.at=50", "event.1.node=bert"]).rules().schedule;
    let at: Vec<_> = schedule.iter().map(|p| (p.at, p.node)).collect();
    assert_eq!(at, [(1, 2), (50, 2), (200, 1)]);
    assert_eq!(scenario(&["event=[]"]).rules().schedule, []);
}

#[test]
fn the_rules_are_those_of_the_events() {
    let rules = scenario(&[]).rules();
    let presence = |at, node, present| Presence { at, node, present };
    // `carl` joins first, so it is away before.
    let right = [presence(1, 2, false), presence(100, 2, true), presence(200, 0, false)];
    assert_eq!(rules.schedule, right);
    assert_eq!(rules.delay_slots, 7);
}

#[test]
fn a_topology_reads_back_as_resolved() {
    let scenario = scenario(&[]);
    let file = TopologyFile::from_text(Path::new("t.toml"), scenario.resolved_toml());
    let again = Scenario::from_file(&file).expect("it reads back");
    assert_eq!(scenario.topology(), again.topology());
    assert_eq!(scenario.rules(), again.rules());
    assert_eq!(scenario.instance(3).helpers, again.instance(3).helpers);
}

/// Two features only can make a plane.
#[test]
fn a_single_weight_cannot_turn() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.toml");
    let drifting = |features: &str, values: &str| {
        let trace = format!("slot,node,{features}\n1,0,{values}\n2,0,{values}\n");
        std::fs::write(folder.path().join("trace.csv"), trace).unwrap();
        let text = "slots = 2\n[features]\nkind = \"trace\"\npath = \"trace.csv\"\n[nodes]\n\
                    weights = { kind = \"sphere\" }\n\
                    drift = { kind = \"rotate\", period_slots = 4 }\n\
                    [policies.toof]\nkind = \"toof\"\n";
        let helpers = read(&path, text, &[]).unwrap().instance(1).helpers;
        let mut weights = WeightPath::new(&helpers[0]);
        (weights.at(1).to_vec(), weights.at(2).to_vec())
    };
    let (before, after) = drifting("cpu", "0.5");
    assert!((before[0].abs() - 1.0).abs() < 1e-15);
    assert_eq!(before, after);
    let (before, after) = drifting("cpu,cqi", "0.5,0.5");
    assert!(dot(&before, &after).abs() < 1e-15 && (dot(&after, &after) - 1.0).abs() < 1e-15);
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[test]
fn turning_weights_keep_their_norm_and_begin_at_right_angles() {
    for seed in 1..=200 {
        for helper in scenario(&[]).instance(seed).helpers {
            let mut path = WeightPath::new(&helper);
            let mut parts = vec![(1, helper.weights.clone(), helper.motion.turn.clone())];
            let changes = helper.motion.changes.iter();
            parts.extend(changes.map(|c| (c.from, c.weights.clone(), c.turn.clone())));
            for (from, weights, turn) in parts {
                assert_eq!(path.at(from), weights, "it begins with what is drawn");
                let Some(turn) = turn else {
                    assert_eq!(helper.name, "carl", "only carl does not drift");
                    continue;
                };
                let norm = dot(&weights, &weights).sqrt();
                assert!(dot(&weights, &turn.toward).abs() < 1e-15, "seed {seed}: no right angle");
                assert!((dot(&turn.toward, &turn.toward).sqrt() - norm).abs() < 1e-15);
                assert_eq!(turn.toward[5..], [0.0; 3], "nobody cares for noise, ever");
                for slot in from..from + 99 {
                    let now = path.at(slot).to_vec();
                    assert!((dot(&now, &now).sqrt() - norm).abs() < 1e-15);
                    // 90 slots are a full turn, 45 turn all round.
                    let right = dot(&weights, &weights)
                        * (std::f64::consts::TAU * (slot - from) as f64 / 90.0).cos();
                    assert!((dot(&now, &weights) - right).abs() < 1e-14, "seed {seed}");
                }
            }
        }
    }
}

/// A number that stays in its place: another event changes nothing else.
#[test]
fn changed_weights_are_keyed_by_node_and_change() {
    let helpers = |overrides: &[&str], seed| scenario(overrides).instance(seed).helpers;
    let (one, again, other) = (helpers(&[], 1), helpers(&[], 1), helpers(&[], 2));
    assert_eq!(one, again);
    let changes = |helper: &fogbit_scenario::instance::HelperSpec| {
        helper.motion.changes.iter().map(|c| c.weights.clone()).collect::<Vec<_>>()
    };
    // `bert` has two changes, the others the one of all nodes.
    assert_eq!(one.iter().map(|h| changes(h).len()).collect::<Vec<_>>(), [1, 2, 1]);
    let mut drawn: Vec<Vec<f64>> = Vec::new();
    for helper in one.iter().chain(&other) {
        drawn.push(helper.weights.clone());
        drawn.extend(changes(helper));
    }
    // `anna`'s first weights are given under both seeds; nothing else comes twice.
    drawn.sort_by(|a, b| a.partial_cmp(b).unwrap());
    let all = drawn.len();
    drawn.dedup();
    assert_eq!(drawn.len(), all - 1);
    // Without the change of `bert` the others are as they were, and so is its own first drift.
    let without = helpers(&["event.2.weights={kind=\"given\",values=[0,0,0,0,1]}"], 1);
    assert_eq!((&without[0], &without[2]), (&one[0], &one[2]));
    assert_eq!(without[1].motion.turn, one[1].motion.turn);
    assert_eq!(without[1].motion.changes[1], one[1].motion.changes[1]);
    assert_ne!(without[1].motion.changes[0], one[1].motion.changes[0]);
}

#[test]
fn features_that_say_nothing_are_uniform_and_weigh_nothing() {
    let Instance { helpers, features, .. } = scenario(&[]).instance(1);
    assert_eq!(features, 8);
    let unit = 1.0 / 8f64.sqrt();
    let mut keys = Vec::new();
    for helper in &helpers {
        assert_eq!(helper.weights[5..], [0.0; 3]);
        let StateSpec::Model { noise, .. } = &helper.state else { panic!("a model") };
        assert_eq!(noise.len(), 3);
        for feature in noise {
            assert!(feature.low == 0.0 && (feature.span - unit).abs() < 1e-15);
            keys.push(serde_json::to_string(&feature.key).unwrap());
            let mut stream = Stream::new(&feature.key);
            let mut values: Vec<f64> = (1..=4000).map(|slot| stream.uniform(slot)).collect();
            values.sort_by(f64::total_cmp);
            let distance = (0u32..).zip(&values).map(|(i, v)| (v - f64::from(i) / 4000.0).abs());
            // Kolmogorov's distance is above 1.95 / sqrt(n) once in a thousand times.
            assert!(distance.fold(0.0, f64::max) < 1.95 / 4000f64.sqrt());
        }
    }
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), 9, "each has draws of its own");
    assert_eq!(Key::derive(1, Purpose::Noise(2), 1), {
        let StateSpec::Model { noise, .. } = &helpers[1].state else { panic!("a model") };
        noise[2].key
    });
}

/// The truth of any slot is that of the nodes, whichever slots were asked for before.
#[test]
fn the_truth_can_be_stepped_over_slots() {
    let instance = scenario(&[]).instance(5);
    let mut contexts = Contexts::new(3, 8);
    contexts.set_task(&[0.3, 0.3]);
    for stride in [1, 7, 150, 399] {
        let mut some = Truth::new(&instance);
        let mut slot = 1;
        let mut every = Truth::new(&instance);
        for next in 1..=800 {
            every.step_to(next);
            if next == slot {
                some.step_to(slot);
                slot += stride;
                let mut paths = instance.helpers.iter().map(WeightPath::new);
                assert!(paths.all(|mut path| {
                    let now = path.at(next).to_vec();
                    every.weights().unwrap().contains(&now)
                        && some.weights().unwrap().contains(&now)
                }));
                for node in 0..3 {
                    let bit = every.potential_bit(node, &contexts);
                    assert_eq!(some.potential_bit(node, &contexts), bit, "slot {next}");
                }
            }
        }
    }
}
