//! Messages of the problem `cascade`: what the orchestrator orders, and how an image travels. The
//! session of a trial at its helper node is that of [`steering`](crate::steering).
//!
//! Images and pictures may be many, so they follow their order in pieces ([`send_load`]).

use std::net::SocketAddr;

use fogbit_scenario::cascade::{
    ArrivalProcess, CascadeInstance, EdgeNode, ImageRow, ImageStep, ImageTable, RingWalk, Setting,
    StreamKeys, TokenBucket,
};
use serde::{Deserialize, Serialize};

use crate::codec::{FrameReceiver, FrameSender, WireError};
use crate::report::{Report, Timed};
use crate::wire::{LinkEnd, OrderHead, Player, TrialId};

/// Orchestrator to helper node: serve as the strong classifier under one seed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EdgeOrder {
    /// Which seed of the run, from 0.
    pub number: u64,
    /// Who plays each policy: nobody else may open its trial's session.
    pub players: Vec<Player>,
    /// What it is.
    pub edge: EdgeNode,
    /// The link to the task node, if it is emulated.
    pub link: Option<LinkEnd>,
    /// The strong classifier (safetensors); without it images only take their time.
    pub strong: Option<Vec<u8>>,
}

/// Orchestrator to task node: play one trial. Images and pictures follow as pieces.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CascadeOrder {
    /// Who plays what.
    pub head: OrderHead,
    /// Number of images.
    pub images: u64,
    /// How their metrics follow each other; there are as many images to choose from as it says.
    pub walk: RingWalk,
    /// The same for the images to learn from.
    pub training: RingWalk,
    /// When they come.
    pub arrivals: ArrivalProcess,
    /// The draws of the stream.
    pub keys: StreamKeys,
    /// The token bucket.
    pub bucket: TokenBucket,
    /// Length of a slot and the time after which an answer is given up, in nanoseconds; none in
    /// virtual time.
    pub wall_ns: Option<(u64, u64)>,
    /// Name of the helper node, and where it listens.
    pub helper: (String, SocketAddr),
    /// The link to it, if it is emulated.
    pub link: Option<LinkEnd>,
    /// What travels for each image, in bytes.
    pub image_bytes: u64,
    /// The weak classifier (safetensors); with it the pictures come too.
    pub weak: Option<Vec<u8>>,
}

impl CascadeOrder {
    /// The trial, with the images that came for it.
    pub fn instance(&self, table: ImageTable) -> CascadeInstance {
        CascadeInstance {
            seed: 0,
            images: self.images,
            table,
            walk: self.walk,
            arrivals: self.arrivals,
            keys: self.keys,
            bucket: self.bucket,
            wall_ns: self.wall_ns,
        }
    }

    /// What its policy may know beforehand, with the images that came for that.
    pub fn setting(&self, images: ImageTable) -> Setting {
        let CascadeOrder { training, arrivals, bucket, walk, .. } = *self;
        Setting { images, walk: training, trial_images: walk.images, arrivals, bucket }
    }

    /// Bytes of all pictures that follow.
    fn picture_bytes(&self) -> u64 {
        let each = if self.weak.is_some() { self.image_bytes } else { 0 };
        u64::from(self.walk.images).saturating_mul(each)
    }
}

/// A part of what follows a [`CascadeOrder`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum CascadePiece {
    /// More images of the trial, by rank.
    Images(Vec<ImageRow>),
    /// More images to learn from, by rank.
    Training(Vec<ImageRow>),
    /// More bytes of the pictures, by rank.
    Pictures(Vec<u8>),
    /// That was all.
    Whole,
}

/// Images in a piece.
const ROWS_AT_ONCE: usize = 1 << 14;
/// Bytes of pictures in a piece.
const BYTES_AT_ONCE: usize = 1 << 18;

/// What follows a [`CascadeOrder`].
#[derive(Debug, Clone, PartialEq)]
pub struct CascadeLoad {
    /// The images of the trial.
    pub images: ImageTable,
    /// The images to learn from.
    pub training: ImageTable,
    /// The picture of each image of the trial by rank, one after another; empty without a classifier.
    pub pictures: Vec<u8>,
}

/// Sends what follows an order. `pictures` are all of `images`, by rank, or none.
///
/// # Errors
/// If the stream is gone.
pub async fn send_load(
    send: &mut FrameSender,
    images: &ImageTable,
    training: &ImageTable,
    pictures: &[u8],
) -> Result<(), WireError> {
    for rows in images.rows().chunks(ROWS_AT_ONCE) {
        send.send(&CascadePiece::Images(rows.to_vec())).await?;
    }
    for rows in training.rows().chunks(ROWS_AT_ONCE) {
        send.send(&CascadePiece::Training(rows.to_vec())).await?;
    }
    for bytes in pictures.chunks(BYTES_AT_ONCE) {
        send.send(&CascadePiece::Pictures(bytes.to_vec())).await?;
    }
    send.send(&CascadePiece::Whole).await
}

/// Receives what follows `order`.
///
/// # Errors
/// If the stream is gone, or what comes is not what the order announces.
pub async fn receive_load(
    receive: &mut FrameReceiver,
    order: &CascadeOrder,
) -> Result<CascadeLoad, WireError> {
    let (mut images, mut training, mut pictures) = (Vec::new(), Vec::new(), Vec::new());
    loop {
        match receive.expect().await? {
            CascadePiece::Images(rows) => images.extend(rows),
            CascadePiece::Training(rows) => training.extend(rows),
            CascadePiece::Pictures(bytes) => pictures.extend(bytes),
            CascadePiece::Whole => break,
        }
        let more = images.len() as u64 > u64::from(order.walk.images)
            || training.len() as u64 > u64::from(order.training.images)
            || pictures.len() as u64 > order.picture_bytes();
        if more {
            return Err(WireError::Malformed("more images than were announced".into()));
        }
    }
    if pictures.len() as u64 != order.picture_bytes() {
        return Err(WireError::Malformed("fewer pictures than were announced".into()));
    }
    Ok(CascadeLoad {
        images: table(images, order.walk.images)?,
        training: table(training, order.training.images)?,
        pictures,
    })
}

fn table(rows: Vec<ImageRow>, announced: u32) -> Result<ImageTable, WireError> {
    if rows.is_empty() || rows.len() as u64 != u64::from(announced) {
        return Err(WireError::Malformed(format!("{} images of {announced}", rows.len())));
    }
    if rows.iter().any(|row| row.metric.is_nan()) {
        return Err(WireError::Malformed("a metric that is not a number".into()));
    }
    Ok(ImageTable::new(rows))
}

/// Task node to orchestrator, on a trial's stream: images come in time.
pub type CascadeReport = Report<Timed<ImageStep>>;

/// Task node to helper node: classify an image, whose bytes follow. The answer is a
/// [`ComputeReply`](crate::compute::ComputeReply), and after `Done` the class in one byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageRequest {
    /// The trial it belongs to.
    pub trial: TrialId,
    /// Its number within the trial.
    pub image: u64,
    /// Bytes of it that follow.
    pub image_bytes: u64,
    /// After this many nanoseconds, counted by the helper node from the moment at which it reads
    /// this, the answer is of no use.
    pub deadline_ns: Option<u64>,
}

/// Bytes of an answer: the class.
pub const ANSWER_BYTES: u64 = 1;
