//! Optimal for somebody who is told the hidden state of the stream: how much knowing it is worth.
//!
//! Where the walk is, is known as one of `places` places of the ring.

use fogbit_scenario::cascade::{Hidden, Setting, Sight};
use fogbit_scenario::topology::BeliefCascade;

use super::CascadePolicy;
use super::ring::Ring;
use super::values::{Prices, state_changes};

/// Sends an image if its metric reaches the price of sending in the state it is told.
#[derive(Debug, Clone, PartialEq)]
pub struct HiddenStatePolicy {
    ring: Ring,
    prices: Prices,
    /// States of the arrivals that differ.
    states: usize,
    /// Images in the table of the trial, in whose ranks places are told.
    trial_images: u32,
}

impl HiddenStatePolicy {
    /// Solves `setting`.
    pub fn new(spec: &BeliefCascade, setting: &Setting) -> HiddenStatePolicy {
        let ring = Ring::new(setting, spec.places);
        let prices = Prices::new(spec.discount, setting, &ring);
        let states = state_changes(setting).len();
        HiddenStatePolicy { ring, prices, states, trial_images: setting.trial_images }
    }
}

impl CascadePolicy for HiddenStatePolicy {
    #[inline]
    fn decide(&mut self, sight: &Sight, hidden: &Hidden) -> bool {
        let place = self.ring.place_of(hidden.place, self.trial_images);
        let state = usize::from(hidden.state).min(self.states - 1);
        sight.metric >= self.prices.row(state, sight.level)[place]
    }
}
