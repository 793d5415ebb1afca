//! What a run will do: its trials.

use std::sync::Arc;

use fogbit_scenario::cascade::CascadeScenario;
use fogbit_scenario::topology::CascadePolicySpec;

use crate::harness::{self, PolicyKind, ProblemPlan};

/// One policy of a run.
pub type PlannedPolicy = harness::PlannedPolicy<CascadePolicySpec>;

/// All trials of one run: each policy with each seed.
#[derive(Debug, Clone)]
pub struct CascadePlan {
    /// The topology.
    pub scenario: Arc<CascadeScenario>,
    /// The policies, in the order of the file.
    pub policies: Vec<PlannedPolicy>,
    /// Which of the policies the others are compared with.
    pub versus: usize,
    /// The seeds, in the order of the run.
    pub seeds: Vec<u64>,
}

impl CascadePlan {
    /// The plan of a whole topology.
    pub fn new(scenario: CascadeScenario) -> CascadePlan {
        let policies = PlannedPolicy::all(scenario.policies());
        CascadePlan {
            versus: baseline(&policies).unwrap_or(0),
            policies,
            seeds: scenario.seeds(),
            scenario: Arc::new(scenario),
        }
    }

    /// The name of a policy.
    pub fn name(&self, policy: usize) -> &str {
        &self.policies[policy].name
    }
}

/// The baseline of the paper: the first policy of kind `threshold`.
pub fn baseline(policies: &[PlannedPolicy]) -> Option<usize> {
    policies.iter().position(|policy| matches!(policy.spec, CascadePolicySpec::Threshold(_)))
}

/// Whether a policy pays for what it sends; one that does not is a bound, and says nothing of tokens.
pub fn keeps_to_bucket(kind: &str) -> bool {
    kind != "lower-bound"
}

impl PolicyKind for CascadePolicySpec {
    const TOLD_MORE: &'static [&'static str] = &CascadePolicySpec::TOLD_MORE;

    fn kind(&self) -> &str {
        CascadePolicySpec::kind(self)
    }
}

impl ProblemPlan for CascadePlan {
    type Spec = CascadePolicySpec;

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
