use std::sync::atomic::AtomicBool;

use fogbit_policy::Policy;
use fogbit_scenario::feedback::Outcome;
use fogbit_scenario::{Bit, Contexts, Scenario, TaskSource, TopologyFile};
use fogbit_task_node::{Recorder, SimFog, Step, Thought, Trial, TrialError};

use super::choice::{Rows, decider};
use super::*;
use crate::backend::sim::now;
use crate::ledger::Replica;
use crate::results::read::Decision;

fn node(name: &str, product: f64, score: Option<f64>) -> NodeView {
    NodeView {
        name: name.into(),
        present: true,
        features: vec![0.5],
        score,
        propensity: None,
        estimate: None,
        estimated_product: None,
        bonus: None,
        weights: vec![product / 0.5],
        product,
        happiness: 0.5,
        potential_bit: 1,
    }
}

fn explanation(kind: &str, chosen: usize, best: usize, nodes: Vec<NodeView>) -> Explanation {
    Explanation {
        policy: "mine".into(),
        kind: kind.into(),
        seed: 1,
        slot: 7,
        checked: true,
        chosen,
        best,
        bit: Some(1),
        regret_linear: nodes[best].product - nodes[chosen].product,
        regret_happiness: 0.0,
        average_regret: 0.1,
        delay_slots: 0,
        features: vec!["queue".into()],
        nodes,
        learnt: None,
    }
}

#[test]
fn words_say_why() {
    let mut toof = vec![node("a", 0.25, Some(0.4)), node("b", 0.13, Some(0.53))];
    (toof[1].estimated_product, toof[1].bonus) = (Some(0.12), Some(0.41));
    assert_eq!(
        words(&explanation("toof", 1, 0, toof.clone())),
        "mine chose b: its score of 0.530 is the largest, 0.120 by its estimate and 0.410 as a bonus \
         for uncertainty. The best was a, by 0.120."
    );
    toof[1].propensity = Some(0.05);
    toof[1].score = Some(0.3);
    assert_eq!(
        words(&explanation("epsilon-greedy", 1, 0, toof)),
        "mine drew b, which had a probability of 0.050. The best was a, by 0.120."
    );
    let ties = vec![node("a", 0.2, Some(0.0)), node("b", 0.1, Some(0.0)), node("c", 0.0, None)];
    assert_eq!(
        words(&explanation("toof", 0, 0, ties.clone())),
        "mine chose a: its score of 0.000 is the largest and the first of 2 that are equal. It was \
         the best choice."
    );
    assert_eq!(
        words(&explanation("optimal", 0, 0, ties.clone())),
        "mine is told the hidden weights and chose a: its x.w of 0.200 is the largest. It was the \
         best choice."
    );
    assert_eq!(
        words(&explanation("round-robin", 1, 0, ties.clone())),
        "mine chose b: it was its turn. The best was a, by 0.100."
    );
    assert_eq!(
        words(&explanation("external", 2, 0, ties)),
        "mine chose c; `run --backend sim --log decisions` keeps the scores it tells. The best was \
         a, by 0.200."
    );
}

#[test]
fn many_seeds_are_listed_in_short() {
    assert_eq!(listed(&[1, 2, 3, 7, 9, 10]), "1 to 3, 7, 9, 10");
    let odd: Vec<u64> = (0..20).map(|n| 2 * n + 1).collect();
    assert_eq!(listed(&odd), "1, 3, 5, 7, 9, 11, 13, 15, ...");
    assert_eq!(listed(&[u64::MAX]), u64::MAX.to_string());
}

/// Notes what is decided.
#[derive(Default)]
struct Notes(Vec<usize>);

impl Recorder for Notes {
    fn decided(&mut self, _: u64, _: &Contexts, node: usize, thought: Thought<'_>) {
        assert!(thought.policy().is_none());
        self.0.push(node);
    }

    async fn record(&mut self, _: Step<'_>, _: Option<&dyn Policy>) -> Result<(), TrialError> {
        Ok(())
    }
}

/// What decided in the run is not here: its choices are those that were kept.
#[test]
fn choices_of_somebody_else_are_those_that_were_kept() {
    let text = "slots = 9\n[nodes]\ncount = 3\nweights = { kind = \"sphere\" }\n\
                [policies.random]\nkind = \"random\"\n";
    let file = TopologyFile::from_text(Path::new("three.toml"), text.into());
    let instance = Scenario::from_file(&file).unwrap().instance(1);
    let kept = |slot, node| {
        let outcome = Outcome::Answered(Bit::Happy);
        Ok(Decision { slot, node, outcome, regret_linear: 0.0, regret_happiness: 0.0 })
    };
    let play = |slots, rows: Rows| {
        let mut trial = Trial {
            tasks: TaskSource::new(&instance.tasks),
            rules: &instance.rules,
            shape: (3, 5),
            slots,
        };
        let mut decider = decider(Replica::Nobody, Some(rows)).unwrap();
        let (mut fog, mut notes) = (SimFog::new(&instance), Notes::default());
        let stop = AtomicBool::new(false);
        now(trial.play(&mut fog, &mut decider, &mut notes, &stop)).map(|_| notes.0)
    };
    let rows = || Box::new([kept(1, 2), kept(2, 0), kept(3, 1)].into_iter());
    assert_eq!(play(3, rows()).unwrap(), [2, 0, 1]);
    let error = play(4, rows()).unwrap_err();
    assert!(error.to_string().contains("the decision file ends before"), "{error}");
    assert!(decider(Replica::Nobody, None).is_none(), "nobody knows what was decided");
}
