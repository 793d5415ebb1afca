//! Policies and their parameters.

use super::{Check, below};
use crate::topology::places::{Step, way};
use crate::topology::{ExplorationWidth, PolicySpec, Prior, RunLength, Topology};

impl Check<'_, '_> {
    /// Fails without a policy, and where a name cannot name files; `example` is a kind to begin with.
    pub(super) fn policy_names<'n>(
        &mut self,
        names: impl ExactSizeIterator<Item = &'n String>,
        example: &str,
    ) {
        if names.len() == 0 {
            self.fail(
                way!["policies"],
                "no policy",
                format!(
                    "add at least one, for example [policies.{example}] with kind = \"{example}\""
                ),
            );
        }
        for name in names.filter(|name| !is_file_name(name)) {
            self.fail(
                way!["policies", name],
                format!("`{name}` cannot be the name of a policy"),
                "1 to 63 lower-case letters, digits, hyphens, dots and underscores: it names files",
            );
        }
    }

    /// Names and parameters, as far as they hang on nothing else.
    pub(super) fn policies(&mut self, topology: &Topology) {
        self.policy_names(topology.policies.keys(), "toof");
        for (name, spec) in &topology.policies {
            self.parameters(&way!["policies", name], spec);
            if matches!(spec, PolicySpec::MleUcb(_)) && topology.slots == RunLength::Endless {
                self.fail(
                    way!["policies", name],
                    "`mle-ucb` keeps every bit: without an end it needs ever more memory and time",
                    "`toof` or `ofu-ecolog`, which keep sums, or a number of slots",
                );
            }
        }
    }

    fn parameters(&mut self, place: &[Step], spec: &PolicySpec) {
        match spec {
            PolicySpec::Toof(p) | PolicySpec::Greedy(p) => {
                self.lambda(place, p.lambda);
                self.width(place, &p.gamma);
            }
            PolicySpec::MleUcb(p) => {
                self.lambda(place, p.lambda);
                self.width(place, &p.gamma);
            }
            PolicySpec::OfuEcolog(p) => {
                self.lambda(place, p.lambda);
                self.tuned_width(place, &p.gamma);
            }
            PolicySpec::DiscountedToof(p) => {
                self.lambda(place, p.lambda);
                self.tuned_width(place, &p.gamma);
                self.within(below(place, "discount"), "discount", p.discount, 1e-3, 1.0);
            }
            PolicySpec::Thompson(p) => {
                self.lambda(place, p.lambda);
                self.within(below(place, "scale"), "scale", p.scale, 0.0, 1e9);
            }
            PolicySpec::LinUcb(p) => {
                self.lambda(place, p.lambda);
                self.within(below(place, "alpha"), "alpha", p.alpha, 0.0, 1e9);
            }
            PolicySpec::EpsilonGreedy(p) => {
                self.lambda(place, p.lambda);
                self.within(below(place, "epsilon"), "epsilon", p.epsilon, 0.0, 1e9);
                self.within(below(place, "decay"), "decay", p.decay, 0.0, 100.0);
            }
            PolicySpec::FullInformation(p) => self.lambda(place, p.lambda),
            PolicySpec::RoundRobin(_)
            | PolicySpec::Random(_)
            | PolicySpec::Optimal(_)
            | PolicySpec::External(_) => {}
        }
    }

    fn lambda(&mut self, place: &[Step], lambda: f64) {
        self.within(below(place, "lambda"), "lambda", lambda, 1e-9, 1e9);
    }

    fn width(&mut self, place: &[Step], width: &ExplorationWidth) {
        let gamma = below(place, "gamma");
        match width {
            ExplorationWidth::Tuned(tuned) => {
                self.within(below(&gamma, "c"), "c", tuned.c, 0.0, 1e9);
            }
            ExplorationWidth::PaperEq15(paper) => {
                self.within(below(&gamma, "delta"), "delta", paper.delta, 1e-300, 1.0 - 1e-15);
            }
        }
    }

    /// Equation (15) bounds the error of the update (8) with the Z of (9), and of no other.
    fn tuned_width(&mut self, place: &[Step], width: &ExplorationWidth) {
        if let ExplorationWidth::PaperEq15(_) = width {
            self.fail(
                below(&below(place, "gamma"), "kind"),
                "equation (15) holds for the update of `toof`, not for this policy",
                "gamma = { kind = \"tuned\", c = 0.03 }",
            );
        } else {
            self.width(place, width);
        }
    }

    /// Priors: what they need of the number of features is known late.
    pub(super) fn priors(&mut self, topology: &Topology, features: usize) {
        for (name, spec) in &topology.policies {
            if let Some(prior) = spec.prior() {
                self.prior(&way!["policies", name, "prior"], prior, features);
            }
        }
    }

    pub(super) fn prior(&mut self, place: &[Step], prior: &Prior, features: usize) {
        if let Some(strength) = prior.strength {
            self.within(below(place, "strength"), "strength", strength, 1e-9, 1e9);
        }
        let mean = below(place, "mean");
        if prior.mean.len() != features {
            self.fail(
                mean,
                format!("{} numbers for {features} features", prior.mean.len()),
                format!("{features} numbers: one for each feature, the task's first"),
            );
            return;
        }
        let norm = prior.mean.iter().fold(0.0, |sum, value| sum + value * value).sqrt();
        if !norm.is_finite() {
            self.fail(mean, "the mean is not finite", "write finite numbers");
        } else if norm > 1.0 + 1e-9 {
            self.fail(
                mean,
                format!("the mean has length {norm:.4}, but weights have length 1 at most"),
                "a shorter mean",
            );
        }
    }

    /// What needs the truth of a slot before the slot is decided cannot be played in real time.
    pub(super) fn policies_in_real_time(&mut self, topology: &Topology) {
        for (name, spec) in &topology.policies {
            let message = match spec {
                PolicySpec::Optimal(_) => {
                    "`optimal` cannot be played in real time: nobody knows the truth in time"
                }
                PolicySpec::FullInformation(_) => {
                    "`full-information` cannot be played in real time: only one node is asked"
                }
                _ => continue,
            };
            self.fail(
                way!["policies", name],
                message,
                "delete it: the regret of the others is their distance from the truth anyway",
            );
        }
    }
}

/// The name of a policy stands in names of files.
pub(super) fn is_file_name(name: &str) -> bool {
    (1..=63).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-._".contains(&b))
        && !name.starts_with('.')
        && !name.starts_with('-')
}
