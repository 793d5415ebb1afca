//! Keyed randomness: every draw is named by what it is for, never by when it is asked for.
//!
//! A [`Key`] belongs to one purpose of one node under one seed; a [`Stream`] turns it into one
//! 64-bit draw per slot with the counter-based generator ChaCha8. Two policies that meet the same
//! slot therefore meet the same draw, on every backend (common random numbers).
//!
//! `docs/determinism.md` names the derivation; `tests/golden.rs` freezes it.

use chacha20::ChaCha8Rng;
use chacha20::rand_core::{Rng, SeedableRng};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Prefix of every key derivation. Changing it changes every result of every topology.
const DOMAIN: &[u8] = b"fogbit.draws.1";
/// Prefix of the derivation of a key from another one.
const CHILD_DOMAIN: &[u8] = b"fogbit.draws.1.child";

/// What a stream of draws is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose<'a> {
    /// Length of the task of each slot.
    TaskLength,
    /// Complexity of the task of each slot.
    TaskComplexity,
    /// Hidden weights of one helper node (draw `i` for feature `i`).
    Weights,
    /// CPU frequency of one helper node (a single draw).
    CpuFrequency,
    /// Channel quality of one helper node.
    Cqi,
    /// Queue length of one helper node where the queue is drawn anew each slot.
    Queue,
    /// Number of tasks a helper node generates itself.
    OwnTasks,
    /// The uniform draw behind the one-bit feedback of one helper node.
    Feedback,
    /// The feature of this number, from 0, that says nothing, of one helper node.
    Noise(u32),
    /// The direction in which the weights of one helper node turn (draw `i` for feature `i`): of its
    /// first weights, 0, or of those that its n-th change brings.
    Drift(u32),
    /// The weights that the n-th change, from 1, of one helper node brings.
    ChangedWeights(u32),
    /// What happens to packets from the task node to one helper node (children for each element of
    /// the link, draw `i` for packet `i`).
    LinkUp,
    /// What happens to packets from one helper node to the task node.
    LinkDown,
    /// CPU cycles of the task of each slot (problem `placement`).
    TaskCycles,
    /// Input of the task of each slot (problem `placement`).
    TaskInput,
    /// Load of the task node in each slot (problem `placement`).
    TaskNodeLoad,
    /// Load of one helper node in each slot (problem `placement`).
    HelperLoad,
    /// Round-trip time of the link to one helper node in each slot, where it is drawn.
    LinkRoundTrip,
    /// Whether the task of a slot is tried at all sites (problem `placement`).
    Shadow,
    /// The tasks that a decision network is trained on (problem `placement`); the seed is that of
    /// the training. Children for each thing that is drawn, draw `i` for task `i`.
    TrainingTasks,
    /// Whether the walk over the images jumps, draw `t` for image `t` (problem `cascade`).
    ImageReset,
    /// Where the walk over the images jumps to, draw `t` for image `t` (problem `cascade`).
    ImagePlace,
    /// How far beyond the place of the walk an image is, draw `t` for image `t` (problem `cascade`).
    ImageWithin,
    /// The state of the arrivals, draw `t` for slot `t` (problem `cascade`).
    ImageArrivals,
    /// The images that a deep Q-network is trained on (problem `cascade`); the seed is that of the
    /// training. Children for each thing that is drawn.
    TrainingImages,
    /// The applications of a trial (problem `pipeline`): child `i` for application `i`.
    Applications,
    /// What the sites and links are that an application meets (problem `pipeline`): child `i` for
    /// application `i`.
    SiteConditions,
    /// Placements by chance (problem `pipeline`): child `i` for application `i`.
    RandomPlacement,
    /// The applications that a network is trained on, 0, or judged by, 1, and the conditions that they
    /// meet (problem `pipeline`); the seed is that of the training. Children for each thing that is
    /// drawn.
    TrainingApplications(u32),
    /// Private randomness of the policy of this name.
    Policy(&'a str),
    /// First weights of a neural network (child `l` of the key for layer `l`).
    NetworkWeights,
    /// The order in which a network is trained on its rows (child `e` of the key for epoch `e`).
    NetworkShuffle,
    /// Resamples of a bootstrap: statistics of results, no part of any trial.
    Bootstrap,
}

