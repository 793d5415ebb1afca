//! The model of `dqn`: a network, what goes into it and comes out, and what it was trained for.

use fogbit_neural::{Metadata, ModelFault, Network, Standardiser, StandardiserError};
use fogbit_scenario::cascade::{ArrivalProcess, RingWalk, TokenBucket};
use serde::{Deserialize, Serialize};

const PROBLEM: &str = "problem";
const POLICY: &str = "policy";
const ORIGIN: &str = "setting";

/// The setting that a network was trained for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DqnOrigin {
    /// The token bucket.
    pub bucket: TokenBucket,
    /// How the metrics of streams came about.
    pub walk: RingWalk,
    /// How their gaps came about.
    pub arrivals: ArrivalProcess,
    /// T: images in a segment; the network sees one less.
    pub history: u32,
    /// SHA-256, in hexadecimal digits, of the metrics and rewards that were trained on.
    pub images: String,
}

/// What goes into a network and what comes out.
///
/// In: the last T-1 metrics, the newest first, then the T-2 gaps between these images, the newest
/// first, unless all gaps are alike. Out: the value of keeping an image at each level from N to M (no
/// level below N is ever met: a refill comes before each image), then that of sending it at each level
/// from P to M, together 2(M+1) - N - P.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DqnShape {
    bucket: TokenBucket,
    metrics: usize,
    gaps: usize,
}

impl DqnShape {
    /// That of networks for this bucket, these arrivals, and segments of `history` images.
    pub fn new(bucket: TokenBucket, arrivals: &ArrivalProcess, history: u32) -> DqnShape {
        let metrics = history as usize - 1;
        let gaps = if arrivals.is_constant() { 0 } else { metrics - 1 };
        DqnShape { bucket, metrics, gaps }
    }

    /// Metrics that go in.
    pub fn metrics(&self) -> usize {
        self.metrics
    }

    /// Gaps that go in.
    pub fn gaps(&self) -> usize {
        self.gaps
    }

    /// Values that go in.
    pub fn inputs(&self) -> usize {
        self.metrics + self.gaps
    }

    /// Values of keeping an image, one for each level from N on.
    pub fn keeps(&self) -> usize {
        (self.bucket.depth + 1 - self.bucket.refill) as usize
    }

    /// Values of sending it, one for each level from P on.
    pub fn sends(&self) -> usize {
        (self.bucket.depth + 1 - self.bucket.price) as usize
    }

    /// Values that come out.
    pub fn outputs(&self) -> usize {
        self.keeps() + self.sends()
    }

    /// Which outputs are the values of keeping and of sending an image at `level`; none without a
    /// token.
    #[inline]
    pub fn pair(&self, level: u32) -> Option<(usize, usize)> {
        let send = level.checked_sub(self.bucket.price)? as usize;
        Some(((level - self.bucket.refill) as usize, self.keeps() + send))
    }

    /// The bucket.
    pub fn bucket(&self) -> TokenBucket {
        self.bucket
    }
}

/// How what is seen comes to a network.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DqnScale {
    mean: f64,
    deviation: f64,
    middle: f64,
    half: f64,
}

impl DqnScale {
    /// The scale of metrics with the mean and deviation of `standardiser`, and of gaps that lie
    /// between those of `arrivals`.
    pub fn new(standardiser: &Standardiser, arrivals: &ArrivalProcess) -> DqnScale {
        let [low, high] = arrivals.gaps.map(f64::from);
        let half = (high - low).abs() / 2.0;
        DqnScale {
            mean: standardiser.mean()[0],
            deviation: standardiser.scale()[0],
            middle: (low + high) / 2.0,
            half: if half > 0.0 { half } else { 1.0 },
        }
    }

    /// The z-score of a metric among those trained on.
    #[inline]
    pub fn metric(&self, metric: f32) -> f32 {
        ((f64::from(metric) - self.mean) / self.deviation) as f32
    }

    /// A gap, so that those of the two states are -1 and 1.
    #[inline]
    pub fn gap(&self, gap: u32) -> f32 {
        ((f64::from(gap) - self.middle) / self.half) as f32
    }
}

/// A network that gives the value of keeping and of sending an image at each level of the bucket.
#[derive(Debug, Clone, PartialEq)]
pub struct DqnModel {
    network: Network,
    origin: DqnOrigin,
    shape: DqnShape,
    scale: DqnScale,
    metadata: Metadata,
}

