//! Hidden weights over the slots: the same for ever, turning slowly, or changed at a blow.

use serde::{Deserialize, Serialize};

use crate::instance::HelperSpec;

/// How the weights of a helper node change after slot 1. The default is not at all.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct WeightMotion {
    /// How the first weights turn, if they do.
    pub turn: Option<Turn>,
    /// What comes after them, in the order of the slots.
    pub changes: Vec<WeightChange>,
}

/// Other weights from some slot on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WeightChange {
    /// The first slot in which they hold.
    pub from: u64,
    /// The weights in that slot, one for each feature.
    pub weights: Vec<f64>,
    /// How they turn from there, if they do.
    pub turn: Option<Turn>,
}

/// A turn in a plane: `w(t) = cos(2 pi s / period) w + sin(2 pi s / period) toward`, where s counts
/// slots from the first in which w holds. The norm stays the same.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Turn {
    /// At right angles to the weights, and as long.
    pub toward: Vec<f64>,
    /// Slots of a full turn.
    pub period: f64,
}

/// The weights of one helper node at the slot last asked for.
#[derive(Debug, Clone)]
pub struct WeightPath {
    first: Vec<f64>,
    motion: WeightMotion,
    now: Vec<f64>,
    /// `now` holds for the slots from `since` up to, but not including, `until`.
    since: u64,
    until: u64,
}

impl WeightPath {
    /// The weights that `spec` describes, at slot 1.
    pub fn new(spec: &HelperSpec) -> WeightPath {
        let mut path = WeightPath {
            first: spec.weights.clone(),
            motion: spec.motion.clone(),
            now: spec.weights.clone(),
            since: 0,
            until: 0,
        };
        path.turn_to(1);
        path
    }

    /// Number of weights.
    #[inline]
    pub fn len(&self) -> usize {
        self.now.len()
    }

    /// Whether there are no weights at all.
    pub fn is_empty(&self) -> bool {
        self.now.is_empty()
    }

    /// The weights in `slot`.
    #[inline]
    pub fn at(&mut self, slot: u64) -> &[f64] {
        if !(self.since..self.until).contains(&slot) {
            self.turn_to(slot);
        }
        &self.now
    }

    /// The first slot after the one last asked for in which the weights may be others.
    #[inline]
    pub fn until(&self) -> u64 {
        self.until
    }

    #[inline(never)]
    fn turn_to(&mut self, slot: u64) {
        let next = self.motion.changes.partition_point(|change| change.from <= slot);
        let end = self.motion.changes.get(next).map_or(u64::MAX, |change| change.from);
        let (from, weights, turn) = match next.checked_sub(1) {
            None => (1, &self.first, &self.motion.turn),
            Some(last) => {
                let change = &self.motion.changes[last];
                (change.from, &change.weights, &change.turn)
            }
        };
        let Some(Turn { toward, period }) = turn else {
            self.now.copy_from_slice(weights);
            (self.since, self.until) = (from.min(slot), end);
            return;
        };
        let angle = std::f64::consts::TAU * (slot.saturating_sub(from) as f64 / period);
        let (cos, sin) = (libm::cos(angle), libm::sin(angle));
        for ((now, w), v) in self.now.iter_mut().zip(weights).zip(toward) {
            *now = cos * w + sin * v;
        }
        (self.since, self.until) = (slot, slot.saturating_add(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feedback::FeedbackModel;
    use crate::instance::{FeedbackDraws, StateSpec};

    fn path(motion: WeightMotion) -> WeightPath {
        WeightPath::new(&HelperSpec {
            node: 0,
            name: "h0".into(),
            weights: vec![0.6, 0.0],
            motion,
            state: StateSpec::Trace { width: 0, values: [].into() },
            feedback: FeedbackDraws::Trace([].into()),
            model: FeedbackModel::default(),
            link: None,
        })
    }

    fn assert_close(found: &[f64], right: [f64; 2]) {
        let close = found.iter().zip(right).all(|(a, b)| (a - b).abs() < 1e-15);
        assert!(close, "{found:?} where {right:?} is right");
    }

    #[test]
    fn without_motion_they_stay() {
        let mut path = path(WeightMotion::default());
        assert_eq!(path.until(), u64::MAX);
        for slot in [1, 2, 1_000_000] {
            assert_eq!(path.at(slot), [0.6, 0.0]);
        }
    }

    #[test]
    fn a_turn_keeps_the_norm_and_a_change_begins_where_it_says() {
        let turn = Some(Turn { toward: vec![0.0, 0.6], period: 8.0 });
        let change = WeightChange { from: 5, weights: vec![0.0, -1.0], turn: None };
        let mut path = path(WeightMotion { turn, changes: vec![change] });
        let half = 0.6 * std::f64::consts::FRAC_1_SQRT_2;
        // An eighth of a turn a slot; asked for in any order.
        for (slot, right) in [
            (3, [0.0, 0.6]),
            (1, [0.6, 0.0]),
            (2, [half, half]),
            (5, [0.0, -1.0]),
            (4, [-half, half]),
            (900, [0.0, -1.0]),
        ] {
            assert_close(path.at(slot), right);
        }
    }
}
