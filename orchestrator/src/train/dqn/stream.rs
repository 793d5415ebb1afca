//! The images that a network is trained on: a long stream of the setting, kept as ranks and gaps.

use fogbit_policy::cascade::{DqnScale, DqnShape};
use fogbit_scenario::cascade::{ImageStream, Setting, StreamKeys};
use fogbit_scenario::draw::{Key, Purpose};

/// Which children of [`Purpose::TrainingImages`] are what.
const STREAM: u64 = 0;
const VALIDATION: u64 = 4;
const SEGMENTS: u64 = 8;

/// Ranks in a line of the processor's cache, 64 bytes.
const RANKS_OF_A_LINE: usize = 16;

/// The keys of the stream that is trained on, of the one that judges, and of the segments.
#[derive(Debug, Clone, Copy)]
pub(super) struct TrainingKeys {
    pub(super) stream: StreamKeys,
    pub(super) validation: StreamKeys,
    pub(super) segments: Key,
}

impl TrainingKeys {
    /// Those of a training with this seed.
    pub(super) fn new(seed: u64) -> TrainingKeys {
        let key = Key::derive(seed, Purpose::TrainingImages, 0);
        let stream = |first| StreamKeys {
            reset: key.child(first),
            place: key.child(first + 1),
            within: key.child(first + 2),
            arrivals: key.child(first + 3),
        };
        TrainingKeys {
            stream: stream(STREAM),
            validation: stream(VALIDATION),
            segments: key.child(SEGMENTS),
        }
    }
}

/// A long stream of images. It takes four bytes an image, and two more where gaps vary.
#[derive(Debug)]
pub struct TrainingStream {
    ranks: Vec<u32>,
    /// Slots since the image before; empty where all gaps are alike.
    gaps: Vec<u16>,
    gap: u32,
    shape: DqnShape,
    /// What a network sees of the image of each rank.
    seen: Vec<f32>,
    /// What sending it gains.
    rewards: Vec<f32>,
    /// What a network sees of each gap.
    gap_seen: Vec<f32>,
}

/// A segment of the stream, without what the network sees of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outcome {
    /// What sending its last image but one gains.
    pub reward: f32,
    /// Slots from that to its last image.
    pub gap: u32,
}

impl TrainingStream {
    /// The first `images` images, at least two, of the stream of `setting` with these keys.
    pub fn new(
        setting: &Setting,
        shape: DqnShape,
        scale: DqnScale,
        images: u64,
        keys: &StreamKeys,
    ) -> TrainingStream {
        let mut stream = ImageStream::new(setting.walk, setting.arrivals, keys);
        let varies = shape.gaps() > 0;
        let mut ranks = Vec::with_capacity(images as usize);
        let mut gaps = Vec::with_capacity(if varies { images as usize } else { 0 });
        for _ in 0..images {
            let arrival = stream.next_image();
            ranks.push(arrival.rank);
            if varies {
                gaps.push(u16::try_from(arrival.gap).expect("gaps are at most 1,000"));
            }
        }
        let rows = setting.images.rows();
        let longest = setting.arrivals.gaps[0].max(setting.arrivals.gaps[1]);
        // Before the first image there was none: that is no gap, and is seen as nothing.
        let gap_seen = std::iter::once(0.0).chain((1..=longest).map(|gap| scale.gap(gap)));
        TrainingStream {
            ranks,
            gaps,
            gap: setting.arrivals.gaps[0],
            shape,
            seen: rows.iter().map(|row| scale.metric(row.metric)).collect(),
            rewards: rows.iter().map(|row| row.reward).collect(),
            gap_seen: gap_seen.collect(),
        }
    }

    /// How many segments there are: one that ends at each image but the first.
    pub fn segments(&self) -> u64 {
        self.ranks.len() as u64 - 1
    }

    /// Brings these segments near before they are read one after the other. They lie far apart in a
    /// long stream: the processor waits for all of them at once here, and for each by itself there.
    ///
    /// # Panics
    /// If there is no such segment.
    pub fn fetch(&self, segments: &[u64]) {
        let mut sum = 0u32;
        for segment in segments {
            let last = *segment as usize + 1;
            let first = last.saturating_sub(self.shape.metrics());
            for rank in self.ranks[first..=last].iter().step_by(RANKS_OF_A_LINE) {
                sum = sum.wrapping_add(*rank);
            }
        }
        std::hint::black_box(sum);
    }

    /// Reads segment number `segment`, from 0, whose last two images are `segment` and the one after
    /// it: what a network sees when the last but one has come goes to `before`, what it sees when the
    /// last has come to `after`, zeros where the stream had not begun.
    ///
    /// # Panics
    /// If there is no such segment, or a row has another width than the shape says.
    pub fn read(&self, segment: u64, before: &mut [f32], after: &mut [f32]) -> Outcome {
        let last = segment as usize + 1;
        let (metrics, gaps) = before.split_at_mut(self.shape.metrics());
        let (metrics_after, gaps_after) = after.split_at_mut(self.shape.metrics());
        newest_first(&self.ranks[..last], metrics, |rank| self.seen[*rank as usize]);
        shift(metrics, self.seen[self.ranks[last] as usize], metrics_after);
        let gap = match self.gaps.get(last) {
            Some(gap) => {
                newest_first(&self.gaps[..last], gaps, |gap| self.gap_seen[usize::from(*gap)]);
                shift(gaps, self.gap_seen[usize::from(*gap)], gaps_after);
                u32::from(*gap)
            }
            None => self.gap,
        };
        Outcome { reward: self.rewards[self.ranks[segment as usize] as usize], gap }
    }
}

/// Writes the last values of `past` to `row`, the newest first, and zeros where there are too few.
fn newest_first<T>(past: &[T], row: &mut [f32], seen: impl Fn(&T) -> f32) {
    let there = past.len().min(row.len());
    for (place, value) in row.iter_mut().zip(past[past.len() - there..].iter().rev()) {
        *place = seen(value);
    }
    row[there..].fill(0.0);
}

/// `row` one image later: `newest` comes first, and the oldest is forgotten.
fn shift(row: &[f32], newest: f32, after: &mut [f32]) {
    if let Some((first, others)) = after.split_first_mut() {
        *first = newest;
        others.copy_from_slice(&row[..others.len()]);
    }
}
