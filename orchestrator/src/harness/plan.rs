//! A plan: each policy with each seed.

use fogbit_scenario::topology::{PlacementPolicySpec, PolicySpec};
use fogbit_scenario::{Checked, ProblemTopology};
use serde::Serialize;

use crate::exit::Failure;

/// What a policy of some problem is, as the topology file says it.
pub trait PolicyKind: Serialize {
    /// The kinds that are told more than a task node can see. They would always be first, and so
    /// are ranked with nobody.
    const TOLD_MORE: &'static [&'static str];

    /// Which policy it is.
    fn kind(&self) -> &str;

    /// Whether policies of a kind are ranked.
    fn is_ranked(kind: &str) -> bool {
        !Self::TOLD_MORE.contains(&kind)
    }
}

impl PolicyKind for PolicySpec {
    const TOLD_MORE: &'static [&'static str] = &PolicySpec::TOLD_MORE;

    fn kind(&self) -> &str {
        PolicySpec::kind(self)
    }
}

impl PolicyKind for PlacementPolicySpec {
    const TOLD_MORE: &'static [&'static str] = &["oracle"];

    fn kind(&self) -> &str {
        PlacementPolicySpec::kind(self)
    }
}

/// Which policies the user wants, where some are named; `names` are those of the topology.
///
/// # Errors
/// The first that the topology does not have.
pub fn wanted_policies<'w>(
    wanted: &'w [String],
    names: Vec<&str>,
) -> Result<Option<impl Fn(&str) -> bool + use<'w>>, Failure> {
    if let Some(name) = wanted.iter().find(|name| !names.contains(&name.as_str())) {
        let message = format!("--policy {name}: no policy of this topology is called so");
        return Err(Failure::usage(message).help(format!("policies here: {}", names.join(", "))));
    }
    let is_wanted = |name: &str| wanted.iter().any(|wanted| wanted == name);
    Ok((!wanted.is_empty()).then_some(is_wanted))
}

/// Keeps the policies that the user wants.
///
/// # Errors
/// The first that the topology does not have.
pub fn narrow<T: ProblemTopology>(
    scenario: &mut Checked<T>,
    wanted: &[String],
) -> Result<(), Failure> {
    let names = scenario.policies().map(|(name, _)| name).collect();
    if let Some(wanted) = wanted_policies(wanted, names)? {
        scenario.keep_policies(wanted);
    }
    Ok(())
}

/// One policy of a run.
#[derive(Debug, Clone)]
pub struct PlannedPolicy<S> {
    /// Its name in the topology file.
    pub name: String,
    /// What it is.
    pub spec: S,
}

impl<S: Clone> PlannedPolicy<S> {
    /// All policies of a topology, in its order.
    pub fn all<'s>(policies: impl Iterator<Item = (&'s str, &'s S)>) -> Vec<PlannedPolicy<S>>
    where
        S: 's,
    {
        policies
            .map(|(name, spec)| PlannedPolicy { name: name.into(), spec: spec.clone() })
            .collect()
    }
}

/// All trials of one run of some problem: each policy with each seed.
pub trait ProblemPlan {
    /// What its policies are.
    type Spec: PolicyKind;

    /// The policies, in the order of the file.
    fn policies(&self) -> &[PlannedPolicy<Self::Spec>];

    /// The seeds, in the order of the run.
    fn seeds(&self) -> &[u64];

    /// Which of the policies the others are compared with.
    fn versus(&self) -> usize;

    /// Has the others compared with another of the policies.
    fn compare_with(&mut self, policy: usize);
}
