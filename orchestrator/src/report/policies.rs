//! The policies of a page: what they are called, how they look in every figure, and the sections that
//! compare them.

use super::pairs::{self, Named};
use super::{policy_name, ranking};
use crate::results::pairs::{Pair, PolicyRank};

/// The policies of a run, in the order of its summary.
pub(crate) struct Policies {
    names: Vec<String>,
    looks: Vec<String>,
}

impl Policies {
    /// Policies of these names, with the classes of each: its colour and dashes in every figure.
    pub(crate) fn new<'n>(names: impl Iterator<Item = &'n String>, looks: Vec<String>) -> Policies {
        Policies { names: names.cloned().collect(), looks }
    }

    /// The number of the policy called so.
    pub(crate) fn index_of(&self, policy: &str) -> Option<usize> {
        self.names.iter().position(|name| name == policy)
    }

    /// The classes of a policy.
    pub(crate) fn look(&self, index: usize) -> &str {
        &self.looks[index]
    }

    /// The classes of all policies.
    pub(crate) fn looks(&self) -> &[String] {
        &self.looks
    }

    /// The name of a policy behind a patch of its colour, as HTML.
    pub(crate) fn name(&self, index: usize) -> String {
        policy_name(&self.looks[index], &self.names[index])
    }

    /// The policy called so, for a drawing.
    pub(crate) fn named(&self, policy: &str) -> Named {
        Named::of(self.index_of(policy).map(|index| self.look(index)), policy)
    }

    /// Who usually comes first, by titles and metrics; the rows are ordered by the first.
    pub(crate) fn ranks(&self, ranks: &[PolicyRank], columns: &[(&str, &str)]) -> String {
        ranking::section(ranks, columns, self.names.len(), |policy| self.named(policy).name)
    }

    /// Paired differences to the policy of reference over whole trials.
    pub(crate) fn differences(&self, pairs: &[Pair], metrics: &[&str], note: &str) -> String {
        pairs::section(&pairs::Section {
            pairs,
            metrics,
            versus: pairs.first().map_or("", |pair| pair.versus.as_str()),
            endless: false,
            named: |policy: &str| self.named(policy),
            note,
        })
    }
}
