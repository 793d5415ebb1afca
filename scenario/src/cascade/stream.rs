//! Which image comes when: the two generators of section VI-A2 of the paper.

use serde::{Deserialize, Serialize};

use crate::draw::{Key, Stream};
use crate::topology::{Arrivals, ImageStream as WalkSpec};

/// The walk over the ring of images sorted by metric: image `t` is at rank
/// `(place + U{0, .., floor(spread K)}) mod K`, and with probability `reset` the place is drawn anew
/// before.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RingWalk {
    /// K, the number of images.
    pub images: u32,
    /// `floor(spread K)`, below K: how far beyond the place an image may be.
    pub width: u32,
    /// Probability of a jump at each image.
    pub reset: f64,
}

impl RingWalk {
    /// The walk of `spec` over `images` images.
    pub fn new(spec: &WalkSpec, images: u32) -> RingWalk {
        let width = (spec.spread * f64::from(images)).floor() as u32;
        RingWalk { images, width: width.min(images - 1), reset: spec.reset }
    }

    /// Whether images come independently of each other.
    pub fn is_independent(&self) -> bool {
        self.reset >= 1.0 || self.width == self.images - 1
    }
}

/// When images come. State `s` has a gap of `gaps[s]` slots and is left in each slot with probability
/// `leave[s]`; a gap that has begun is finished. A constant gap is a process that never leaves.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ArrivalProcess {
    /// Slots from one image to the next in each state.
    pub gaps: [u32; 2],
    /// Probability in each slot of leaving each state.
    pub leave: [f64; 2],
}

impl ArrivalProcess {
    /// The process of `spec`.
    pub fn new(spec: &Arrivals) -> ArrivalProcess {
        match spec {
            Arrivals::Constant(constant) => {
                ArrivalProcess { gaps: [constant.gap; 2], leave: [0.0; 2] }
            }
            Arrivals::Markov(markov) => ArrivalProcess { gaps: markov.gaps, leave: markov.leave },
        }
    }

    /// Whether all gaps are alike.
    pub fn is_constant(&self) -> bool {
        self.gaps[0] == self.gaps[1]
    }

    /// The share of slots in state 0.
    pub fn share_of_first(&self) -> f64 {
        let [a, b] = self.leave;
        if a + b > 0.0 { b / (a + b) } else { 1.0 }
    }

    /// Probability that the state is another one `slots` slots later, from each state.
    pub fn changed_after(&self, slots: u32) -> [f64; 2] {
        let [a, b] = self.leave;
        if a + b == 0.0 {
            return [0.0; 2];
        }
        // A two-state chain forgets by 1 - a - b in each step.
        let kept = (1.0 - a - b).powi(slots as i32);
        [a / (a + b) * (1.0 - kept), b / (a + b) * (1.0 - kept)]
    }

    /// The share of images that are followed by each gap: the stationary distribution of the state
    /// in which an image comes.
    pub fn shares_of_images(&self) -> [f64; 2] {
        let [out, back] =
            [self.changed_after(self.gaps[0])[0], self.changed_after(self.gaps[1])[1]];
        if out + back == 0.0 { [1.0, 0.0] } else { [back / (out + back), out / (out + back)] }
    }

    /// Mean number of slots between images.
    pub fn mean_gap(&self) -> f64 {
        let [first, second] = self.shares_of_images();
        first * f64::from(self.gaps[0]) + second * f64::from(self.gaps[1])
    }
}

/// The keys of a stream's draws.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamKeys {
    /// Whether the walk jumps, draw `t` for image `t`.
    pub reset: Key,
    /// Where it jumps to, draw `t` for image `t`.
    pub place: Key,
    /// How far beyond the place the image is, draw `t` for image `t`.
    pub within: Key,
    /// The state of the arrivals, draw `t` for slot `t`.
    pub arrivals: Key,
}

/// What is hidden from a policy: where the stream is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hidden {
    /// The place of the walk, as a rank.
    pub place: u32,
    /// The state of the arrivals in the slot of the image.
    pub state: u8,
}

/// An image that comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Arrival {
    /// The slot, from 1.
    pub slot: u64,
    /// Slots since the image before; 0 for the first.
    pub gap: u32,
    /// The rank of the image.
    pub rank: u32,
    /// What is hidden.
    pub hidden: Hidden,
}

/// Which image comes when. The same keys give the same stream everywhere.
#[derive(Debug, Clone)]
pub struct ImageStream {
    walk: RingWalk,
    arrivals: ArrivalProcess,
    reset: Stream,
    places: Stream,
    within: Stream,
    states: Stream,
    /// Number of the last image, from 1.
    image: u64,
    slot: u64,
    hidden: Hidden,
}

impl ImageStream {
    /// Before the first image.
    pub fn new(walk: RingWalk, arrivals: ArrivalProcess, keys: &StreamKeys) -> ImageStream {
        let hidden = Hidden { place: 0, state: 0 };
        ImageStream {
            walk,
            arrivals,
            reset: Stream::new(&keys.reset),
            places: Stream::new(&keys.place),
            within: Stream::new(&keys.within),
            states: Stream::new(&keys.arrivals),
            image: 0,
            slot: 1,
            hidden,
        }
    }

    /// The next image.
    #[inline]
    pub fn next_image(&mut self) -> Arrival {
        self.image += 1;
        let gap = if self.image == 1 { self.begin() } else { self.pass() };
        let RingWalk { images, width, reset } = self.walk;
        if self.image == 1 || self.reset.uniform(self.image) < reset {
            self.hidden.place = below(self.places.at(self.image), images);
        }
        let beyond = below(self.within.at(self.image), width + 1);
        let rank = self.hidden.place + beyond;
        let rank = if rank >= images { rank - images } else { rank };
        Arrival { slot: self.slot, gap, rank, hidden: self.hidden }
    }

    /// The first image comes in the first slot; the state then is drawn from the stationary one.
    fn begin(&mut self) -> u32 {
        let first = self.states.uniform(1) < self.arrivals.share_of_first();
        self.hidden.state = u8::from(!first);
        0
    }

    /// Lets the gap pass that has begun with the image before.
    #[inline]
    fn pass(&mut self) -> u32 {
        let gap = self.arrivals.gaps[self.hidden.state as usize];
        if self.arrivals.leave == [0.0; 2] {
            self.slot += u64::from(gap);
            return gap;
        }
        for _ in 0..gap {
            self.slot += 1;
            if self.states.uniform(self.slot) < self.arrivals.leave[self.hidden.state as usize] {
                self.hidden.state ^= 1;
            }
        }
        gap
    }
}

/// Maps a 64-bit draw to `0, .., count - 1`: the high half of the product, unbiased to 2^-32.
#[inline]
fn below(draw: u64, count: u32) -> u32 {
    ((u128::from(draw) * u128::from(count)) >> 64) as u32
}
