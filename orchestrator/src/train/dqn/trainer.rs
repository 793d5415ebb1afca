//! One training, iteration by iteration.

use fogbit_neural::{
    Adam, Checkpoint, Initial, Layer, Metadata, ModelFault, Network, Regression, Standardiser, Tape,
};
use fogbit_policy::cascade::{
    DqnModel, DqnModelError, DqnOrigin, DqnScale, DqnShape, dqn_standardiser,
};
use fogbit_scenario::cascade::Setting;
use fogbit_scenario::draw::{Key, Purpose, Stream};
use fogbit_scenario::topology::DqnTraining;

use super::origin::{origin, summary};
use super::stream::{TrainingKeys, TrainingStream};
use super::targets::{Targets, centre};

/// What negative values are multiplied with between layers.
const SLOPE: f32 = 0.2;
/// Most bytes that the rows of an iteration may take.
const MOST_BYTES: u64 = 4 << 30;

/// Entries of the metadata.
const TRAINING: &str = "training";
const SETTING: &str = "setting";
const SUMMARY: &str = "scenario";
const DONE: &str = "iterations.done";

/// Why there is no network.
#[derive(Debug, thiserror::Error)]
pub enum DqnTrainError {
    /// Too much memory would be taken.
    #[error(
        "an iteration of {rows} segments with {width} values each does not fit into {} GB",
        MOST_BYTES >> 30
    )]
    TooLarge {
        /// Segments in an iteration.
        rows: u64,
        /// Values that go in and come out for each.
        width: usize,
    },
    /// The loss is not finite any more.
    #[error("the loss is not finite in iteration {iteration}: try a lower learning rate")]
    Diverged {
        /// Its number, from 1.
        iteration: u32,
    },
    /// The policy has stopped to look at images.
    #[error(
        "after {iteration} iterations the policy is degenerate: it {does}. Try another seed, a lower \
         learning rate or more updates"
    )]
    Degenerate {
        /// How many iterations were done.
        iteration: u32,
        /// What it does.
        does: &'static str,
    },
    /// A checkpoint is one of another training.
    #[error("the checkpoint is one of another training: {0}")]
    Checkpoint(String),
    /// What was learnt is no model.
    #[error("what was learnt is no model: {0}")]
    Model(#[from] DqnModelError),
    /// Somebody asked to stop.
    #[error("the training was stopped")]
    Stopped,
}

impl From<ModelFault> for DqnTrainError {
    fn from(fault: ModelFault) -> DqnTrainError {
        DqnTrainError::Model(fault.into())
    }
}

/// A network in training. The same setting and parameters give the same bits on one host, whether it
/// was stopped in between or not: what an iteration does depends on its number, the network, and what
/// the optimiser remembers.
#[derive(Debug)]
pub struct DqnTrainer {
    how: DqnTraining,
    origin: DqnOrigin,
    standardiser: Standardiser,
    shape: DqnShape,
    stream: TrainingStream,
    segments: Stream,
    network: Network,
    /// Takes batches through the network as it was when the iteration began: the target network.
    target: Tape,
    regression: Regression,
    targets: Targets,
    /// What the network sees before each segment's last image, `[updates * batch, inputs]`.
    before: Vec<f32>,
    /// What it is to say then, `[updates * batch, outputs]`.
    wanted: Vec<f32>,
    /// What it sees after the last image, `[batch, inputs]`.
    after: Vec<f32>,
    done: u32,
}

impl DqnTrainer {
    /// A training for `setting`, before its first iteration or where `from` stands.
    ///
    /// # Errors
    /// If it needs too much memory, or `from` is of another training.
    pub fn new(
        setting: &Setting,
        how: &DqnTraining,
        from: Option<Checkpoint>,
    ) -> Result<DqnTrainer, DqnTrainError> {
        let origin = origin(setting, how.history);
        let shape = DqnShape::new(setting.bucket, &setting.arrivals, how.history);
        let (inputs, outputs, batch) = (shape.inputs(), shape.outputs(), how.batch as usize);
        let rows = u64::from(how.updates) * u64::from(how.batch);
        let width = inputs + outputs;
        if rows * width as u64 * size_of::<f32>() as u64 > MOST_BYTES {
            return Err(DqnTrainError::TooLarge { rows, width });
        }
        let (network, state, done) = match from {
            Some(from) => {
                let done = check(&from, &origin, how)?;
                from.network.expect_ends(inputs, outputs)?;
                (from.network, Some(from.state), done)
            }
            None => (first(&shape, how), None, 0),
        };
        let regression = match state {
            Some(state) => Regression::resume(&network, batch, state),
            None => Regression::new(&network, batch),
        };
        let keys = TrainingKeys::new(how.seed);
        let standardiser = dqn_standardiser(&setting.images);
        let scale = DqnScale::new(&standardiser, &setting.arrivals);
        Ok(DqnTrainer {
            stream: TrainingStream::new(setting, shape, scale, how.images, &keys.stream),
            segments: Stream::new(&keys.segments),
            target: Tape::new(&network, batch),
            regression,
            targets: Targets::new(shape, how.discount),
            before: vec![0.0; rows as usize * inputs],
            wanted: vec![0.0; rows as usize * outputs],
            after: vec![0.0; batch * inputs],
            network,
            standardiser,
            shape,
            origin,
            how: how.clone(),
            done,
        })
    }

    /// How many iterations are done.
    pub fn done(&self) -> u32 {
        self.done
    }

    /// How it is trained.
    pub fn how(&self) -> &DqnTraining {
        &self.how
    }

    /// The setting that it is trained for.
    pub fn origin(&self) -> &DqnOrigin {
        &self.origin
    }

