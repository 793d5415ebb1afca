//! What each image of a trial cost.
//!
//! The ledger is told the [`ImageStep`]s of one trial, from virtual time or from a task node that
//! may lie, and has the scenario under the trial's seed, with the rewards that no task node is told.

use std::io::{self, Write};

use fogbit_scenario::cascade::{
    Arrival, CascadeInstance, Fate, Hidden, ImageRow, ImageStep, ImageStream,
};

use super::metrics;
use super::record::{DecisionRow, header};
use super::tally::Tally;
use crate::harness::{LedgerError, Metric, ProblemLedger, Told, TrialSeries, Watch, show};

/// A decision file, and how many images of the trial go there.
pub struct Decisions {
    /// The file.
    pub file: Box<dyn Write + Send>,
    /// So many images, the first ones.
    pub most: u64,
}

/// The account of one trial while it goes on.
pub struct CascadeLedger {
    instance: CascadeInstance,
    /// Whether images that are sent cost tokens.
    pays: bool,
    tally: Tally,
    /// The trial once more, where it is needed: to hold steps against it, and to write what is hidden.
    replay: Option<Replay>,
    told: Told,
    decisions: Option<Decisions>,
    text: String,
    watch: Option<Watch<ImageStep>>,
}

struct Replay {
    stream: ImageStream,
    level: u32,
    sent: bool,
}

impl std::fmt::Debug for CascadeLedger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CascadeLedger").field("images", &self.tally.images).finish_non_exhaustive()
    }
}

impl CascadeLedger {
    /// The ledger of the trial that plays `instance`; `pays` says whether images that are sent cost
    /// tokens. Decisions are written if there is a file for them.
    ///
    /// # Errors
    /// If the head of the decision file cannot be written.
    pub fn new(
        instance: CascadeInstance,
        pays: bool,
        told: Told,
        mut decisions: Option<Decisions>,
    ) -> io::Result<CascadeLedger> {
        if let Some(decisions) = &mut decisions {
            decisions.file.write_all(header().as_bytes())?;
        }
        let replay = (told == Told::ByTaskNode || decisions.is_some()).then(|| Replay {
            stream: instance.stream(),
            level: instance.bucket.full(),
            sent: false,
        });
        Ok(CascadeLedger {
            tally: Tally::new(&instance.bucket),
            instance,
            pays,
            replay,
            told,
            decisions,
            text: String::new(),
            watch: None,
        })
    }

    /// Has every step that is booked from now on added to `watch`.
    pub fn watched(mut self, watch: Option<Watch<ImageStep>>) -> CascadeLedger {
        self.watch = watch;
        self
    }

    /// The sums so far.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Books the next image, with the trial beside it.
    fn record_checked(&mut self, step: &ImageStep) -> Result<(), LedgerError> {
        let image = self.tally.images + 1;
        let hidden =
            self.check(image, step).map_err(|reason| LedgerError::untrue::<Self>(image, reason))?;
        let row = self.instance.table.rows()[step.rank as usize];
        let loss = self.tally.add(step, &row);
        show(self.watch.as_ref(), step);
        let written = self.write(step, &row, loss, hidden);
        written.map_err(|error| LedgerError::write::<Self>(image, error))
    }

    /// Where the stream is at this image, or what is wrong with the step.
    fn check(&mut self, image: u64, step: &ImageStep) -> Result<Hidden, String> {
        let CascadeInstance { bucket, images, .. } = self.instance;
        if step.image != image || image > images {
            return Err(format!("the task node told of image {} of {images}", step.image));
        }
        let Some(replay) = &mut self.replay else { return Ok(Hidden { place: 0, state: 0 }) };
        let Arrival { slot, gap, rank, hidden } = replay.stream.next_image();
        let (level, wasted) = bucket.later(replay.level, replay.sent && self.pays, gap);
        let right = (slot, gap, rank, level, wasted);
        let told = (step.slot, step.sight.gap, step.rank, step.sight.level, step.wasted);
        if told != right {
            return Err(format!(
                "the task node told of (slot, gap, rank, level, wasted) = {told:?}, it is {right:?}"
            ));
        }
        if !step.sight.metric.is_finite() {
            return Err("the task node told a metric that is no number".into());
        }
        let affordable = !self.pays || bucket.affords(level);
        if (step.fate != Fate::Kept) != (step.wanted && affordable) {
            let (wanted, fate) = (step.wanted, step.fate);
            return Err(format!("wanted: {wanted}, affordable: {affordable}, but {fate:?}"));
        }
        (replay.level, replay.sent) = (level, step.offloaded());
        Ok(hidden)
    }

    fn write(
        &mut self,
        step: &ImageStep,
        row: &ImageRow,
        loss: f64,
        hidden: Hidden,
    ) -> io::Result<()> {
        let Some(decisions) = &mut self.decisions else { return Ok(()) };
        if step.image <= decisions.most {
            let bucket = self.instance.bucket;
            self.text.clear();
            DecisionRow { step, row, loss, hidden, bucket }.append_to(&mut self.text);
            decisions.file.write_all(self.text.as_bytes())?;
        }
        if step.image >= decisions.most {
            decisions.file.flush()?;
            self.decisions = None;
            if self.told == Told::Here {
                self.replay = None;
            }
        }
        Ok(())
    }
}

impl ProblemLedger for CascadeLedger {
    type Step = ImageStep;
    type Account = Tally;
    const COUNTED: &'static str = "image";
    const TELL_EVERY: u64 = 1 << 14;

    #[inline]
    fn record(&mut self, step: &ImageStep) -> Result<(), LedgerError> {
        if self.replay.is_some() {
            return self.record_checked(step);
        }
        self.tally.add(step, &self.instance.table.rows()[step.rank as usize]);
        show(self.watch.as_ref(), step);
        Ok(())
    }

    fn booked(&self) -> u64 {
        self.tally.images
    }

    /// The loss of all images so far.
    fn lost(&self) -> f64 {
        self.tally.loss
    }

    const METRICS: &'static [Metric] = metrics::ALL;

    fn show(&self, series: &mut TrialSeries<'_>) {
        let tally = &self.tally;
        let kept = tally.images - tally.offloaded();
        let fates = [kept, tally.answered, tally.timed_out, tally.refused];
        for (fate, images) in metrics::FATES.into_iter().zip(fates) {
            series.set_of(&metrics::IMAGES, fate, images as f64);
        }
        series.set(&metrics::WANTED, tally.wanted as f64);
        if self.pays {
            series.set(&metrics::WASTED, self.instance.bucket.tokens(tally.wasted));
        }
        series.set(&metrics::LOSS, tally.loss);
        if tally.images > 0 {
            series.set(&metrics::AVERAGE_LOSS, tally.loss / tally.images as f64);
        }
    }

    fn close(mut self) -> io::Result<Tally> {
        if let Some(decisions) = &mut self.decisions {
            decisions.file.flush()?;
        }
        Ok(self.tally)
    }
}

#[cfg(test)]
#[path = "ledger_tests.rs"]
mod tests;
