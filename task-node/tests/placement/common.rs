//! Trials of a topology given as text, and what they come to.

use std::path::Path;
use std::pin::pin;
use std::sync::atomic::AtomicBool;
use std::task::{Context, Poll, Waker};

use fogbit_policy::placement::build;
use fogbit_scenario::TopologyFile;
use fogbit_scenario::placement::{PlacementInstance, PlacementScenario, Step};
use fogbit_scenario::topology::PlacementPolicySpec;
use fogbit_task_node::placement::{
    InstanceOracle, PlacementDecider, PlacementRecorder, PlacementTrial, SimFog,
};
use fogbit_task_node::{TrialEnd, TrialError};

/// Reads a topology given as text.
pub(crate) fn scenario(text: &str) -> PlacementScenario {
    let file = TopologyFile::from_text(Path::new("test.toml"), text.to_owned());
    PlacementScenario::from_file(&file).unwrap_or_else(|faults| panic!("{faults}"))
}

/// Reads one of the topologies that ship, with overrides.
pub(crate) fn shipped(name: &str, overrides: &[&str]) -> PlacementScenario {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../topologies").join(name);
    let mut file = TopologyFile::read(&path).unwrap_or_else(|faults| panic!("{faults}"));
    for assignment in overrides {
        file.set(assignment).unwrap_or_else(|faults| panic!("{faults}"));
    }
    PlacementScenario::from_file(&file).unwrap_or_else(|faults| panic!("{faults}"))
}

struct Keep(Vec<Step>);

impl PlacementRecorder for Keep {
    async fn record(&mut self, step: &Step) -> Result<(), TrialError> {
        self.0.push(step.clone());
        Ok(())
    }
}

/// Plays the policy called `name` under `seed` in virtual time.
pub(crate) fn play(scenario: &PlacementScenario, name: &str, seed: u64) -> Vec<Step> {
    let instance = scenario.instance(seed);
    let (_, spec) = scenario.policies().find(|(known, _)| *known == name).expect("a policy");
    let mut decider = decider(spec, &instance);
    let mut trial = PlacementTrial {
        tasks: instance.task_node.tasks.clone(),
        shadow: instance.shadows(spec),
        sites: instance.sites(),
        slots: scenario.slots(),
    };
    let (mut fog, mut keep) = (SimFog::new(&instance), Keep(Vec::new()));
    let stop = AtomicBool::new(false);
    let played = now(trial.play(&mut fog, &mut decider, &mut keep, &stop));
    assert_eq!(played.expect("a trial"), TrialEnd::Complete);
    keep.0
}

fn decider(
    spec: &PlacementPolicySpec,
    instance: &PlacementInstance,
) -> PlacementDecider<InstanceOracle> {
    match build(spec, instance.sites(), instance.cost()) {
        Some(policy) => PlacementDecider::Policy(policy),
        None => PlacementDecider::Oracle(InstanceOracle(instance.clone())),
    }
}

fn now<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("virtual time waits for nobody"),
    }
}

/// How decisions compare with the model and its true state.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Score {
    /// Decisions whose sites differ by more than 10 %.
    pub(crate) clear: u32,
    /// Those that are right.
    pub(crate) right: u32,
    /// Mean regret of all decisions in milliseconds.
    pub(crate) regret_ms: f64,
    /// Mean latency in milliseconds.
    pub(crate) latency_ms: f64,
    /// Share of tasks that were offloaded.
    pub(crate) offloaded: f64,
}

impl Score {
    pub(crate) fn accuracy(&self) -> f64 {
        f64::from(self.right) / f64::from(self.clear)
    }
}

/// Scores `steps`.
pub(crate) fn score(instance: &mut PlacementInstance, steps: &[Step]) -> Score {
    let mut score = Score::default();
    for step in steps {
        let expected = instance.expected_s(step.slot, &step.task);
        let chosen = expected[step.execution.site.index()];
        let remote = expected[1..].iter().copied().fold(f64::INFINITY, f64::min);
        let best = remote.min(expected[0]);
        if (remote - expected[0]).abs() > 0.1 * best {
            score.clear += 1;
            score.right += u32::from(chosen == best);
        }
        let count = steps.len() as f64;
        score.regret_ms += (chosen - best) * 1e3 / count;
        score.latency_ms += step.execution.latency_ns as f64 / 1e6 / count;
        score.offloaded += f64::from(u8::from(step.execution.site.index() > 0)) / count;
    }
    score
}
