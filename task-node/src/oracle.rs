//! The oracle where the truth is known: in the orchestrator.

use fogbit_policy::Policy;
use fogbit_policy::one_bit::{FullInformationPolicy, argmax};
use fogbit_scenario::topology::PolicySpec;
use fogbit_scenario::{Contexts, Instance, Truth};

use crate::trial::{Oracle, TrialError};

/// Decides for the policies that are told more than a task node can see.
pub struct TruthOracle {
    truth: Truth,
    knows: Knows,
}

/// What the policy is told.
enum Knows {
    /// `optimal`: what the task is worth to each node.
    Worths,
    /// `full-information`: the bits that all nodes would have told so far.
    Bits(Box<FullInformationPolicy>),
}

impl std::fmt::Debug for TruthOracle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TruthOracle")
    }
}

impl TruthOracle {
    /// The oracle of `spec` under one seed; none where the policy decides by itself.
    pub fn new(spec: &PolicySpec, instance: &Instance) -> Option<TruthOracle> {
        let knows = match spec {
            PolicySpec::Optimal(_) => Knows::Worths,
            PolicySpec::FullInformation(parameters) => {
                let (nodes, features) = (instance.helpers.len(), instance.features);
                Knows::Bits(Box::new(FullInformationPolicy::new(parameters, nodes, features)))
            }
            _ => return None,
        };
        Some(TruthOracle { truth: Truth::new(instance), knows })
    }

    /// The node for the task of `slot`; once a slot, in order.
    pub fn choose_now(&mut self, slot: u64, contexts: &Contexts) -> usize {
        self.truth.step_to(slot);
        match &mut self.knows {
            Knows::Worths => {
                let worths = self.truth.worths(contexts);
                contexts.mask(worths);
                argmax(worths)
            }
            Knows::Bits(policy) => {
                let chosen = policy.decide(slot, contexts);
                for node in (0..contexts.nodes()).filter(|node| contexts.is_present(*node)) {
                    let bit = self.truth.potential_bit(node, contexts);
                    policy.learn(slot, contexts, node, bit);
                }
                chosen
            }
        }
    }

    /// The policy behind the choices, if it estimates something; it has learnt from the last slot.
    pub fn policy(&self) -> Option<&dyn Policy> {
        match &self.knows {
            Knows::Worths => None,
            Knows::Bits(policy) => Some(&**policy),
        }
    }
}

impl Oracle for TruthOracle {
    async fn choose(&mut self, slot: u64, contexts: &Contexts) -> Result<usize, TrialError> {
        Ok(self.choose_now(slot, contexts))
    }

    fn policy(&self) -> Option<&dyn Policy> {
        TruthOracle::policy(self)
    }
}
