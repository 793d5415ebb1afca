//! Optimal for somebody who is told all images of the trial in advance: what no policy can beat in
//! that trial.
//!
//! Dynamic programming backwards over the images, with what sending each one really gains. With U the
//! value of what is left in the bucket right after image t, before the gap tau to the next one,
//!
//! ```text
//! V(t, n) = max( U(t, n), R(t) + U(t, n - P) )
//! U(t - 1, n) = V(t, min(M, n + N tau)),   U(images, n) = 0
//! ```
//!
//! The values of all images would fill the memory. Those of about every root of T-th image are kept;
//! when the trial comes to a block, the values within it are computed once more. So memory grows with
//! the root of the number of images, and time with their number.

use fogbit_scenario::cascade::{CascadeInstance, Hidden, ImageStream, Sight, TokenBucket};

use super::CascadePolicy;

/// Sends the images that are best sent in this trial.
#[derive(Debug)]
pub struct ClairvoyantPolicy {
    instance: CascadeInstance,
    /// Images in a block.
    block: u64,
    /// For each block the stream before its first image.
    streams: Vec<ImageStream>,
    /// For each block U after its last image.
    ends: Vec<Vec<f64>>,
    /// Images of the current block.
    images: Vec<Known>,
    /// U after each of them.
    values: Vec<f64>,
    /// V of the full bucket at the first image.
    gain: f64,
    /// Images that have come.
    come: u64,
}

/// An image in advance.
#[derive(Debug, Clone, Copy)]
struct Known {
    reward: f64,
    /// Slots since the image before.
    gap: u32,
}

impl ClairvoyantPolicy {
    /// Looks through all images of the trial of `instance`.
    pub fn new(instance: &CascadeInstance) -> ClairvoyantPolicy {
        let levels = instance.bucket.depth as usize + 1;
        let block = ((instance.images as f64).sqrt().ceil() as u64).max(1);
        let blocks = instance.images.div_ceil(block) as usize;
        let mut policy = ClairvoyantPolicy {
            instance: instance.clone(),
            block,
            streams: Vec::with_capacity(blocks),
            ends: vec![vec![0.0; levels]; blocks],
            images: Vec::with_capacity(block as usize),
            values: vec![0.0; block as usize * levels],
            gain: 0.0,
            come: 0,
        };
        let mut stream = instance.stream();
        for number in 0..blocks {
            policy.streams.push(stream.clone());
            (0..policy.length(number)).for_each(|_| _ = stream.next_image());
        }
        for number in (0..blocks).rev() {
            let before = policy.enter(number);
            match number.checked_sub(1) {
                Some(previous) => policy.ends[previous] = before,
                None => policy.gain = before[levels - 1],
            }
        }
        policy
    }

    /// What all images together gain.
    pub fn gain(&self) -> f64 {
        self.gain
    }

    /// Images of block `number`.
    fn length(&self, number: usize) -> u64 {
        self.block.min(self.instance.images - number as u64 * self.block)
    }

    /// Computes the values within block `number`; returns U after the image before it.
    fn enter(&mut self, number: usize) -> Vec<f64> {
        let CascadeInstance { bucket, table, .. } = &self.instance;
        let mut stream = self.streams[number].clone();
        let known = |_| {
            let arrival = stream.next_image();
            let reward = f64::from(table.rows()[arrival.rank as usize].reward);
            Known { reward, gap: arrival.gap }
        };
        let length = self.length(number);
        self.images.clear();
        self.images.extend((0..length).map(known));
        let mut after = self.ends[number].clone();
        let mut at = after.clone();
        let rows = self.values.chunks_mut(after.len());
        for (image, row) in self.images.iter().zip(rows).rev() {
            row.copy_from_slice(&after);
            back(bucket, image, &mut after, &mut at);
        }
        after
    }
}

/// Goes from U after `image` to U after the one before; `at` is room for V.
fn back(bucket: &TokenBucket, image: &Known, after: &mut [f64], at: &mut [f64]) {
    let price = bucket.price as usize;
    at.copy_from_slice(after);
    for (value, left) in at.iter_mut().skip(price).zip(&*after) {
        let sent = image.reward + left;
        *value = if sent > *value { sent } else { *value };
    }
    let depth = bucket.depth as usize;
    let come = (u64::from(bucket.refill) * u64::from(image.gap)).min(depth as u64) as usize;
    after[..=depth - come].copy_from_slice(&at[come..]);
    after[depth - come..].fill(at[depth]);
}

impl CascadePolicy for ClairvoyantPolicy {
    fn decide(&mut self, sight: &Sight, _hidden: &Hidden) -> bool {
        let (block, index) = ((self.come / self.block) as usize, self.come % self.block);
        if index == 0 {
            self.enter(block);
        }
        self.come += 1;
        let TokenBucket { price, depth, .. } = self.instance.bucket;
        if sight.level < price {
            return false;
        }
        let after = &self.values[index as usize * (depth as usize + 1)..];
        let [kept, left] = [sight.level, sight.level - price].map(|level| after[level as usize]);
        self.images[index as usize].reward + left > kept
    }
}
