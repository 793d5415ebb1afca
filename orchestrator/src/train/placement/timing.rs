//! How long a decision takes.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use fogbit_policy::placement::{DecisionModel, LearnedPolicy, PlacementPolicy};
use fogbit_scenario::placement::PlacementScenario;

/// Decisions in a pass.
const DECISIONS: u64 = 1000;
/// Passes, of which the middle one counts: others were interrupted.
const PASSES: usize = 21;

/// How long `learned` takes for one decision between the task node and one helper node, in seconds:
/// measured on this host, with features and all, over tasks of `scenario` drawn with `seed`.
pub fn decision_seconds(model: &DecisionModel, scenario: &PlacementScenario, seed: u64) -> f64 {
    let mut examples = scenario.examples(seed);
    let examples: Vec<_> = (1..=DECISIONS).map(|number| examples.example(number)).collect();
    let mut policy = LearnedPolicy::new(Arc::new(model.clone()), 2);
    let mut passes: Vec<f64> = (0..PASSES)
        .map(|_| {
            let started = Instant::now();
            for example in &examples {
                let sights = [example.local, example.remote];
                black_box(policy.decide(1, &example.task, black_box(&sights)));
            }
            started.elapsed().as_secs_f64() / DECISIONS as f64
        })
        .collect();
    passes.sort_by(f64::total_cmp);
    passes[PASSES / 2]
}