    /// Does one iteration: draws its segments, asks the target network for all of them, takes the
    /// mean of all targets away, and moves the network batch by batch. Gives the mean loss.
    ///
    /// # Errors
    /// If the loss is not finite.
    pub fn iterate(&mut self) -> Result<f64, DqnTrainError> {
        let iteration = self.done + 1;
        self.draw(iteration);
        centre(&mut self.wanted);
        let adam = Adam { rate: self.rate(iteration), ..Adam::default() };
        let batch = self.how.batch as usize;
        let rows = self.before.chunks_exact(batch * self.shape.inputs());
        let wanted = self.wanted.chunks_exact(batch * self.shape.outputs());
        let mut sum = 0.0;
        for (rows, wanted) in rows.zip(wanted) {
            sum += self.regression.step(&mut self.network, &adam, rows, wanted);
        }
        if !sum.is_finite() {
            return Err(DqnTrainError::Diverged { iteration });
        }
        self.done = iteration;
        Ok(sum / f64::from(self.how.updates))
    }

    /// Draws the segments of an iteration and computes their targets. Until it is moved the network
    /// is its own target network.
    fn draw(&mut self, iteration: u32) {
        let (inputs, outputs) = (self.shape.inputs(), self.shape.outputs());
        let batch = self.how.batch as usize;
        let count = u128::from(self.stream.segments());
        let mut draw = u64::from(iteration - 1) * (self.wanted.len() / outputs) as u64;
        let befores = self.before.chunks_exact_mut(batch * inputs);
        let mut outcomes = Vec::with_capacity(batch);
        let mut segments = Vec::with_capacity(batch);
        for (before, wanted) in befores.zip(self.wanted.chunks_exact_mut(batch * outputs)) {
            outcomes.clear();
            segments.clear();
            for _ in 0..batch {
                draw += 1;
                segments.push(((u128::from(self.segments.at(draw)) * count) >> 64) as u64);
            }
            self.stream.fetch(&segments);
            let rows = before.chunks_exact_mut(inputs).zip(self.after.chunks_exact_mut(inputs));
            for (segment, (before, after)) in segments.iter().zip(rows) {
                outcomes.push(self.stream.read(*segment, before, after));
            }
            self.target.inputs(batch).copy_from_slice(&self.after);
            self.target.forward(&self.network);
            let says = self.target.outputs().chunks_exact(outputs);
            for ((outcome, says), wanted) in
                outcomes.iter().zip(says).zip(wanted.chunks_exact_mut(outputs))
            {
                self.targets.fill(outcome, says, wanted);
            }
        }
    }

    /// The learning rate falls for the last quarter.
    fn rate(&self, iteration: u32) -> f64 {
        let DqnTraining { iterations, learning_rate, last_learning_rate, .. } = self.how;
        match u64::from(iteration) * 4 <= u64::from(iterations) * 3 {
            true => learning_rate,
            false => last_learning_rate,
        }
    }

    /// The network as it is now.
    ///
    /// # Errors
    /// If it is no model.
    pub fn model(&self) -> Result<DqnModel, DqnTrainError> {
        let mut metadata = Metadata::new();
        metadata.insert(TRAINING.into(), self.how_text());
        metadata.insert(SUMMARY.into(), summary(&self.origin));
        let (network, origin) = (self.network.clone(), self.origin.clone());
        Ok(DqnModel::new(network, origin, &self.standardiser, metadata)?)
    }

    /// Where the training stands.
    pub fn checkpoint(&self) -> Checkpoint {
        let mut metadata = Metadata::new();
        metadata.insert(TRAINING.into(), self.how_text());
        metadata.insert(SETTING.into(), setting_text(&self.origin));
        metadata.insert(DONE.into(), self.done.to_string());
        let state = self.regression.state().clone();
        Checkpoint { network: self.network.clone(), state, metadata }
    }

    fn how_text(&self) -> String {
        serde_json::to_string(&self.how).expect("plain data")
    }
}

fn setting_text(origin: &DqnOrigin) -> String {
    serde_json::to_string(origin).expect("plain data")
}

/// The network before its first iteration: He-uniform weights.
fn first(shape: &DqnShape, how: &DqnTraining) -> Network {
    let hidden = how.hidden.iter().map(|size| *size as usize);
    let widths: Vec<usize> =
        std::iter::once(shape.inputs()).chain(hidden).chain([shape.outputs()]).collect();
    let key = Key::derive(how.seed, Purpose::NetworkWeights, 0);
    Network::dense(&widths, &Layer::LeakyRelu { slope: SLOPE }, Initial::HeUniform, &key)
}

/// Whether a checkpoint is one of this training; gives how many iterations are done.
fn check(from: &Checkpoint, origin: &DqnOrigin, how: &DqnTraining) -> Result<u32, DqnTrainError> {
    let other = |reason: String| Err(DqnTrainError::Checkpoint(reason));
    let entry = |name| from.metadata.get(name).map_or("", String::as_str);
    let Ok(their_how) = serde_json::from_str::<DqnTraining>(entry(TRAINING)) else {
        return other("it does not say how it was trained".into());
    };
    if their_how != *how {
        let (theirs, ours) = (entry(TRAINING), serde_json::to_string(how).expect("plain data"));
        return other(format!("it was begun with {theirs}, this is {ours}"));
    }
    if entry(SETTING) != setting_text(origin) {
        let theirs = serde_json::from_str(entry(SETTING)).map(|theirs| summary(&theirs));
        let theirs = theirs.unwrap_or_else(|_| "no setting".into());
        return other(format!(
            "it is for {theirs}, this is {} or has other images",
            summary(origin)
        ));
    }
    match entry(DONE).parse() {
        Ok(done) if done <= how.iterations => Ok(done),
        _ => other(format!("{DONE} = \"{}\"", entry(DONE))),
    }
}