impl Purpose<'_> {
    fn label(&self) -> String {
        match self {
            Purpose::TaskLength => "task.length".into(),
            Purpose::TaskComplexity => "task.complexity".into(),
            Purpose::Weights => "node.weights".into(),
            Purpose::CpuFrequency => "node.cpu_frequency".into(),
            Purpose::Cqi => "node.cqi".into(),
            Purpose::Queue => "node.queue".into(),
            Purpose::OwnTasks => "node.own_tasks".into(),
            Purpose::Feedback => "node.feedback".into(),
            Purpose::Noise(index) => format!("node.noise/{index}"),
            Purpose::Drift(change) => format!("node.drift/{change}"),
            Purpose::ChangedWeights(change) => format!("node.weights/{change}"),
            Purpose::LinkUp => "link.up".into(),
            Purpose::LinkDown => "link.down".into(),
            Purpose::TaskCycles => "task.cycles".into(),
            Purpose::TaskInput => "task.input".into(),
            Purpose::TaskNodeLoad => "task.load".into(),
            Purpose::HelperLoad => "node.load".into(),
            Purpose::LinkRoundTrip => "link.rtt".into(),
            Purpose::Shadow => "task.shadow".into(),
            Purpose::TrainingTasks => "train.tasks".into(),
            Purpose::ImageReset => "image.reset".into(),
            Purpose::ImagePlace => "image.place".into(),
            Purpose::ImageWithin => "image.within".into(),
            Purpose::ImageArrivals => "image.arrivals".into(),
            Purpose::TrainingImages => "train.images".into(),
            Purpose::Applications => "pipeline.applications".into(),
            Purpose::SiteConditions => "pipeline.conditions".into(),
            Purpose::RandomPlacement => "pipeline.random".into(),
            Purpose::TrainingApplications(set) => format!("train.applications/{set}"),
            Purpose::Policy(name) => format!("policy/{name}"),
            Purpose::NetworkWeights => "network.weights".into(),
            Purpose::NetworkShuffle => "network.shuffle".into(),
            Purpose::Bootstrap => "stats.bootstrap".into(),
        }
    }
}

/// The 256-bit key of one stream of draws. Knowing one key tells nothing about another.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key([u8; 32]);

impl Key {
    /// Derives the key of `purpose` at node `node` (0 where no node is meant) under `seed`:
    /// `SHA-256(domain ‖ seed ‖ node ‖ label)`, integers as 8 bytes little endian.
    pub fn derive(seed: u64, purpose: Purpose<'_>, node: usize) -> Key {
        let mut hash = Sha256::new();
        hash.update(DOMAIN);
        hash.update(seed.to_le_bytes());
        hash.update((node as u64).to_le_bytes());
        hash.update(purpose.label().as_bytes());
        Key(hash.finalize().into())
    }

    /// The key of stream `index` of whoever owns this one, for an owner that needs several draws in
    /// a slot: `SHA-256(domain ‖ key ‖ index)`, the index as 8 bytes little endian.
    pub fn child(&self, index: u64) -> Key {
        let mut hash = Sha256::new();
        hash.update(CHILD_DOMAIN);
        hash.update(self.0);
        hash.update(index.to_le_bytes());
        Key(hash.finalize().into())
    }
}

/// A key is a secret of the process that owns it: it never appears in a log.
impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(..)")
    }
}

/// Draws that are generated at a time: four ChaCha blocks, what vector instructions make at once.
const BATCH: usize = 32;

/// One 64-bit draw per slot: draw `t` is the `t`-th little-endian 64-bit word of the ChaCha8 key
/// stream (64-bit counter from 0, nonce 0). Reading slots in order is cheap; any other order gives
/// the same draws.
#[derive(Clone)]
pub struct Stream {
    key: Key,
    /// Number of the batch in `draws`; `u64::MAX` before the first.
    batch: u64,
    draws: [u64; BATCH],
}

impl Stream {
    /// The stream of `key`.
    pub fn new(key: &Key) -> Stream {
        Stream { key: *key, batch: u64::MAX, draws: [0; BATCH] }
    }

    /// The draw of `slot` (slots count from 1).
    #[inline]
    pub fn at(&mut self, slot: u64) -> u64 {
        debug_assert!(slot >= 1, "slots count from 1");
        let index = slot - 1;
        let batch = index / BATCH as u64;
        if batch != self.batch {
            self.fill(batch);
        }
        self.draws[(index % BATCH as u64) as usize]
    }

    #[inline(never)]
    fn fill(&mut self, batch: u64) {
        let mut rng = ChaCha8Rng::from_seed(self.key.0);
        // Two 32-bit words of key stream are one draw.
        rng.set_word_pos(u128::from(batch) * BATCH as u128 * 2);
        for draw in &mut self.draws {
            *draw = rng.next_u64();
        }
        self.batch = batch;
    }

    /// The draw of `slot` as a uniform number in `[0, 1)`.
    #[inline]
    pub fn uniform(&mut self, slot: u64) -> f64 {
        uniform(self.at(slot))
    }

    /// The draw of `slot` as a standard normal number.
    pub fn normal(&mut self, slot: u64) -> f64 {
        normal(self.at(slot))
    }
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stream").finish_non_exhaustive()
    }
}

