//! One trial: classify, decide, send, record, image after image.

use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};

use fogbit_policy::cascade::CascadePolicy;
use fogbit_scenario::cascade::{Arrival, CascadeInstance, Fate, ImageStep, Sight, Stages};

use crate::trial::{TrialEnd, TrialError};

/// The weak classifier, and the way to the strong one, wherever they are.
pub trait CascadeFog {
    /// Waits until the image comes and classifies it; gives its metric, and how long that took in
    /// nanoseconds.
    fn classify(
        &mut self,
        image: u64,
        arrival: &Arrival,
    ) -> impl Future<Output = Result<(f32, u64), TrialError>>;

    /// Takes the image of `step` to its fate: where that is [`Fate::Answered`] it is to be sent. True
    /// if its fate is known and stands in `step`; false if it comes later, from
    /// [`next_done`](Self::next_done), as do those of all images after it until then.
    fn submit(&mut self, step: &mut ImageStep) -> impl Future<Output = Result<bool, TrialError>>;

    /// The next image whose fate has become known, in the order of the images.
    fn next_done(&mut self) -> Option<ImageStep> {
        None
    }

    /// Waits until the fates of all images are known.
    fn finish(&mut self) -> impl Future<Output = Result<(), TrialError>> {
        async { Ok(()) }
    }

    /// Nanoseconds since some moment, to time a decision with; 0 where nobody measures.
    fn clock(&mut self) -> u64;
}

/// Who is told what happened.
pub trait CascadeRecorder {
    /// Takes note of one image. Images come in order, and all of them.
    fn record(&mut self, step: &ImageStep) -> impl Future<Output = Result<(), TrialError>>;

    /// Whether it holds the trial back, for somebody who watches: a stop is then noticed at once.
    fn is_held_back(&self) -> bool {
        false
    }
}

/// How often a trial looks whether it is to stop, in images.
const LOOK_EVERY: u64 = 1024;

/// What is played.
#[derive(Debug)]
pub struct CascadeTrial<'i> {
    /// The images.
    pub instance: &'i CascadeInstance,
}

impl CascadeTrial<'_> {
    /// Plays all images, or until `stop` is set.
    ///
    /// # Errors
    /// The first error of the fog or the recorder; the trial is then void from that image on.
    pub async fn play<F, R>(
        &self,
        fog: &mut F,
        policy: &mut dyn CascadePolicy,
        recorder: &mut R,
        stop: &AtomicBool,
    ) -> Result<TrialEnd, TrialError>
    where
        F: CascadeFog,
        R: CascadeRecorder,
    {
        let CascadeInstance { bucket, images, .. } = *self.instance;
        let mut stream = self.instance.stream();
        let free = policy.ignores_bucket();
        let (mut level, mut sent, mut end) = (bucket.full(), false, TrialEnd::Complete);
        let look_every = if recorder.is_held_back() { 1 } else { LOOK_EVERY };
        let mut look_next = look_every;
        for image in 1..=images {
            if image >= look_next {
                look_next = image + look_every;
                if stop.load(Ordering::Relaxed) {
                    end = TrialEnd::Stopped(image - 1);
                    break;
                }
            }
            let arrival = stream.next_image();
            let (now, wasted) = bucket.later(level, sent && !free, arrival.gap);
            level = now;
            let (metric, weak_ns) = fog.classify(image, &arrival).await?;
            let sight = Sight { metric, gap: arrival.gap, level };
            let begun = fog.clock();
            let wanted = policy.decide(&sight, &arrival.hidden);
            let decision_ns = fog.clock() - begun;
            sent = wanted && (free || bucket.affords(level));
            let mut step = ImageStep {
                image,
                slot: arrival.slot,
                rank: arrival.rank,
                sight,
                wasted,
                wanted,
                fate: if sent { Fate::Answered } else { Fate::Kept },
                stages: Stages { weak_ns, decision_ns, ..Stages::default() },
            };
            // What is known at once is told where it stands: copies would cost more than all the rest.
            if fog.submit(&mut step).await? {
                recorder.record(&step).await?;
                continue;
            }
            while let Some(done) = fog.next_done() {
                recorder.record(&done).await?;
            }
        }
        fog.finish().await?;
        while let Some(done) = fog.next_done() {
            recorder.record(&done).await?;
        }
        Ok(end)
    }
}
