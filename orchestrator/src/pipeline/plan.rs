//! What a run will do: its trials.

use std::sync::Arc;

use fogbit_scenario::pipeline::PipelineScenario;
use fogbit_scenario::topology::PipelinePolicySpec;

use crate::harness::{self, PolicyKind, ProblemPlan};

/// One policy of a run.
pub type PlannedPolicy = harness::PlannedPolicy<PipelinePolicySpec>;

/// All trials of one run: each policy with each seed.
#[derive(Debug, Clone)]
pub struct PipelinePlan {
    /// The topology.
    pub scenario: Arc<PipelineScenario>,
    /// The policies, in the order of the file.
    pub policies: Vec<PlannedPolicy>,
    /// Which of the policies the others are compared with.
    pub versus: usize,
    /// The seeds, in the order of the run.
    pub seeds: Vec<u64>,
}

impl PipelinePlan {
    /// The plan of a whole topology.
    pub fn new(scenario: PipelineScenario) -> PipelinePlan {
        let policies = PlannedPolicy::all(scenario.policies());
        PipelinePlan {
            versus: greedy(&policies).unwrap_or(0),
            policies,
            seeds: scenario.seeds(),
            scenario: Arc::new(scenario),
        }
    }
}

/// The heuristic that needs neither search nor training: the first policy of kind `greedy`.
pub fn greedy(policies: &[PlannedPolicy]) -> Option<usize> {
    policies.iter().position(|policy| matches!(policy.spec, PipelinePolicySpec::Greedy(_)))
}

/// Everybody sees the same; `search` alone takes the time to try.
impl PolicyKind for PipelinePolicySpec {
    const TOLD_MORE: &'static [&'static str] = &[];

    fn kind(&self) -> &str {
        PipelinePolicySpec::kind(self)
    }
}

impl ProblemPlan for PipelinePlan {
    type Spec = PipelinePolicySpec;

    fn policies(&self) -> &[PlannedPolicy] {
        &self.policies
    }

    fn seeds(&self) -> &[u64] {
        &self.seeds
    }

    fn versus(&self) -> usize {
        self.versus
    }

    fn compare_with(&mut self, policy: usize) {
        self.versus = policy;
    }
}