/// Maps a 64-bit draw to `[0, 1)` on the grid of 2^-53.
#[inline]
pub fn uniform(draw: u64) -> f64 {
    (draw >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
}

/// Maps a 64-bit draw to a standard normal number by inversion of the distribution function, so
/// that one draw always makes one number (a rejection method would not).
pub fn normal(draw: u64) -> f64 {
    // The middle of one of 2^52 cells. With 2^53 the last middle would round to 1.
    let p = ((draw >> 12) as f64 + 0.5) * (1.0 / (1u64 << 52) as f64);
    inverse_normal(p)
}

/// Distribution function of the standard normal.
pub fn normal_cdf(z: f64) -> f64 {
    0.5 * libm::erfc(-z * std::f64::consts::FRAC_1_SQRT_2)
}

/// Maps a uniform number to a Poisson number of mean `mean` by inversion; `exp_minus_mean` is
/// `exp(-mean)`, computed once by the caller.
#[inline]
pub fn poisson(u: f64, mean: f64, exp_minus_mean: f64) -> u32 {
    let (mut count, mut term, mut sum) = (0u32, exp_minus_mean, exp_minus_mean);
    while u >= sum {
        count += 1;
        term *= mean / f64::from(count);
        let next = sum + term;
        if next == sum {
            // The sum has rounded to below 1 and will never exceed u.
            break;
        }
        sum = next;
    }
    count
}

/// Inverse of the standard normal distribution function, algorithm AS 241 (PPND16) of M. J.
/// Wichura, Applied Statistics 37 (1988) 477-484; about 16 digits for `0 < p < 1`.
pub fn inverse_normal(p: f64) -> f64 {
    const A: [f64; 8] = [
        3.387_132_872_796_366_5,
        1.331_416_678_917_843_8e2,
        1.971_590_950_306_551_3e3,
        1.373_169_376_550_946e4,
        4.592_195_393_154_987e4,
        6.726_577_092_700_87e4,
        3.343_057_558_358_813e4,
        2.509_080_928_730_122_7e3,
    ];
    const B: [f64; 8] = [
        1.0,
        4.231_333_070_160_091e1,
        6.871_870_074_920_579e2,
        5.394_196_021_424_751e3,
        2.121_379_430_158_659_7e4,
        3.930_789_580_009_271e4,
        2.872_908_573_572_194_3e4,
        5.226_495_278_852_854e3,
    ];
    const C: [f64; 8] = [
        1.423_437_110_749_683_5,
        4.630_337_846_156_546,
        5.769_497_221_460_691,
        3.647_848_324_763_204_5,
        1.270_458_252_452_368_4,
        2.417_807_251_774_506e-1,
        2.272_384_498_926_918_4e-2,
        7.745_450_142_783_414e-4,
    ];
    const D: [f64; 8] = [
        1.0,
        2.053_191_626_637_759,
        1.676_384_830_183_803_8,
        6.897_673_349_851e-1,
        1.481_039_764_274_800_8e-1,
        1.519_866_656_361_645_7e-2,
        5.475_938_084_995_345e-4,
        1.050_750_071_644_416_9e-9,
    ];
    const E: [f64; 8] = [
        6.657_904_643_501_103,
        5.463_784_911_164_114,
        1.784_826_539_917_291_3,
        2.965_605_718_285_048_7e-1,
        2.653_218_952_657_612_4e-2,
        1.242_660_947_388_078_4e-3,
        2.711_555_568_743_487_6e-5,
        2.010_334_399_292_288_1e-7,
    ];
    const F: [f64; 8] = [
        1.0,
        5.998_322_065_558_88e-1,
        1.369_298_809_227_358e-1,
        1.487_536_129_085_061_5e-2,
        7.868_691_311_456_133e-4,
        1.846_318_317_510_054_8e-5,
        1.421_511_758_316_446e-7,
        2.044_263_103_389_939_8e-15,
    ];
    let q = p - 0.5;
    if q.abs() <= 0.425 {
        let r = 0.180625 - q * q;
        return q * horner(&A, r) / horner(&B, r);
    }
    let tail = if q < 0.0 { p } else { 1.0 - p };
    let r = libm::sqrt(-libm::log(tail));
    let z = if r <= 5.0 {
        horner(&C, r - 1.6) / horner(&D, r - 1.6)
    } else {
        horner(&E, r - 5.0) / horner(&F, r - 5.0)
    };
    if q < 0.0 { -z } else { z }
}

/// Value at `x` of the polynomial with the given coefficients, lowest power first.
fn horner(coefficients: &[f64; 8], x: f64) -> f64 {
    coefficients.iter().rev().fold(0.0, |sum, c| sum * x + c)
}
