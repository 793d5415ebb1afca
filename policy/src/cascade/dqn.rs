//! `dqn`: a deep Q-network over the last metrics and gaps (the paper, section V-B).

use std::sync::Arc;

use fogbit_neural::Prepared;
use fogbit_scenario::cascade::{Hidden, Sight};

use super::CascadePolicy;
use super::dqn_model::DqnModel;

/// Shifts of a window before it is copied back to the end of its memory.
const SHIFTS: usize = 4096;

/// The last values of something, the newest first, zeros where there was none yet.
///
/// They lie side by side in a longer memory and move through it towards its beginning, so that a new
/// value costs one store; from there they are copied back to the end now and then.
#[derive(Debug, Clone)]
struct Window {
    values: Vec<f32>,
    width: usize,
    first: usize,
}

impl Window {
    fn new(width: usize) -> Window {
        Window { values: vec![0.0; width + SHIFTS], width, first: SHIFTS }
    }

    fn push(&mut self, value: f32) {
        if self.width == 0 {
            return;
        }
        if self.first == 0 {
            let kept = self.width - 1;
            self.first = self.values.len() - kept;
            self.values.copy_within(..kept, self.first);
        }
        self.first -= 1;
        self.values[self.first] = value;
    }

    fn values(&self) -> &[f32] {
        &self.values[self.first..][..self.width]
    }
}

/// Sends an image where the network expects at least as much from it as from keeping the token.
#[derive(Debug, Clone)]
pub struct DqnPolicy {
    model: Arc<DqnModel>,
    network: Prepared,
    metrics: Window,
    gaps: Window,
    row: Vec<f32>,
}

impl DqnPolicy {
    /// The policy of a model, before its first image.
    pub fn new(model: Arc<DqnModel>) -> DqnPolicy {
        let shape = model.shape();
        DqnPolicy {
            network: model.network().prepare(),
            metrics: Window::new(shape.metrics()),
            gaps: Window::new(shape.gaps()),
            row: vec![0.0; shape.inputs()],
            model,
        }
    }
}

impl CascadePolicy for DqnPolicy {
    fn decide(&mut self, sight: &Sight, _hidden: &Hidden) -> bool {
        self.metrics.push(self.model.scale().metric(sight.metric));
        // Before the first image there was none: that is no gap.
        if sight.gap > 0 {
            self.gaps.push(self.model.scale().gap(sight.gap));
        }
        let shape = self.model.shape();
        let Some((keep, send)) = shape.pair(sight.level) else { return false };
        let (metrics, gaps) = self.row.split_at_mut(shape.metrics());
        metrics.copy_from_slice(self.metrics.values());
        gaps.copy_from_slice(self.gaps.values());
        let values = self.network.infer(&self.row);
        values[keep] <= values[send]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_has_the_newest_first_however_long_it_goes_on() {
        for width in [0, 1, 2, 96] {
            let mut window = Window::new(width);
            let mut seen = vec![0.0; width];
            for value in 1..3 * SHIFTS {
                window.push(value as f32);
                seen.insert(0, value as f32);
                seen.truncate(width);
                assert_eq!(window.values(), seen);
            }
        }
    }
}