/// Why a file holds no model of `dqn`.
#[derive(Debug, thiserror::Error)]
pub enum DqnModelError {
    /// It holds no network, or one of another shape than it says.
    #[error(transparent)]
    Network(#[from] ModelFault),
    /// It does not say what it is.
    #[error("its metadata has no entry \"{0}\": it was trained for something else")]
    Missing(&'static str),
    /// It says that it is something else.
    #[error("its metadata has {entry} = \"{found}\", expected \"{expected}\"")]
    Other {
        /// The entry of the metadata.
        entry: &'static str,
        /// What it says.
        found: String,
        /// What it should say.
        expected: &'static str,
    },
    /// What it says of its setting cannot be.
    #[error("the entry \"{ORIGIN}\" of its metadata is no setting: {0}")]
    Origin(String),
    /// Its metrics are on no scale.
    #[error(transparent)]
    Standardiser(#[from] StandardiserError),
}

impl DqnModel {
    /// A network that was trained for `origin`, with metrics on the scale of `standardiser`, which
    /// has one feature. `metadata` is what else its file says.
    ///
    /// # Errors
    /// If the network has other ends than [`DqnShape`] says.
    pub fn new(
        network: Network,
        origin: DqnOrigin,
        standardiser: &Standardiser,
        mut metadata: Metadata,
    ) -> Result<DqnModel, DqnModelError> {
        standardiser.store(&mut metadata);
        let text = serde_json::to_string(&origin).expect("plain data");
        metadata.insert(PROBLEM.into(), "cascade".into());
        metadata.insert(POLICY.into(), "dqn".into());
        metadata.insert(ORIGIN.into(), text);
        DqnModel::made(network, metadata)
    }

    /// Reads the bytes of a model's file.
    ///
    /// # Errors
    /// If they hold no such model.
    pub fn from_bytes(bytes: &[u8]) -> Result<DqnModel, DqnModelError> {
        let (network, metadata) = Network::from_bytes(bytes)?;
        DqnModel::made(network, metadata)
    }

    fn made(network: Network, metadata: Metadata) -> Result<DqnModel, DqnModelError> {
        for (entry, expected) in [(PROBLEM, "cascade"), (POLICY, "dqn")] {
            let found = metadata.get(entry).ok_or(DqnModelError::Missing(entry))?;
            if found != expected {
                return Err(DqnModelError::Other { entry, found: found.clone(), expected });
            }
        }
        let text = metadata.get(ORIGIN).ok_or(DqnModelError::Missing(ORIGIN))?;
        let origin: DqnOrigin =
            serde_json::from_str(text).map_err(|error| DqnModelError::Origin(error.to_string()))?;
        origin.check().map_err(|reason| DqnModelError::Origin(reason.into()))?;
        let shape = DqnShape::new(origin.bucket, &origin.arrivals, origin.history);
        network.expect_ends(shape.inputs(), shape.outputs())?;
        let standardiser = Standardiser::read(&metadata, 1)?;
        let scale = DqnScale::new(&standardiser, &origin.arrivals);
        Ok(DqnModel { network, origin, shape, scale, metadata })
    }

    /// The bytes of its file, which are the same for the same model.
    ///
    /// # Errors
    /// If a weight is not finite: nobody could read it again.
    pub fn to_bytes(&self) -> Result<Vec<u8>, ModelFault> {
        self.network.to_bytes(&self.metadata)
    }

    /// The network.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// The setting that it was trained for.
    pub fn origin(&self) -> &DqnOrigin {
        &self.origin
    }

    /// What goes in and comes out.
    pub fn shape(&self) -> &DqnShape {
        &self.shape
    }

    /// How what is seen comes to the network.
    pub fn scale(&self) -> &DqnScale {
        &self.scale
    }

    /// What its file says beside the weights.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }
}

impl DqnOrigin {
    /// Whether the numbers that sizes are computed from can be.
    fn check(&self) -> Result<(), &'static str> {
        let TokenBucket { refill, price, depth } = self.bucket;
        if !(1 <= refill && refill <= price && price <= depth && depth < u32::MAX / 2) {
            return Err("a bucket has 1 <= refill <= price <= depth");
        }
        if self.history < 2 {
            return Err("a segment has two images or more");
        }
        if self.arrivals.gaps.contains(&0) {
            return Err("gaps are 1 or more");
        }
        Ok(())
    }
}

/// The scale on which a network sees the metrics of `images`: their mean and deviation.
pub fn dqn_standardiser(images: &fogbit_scenario::cascade::ImageTable) -> Standardiser {
    let metrics: Vec<f64> = images.rows().iter().map(|row| f64::from(row.metric)).collect();
    Standardiser::fit(&metrics, 1)
}
