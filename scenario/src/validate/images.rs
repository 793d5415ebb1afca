//! What can be wrong between a topology of the problem `cascade` and its trace.

use std::path::Path;

use super::Check;
use crate::cascade::{ImageRow, ImageTable, TraceRow, read_trace};
use crate::scenario::trace_path;
use crate::topology::places::way;
use crate::topology::{CascadeTopology, Score};

/// The largest mean loss; the same as in traces.
const LARGEST_LOSS: f64 = 1000.0;

impl Check<'_, '_> {
    /// The images to learn from, and those of the trials.
    pub(super) fn image_trace(
        &mut self,
        topology: &CascadeTopology,
        path: &Path,
    ) -> Option<(ImageTable, ImageTable)> {
        let trace = &topology.trace;
        let rows = match read_trace(&trace_path(path, &trace.file)) {
            Ok(rows) => rows,
            Err(mut fault) => {
                // What concerns the file as a whole is shown where the topology names it.
                let file = way!["trace", "file"];
                fault.place.get_or_insert_with(|| Box::new(self.places.of(&file)));
                self.faults.push(fault);
                return None;
            }
        };
        if !self.mean_loss(trace.weak_loss, rows.iter().any(|row| row.weak_loss.is_some())) {
            return None;
        }
        let image = |row: &TraceRow| ImageRow {
            id: row.id,
            metric: row.metric as f32,
            weak_loss: row.weak_loss.or(trace.weak_loss).unwrap_or_default() as f32,
            reward: match trace.score {
                Score::Reward => row.reward,
                Score::Metric => row.metric,
            } as f32,
        };
        let table = |wanted: fn(&TraceRow) -> bool| {
            ImageTable::new(rows.iter().filter(|row| wanted(row)).map(image).collect())
        };
        Some((table(|row| row.train), table(|row| row.test)))
    }

    /// Whether the mean loss is `given` where the trace holds no losses, and only there.
    fn mean_loss(&mut self, given: Option<f64>, has_losses: bool) -> bool {
        let place = way!["trace", "weak_loss"];
        match (given, has_losses) {
            (None, true) => true,
            (Some(loss), false) => self.within(place, "weak_loss", loss, 0.0, LARGEST_LOSS),
            (Some(loss), true) => {
                self.fail(
                    place,
                    format!("weak_loss = {loss}, but the trace holds losses of its own"),
                    "leave it out: it would be ignored",
                );
                false
            }
            (None, false) => {
                self.fail(
                    way!["trace"],
                    "the trace holds rewards, but no losses",
                    "the mean loss of the weak classifier, for example weak_loss = 0.3; or the \
                     columns weak_loss and strong_loss",
                );
                false
            }
        }
    }
}
