//! One seed of a cascade scenario.

use serde::{Deserialize, Serialize};

use super::bucket::TokenBucket;
use super::images::{ImageRow, ImageTable};
use super::scenario::{CascadeScenario, EdgeNode};
use super::stream::{ArrivalProcess, ImageStream, RingWalk, StreamKeys};
use crate::draw::{Key, Purpose};
use crate::link::{LinkKeys, LinkPath};

/// A cascade scenario under one seed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CascadeInstance {
    /// The seed; it does not travel.
    #[serde(skip)]
    pub seed: u64,
    /// Number of images.
    pub images: u64,
    /// The images, by rank.
    pub table: ImageTable,
    /// How their metrics follow each other.
    pub walk: RingWalk,
    /// When they come.
    pub arrivals: ArrivalProcess,
    /// The draws of the stream.
    pub keys: StreamKeys,
    /// The token bucket.
    pub bucket: TokenBucket,
    /// Length of a slot and the time after which an answer is given up, in nanoseconds; none in
    /// virtual time.
    pub wall_ns: Option<(u64, u64)>,
}

/// What a helper node is told of a trial.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EdgePart {
    /// What it is.
    pub edge: EdgeNode,
    /// The link over the trial; none where nothing is emulated.
    pub link: Option<LinkPath>,
    /// The keys of the link.
    pub keys: LinkKeys,
}

impl CascadeInstance {
    pub(super) fn new(scenario: &CascadeScenario, seed: u64) -> CascadeInstance {
        let key = |purpose| Key::derive(seed, purpose, 0);
        let table = scenario.test().clone();
        CascadeInstance {
            seed,
            images: scenario.images(),
            walk: RingWalk::new(&scenario.topology().stream, table.rows().len() as u32),
            table,
            arrivals: scenario.arrivals(),
            keys: StreamKeys {
                reset: key(Purpose::ImageReset),
                place: key(Purpose::ImagePlace),
                within: key(Purpose::ImageWithin),
                arrivals: key(Purpose::ImageArrivals),
            },
            bucket: scenario.bucket(),
            wall_ns: scenario.wall_ns(),
        }
    }

    /// The stream of the trial, before its first image.
    pub fn stream(&self) -> ImageStream {
        ImageStream::new(self.walk, self.arrivals, &self.keys)
    }

    /// What the task node of a policy may see: the images' metrics, but not what sending them gains.
    pub fn without_rewards(&self) -> CascadeInstance {
        let blank = |row: &ImageRow| ImageRow { weak_loss: 0.0, reward: 0.0, ..*row };
        let rows = self.table.rows().iter().map(blank).collect();
        CascadeInstance { table: ImageTable::new(rows), ..self.clone() }
    }

    /// What the helper node is told, and what the task node needs of the link.
    pub fn edge(&self, scenario: &CascadeScenario) -> EdgePart {
        EdgePart {
            edge: scenario.edge().clone(),
            link: scenario.link().cloned(),
            keys: LinkKeys::derive(self.seed, 0),
        }
    }
}
