//! Networks in files: safetensors, with the names and layout of PyTorch's `state_dict` of a module
//! whose `nn.Sequential` is called `net`.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use crate::architecture::{describe, fault, guess, names, parse, sides};
use crate::layer::{Layer, Parameters};
use crate::network::{LayersError, Network};
use crate::safetensors::{self, Tensor};

/// What a model's file says beside its weights: names of features, the standardiser, how it was
/// trained. The entry `architecture` belongs to the network.
pub type Metadata = BTreeMap<String, String>;

/// The entry of the metadata that names the layers, as `dense 4 32, relu, dense 32 2`. Files of
/// others need none: layers without weights are then taken for ReLU.
pub(crate) const ARCHITECTURE: &str = "architecture";

/// No model of ours comes near it; a larger file is not read.
const LARGEST_FILE: u64 = 1 << 30;

/// A model could not be read.
#[derive(Debug, thiserror::Error)]
#[error("{}: {fault}", path.display())]
pub struct LoadError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong.
    pub fault: ModelFault,
}

/// What is wrong with a model's file.
#[derive(Debug, thiserror::Error)]
pub enum ModelFault {
    /// There is none.
    #[error("there is no such file")]
    Missing,
    /// It cannot be read.
    #[error("it cannot be read: {0}")]
    Unreadable(io::Error),
    /// It is too large.
    #[error("it is larger than {LARGEST_FILE} bytes, the most that is read")]
    TooLarge,
    /// It ends too early.
    #[error("it is truncated: {have} bytes, expected {want}")]
    Truncated {
        /// How long it is.
        have: usize,
        /// How long it would have to be, as far as can be told.
        want: usize,
    },
    /// It is something else.
    #[error("it is not in the format safetensors: {0}")]
    Malformed(String),
    /// Its layers make no network.
    #[error("its architecture is no network: {0}")]
    Architecture(String),
    /// A tensor is missing.
    #[error("{0} is missing")]
    MissingTensor(String),
    /// There is a tensor that no layer has.
    #[error("{0} belongs to no layer")]
    UnexpectedTensor(String),
    /// A tensor has the wrong shape.
    #[error("{name} is {}, expected {}", sides(found), sides(expected))]
    Shape {
        /// Its name.
        name: String,
        /// Its shape.
        found: Vec<usize>,
        /// What it should be.
        expected: Vec<usize>,
    },
    /// A tensor is not of single precision.
    #[error("{name} is of type {found}, expected F32")]
    Type {
        /// Its name.
        name: String,
        /// Its type, as the format calls it.
        found: String,
    },
    /// A weight is not finite.
    #[error("{name} has the value {value} at place {place}: weights are finite")]
    NotFinite {
        /// Name of the tensor.
        name: String,
        /// Place in it, from 0, row by row.
        place: usize,
        /// What is there.
        value: f32,
    },
    /// An entry of the metadata that is needed is missing or no number.
    #[error("the entry \"{0}\" of its metadata is missing or no whole number")]
    Entry(&'static str),
    /// The network is for something else.
    #[error("it takes {inputs} values and gives {outputs}, expected {} and {}", expected.0, expected.1)]
    Ends {
        /// What it takes.
        inputs: usize,
        /// What it gives.
        outputs: usize,
        /// What it should take and give.
        expected: (usize, usize),
    },
}

/// A model could not be written.
#[derive(Debug, thiserror::Error)]
pub enum SaveError {
    /// A weight is not finite: nobody could load it again.
    #[error(transparent)]
    Model(ModelFault),
    /// The file cannot be written.
    #[error("{} cannot be written: {error}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
}

impl Network {
    /// Writes the network and `metadata` to `path`, in the stead of what was there: whoever reads it
    /// finds the old file or the new one, whole. The same network and metadata are the same bytes.
    ///
    /// # Errors
    /// If a weight is not finite or the file cannot be written; nothing is left behind then.
    pub fn save(&self, path: &Path, metadata: &Metadata) -> Result<(), SaveError> {
        let bytes = self.to_bytes(metadata).map_err(SaveError::Model)?;
        write_whole(path, &bytes).map_err(|error| SaveError::Write { path: path.into(), error })
    }

    /// As [`Network::save`], into memory: the bytes of the file.
    ///
    /// # Errors
    /// If a weight is not finite.
    pub fn to_bytes(&self, metadata: &Metadata) -> Result<Vec<u8>, ModelFault> {
        let mut metadata = metadata.clone();
        metadata.insert(ARCHITECTURE.into(), describe(self.layers()));
        let mut tensors = Vec::new();
        for (number, layer) in self.layers().iter().enumerate() {
            let Some(own) = layer.parameters() else { continue };
            list(&mut tensors, layer, names(number), own)?;
        }
        Ok(safetensors::encode(metadata, &tensors))
    }

    /// Reads a network and its metadata.
    ///
    /// # Errors
    /// If the file is not there or not whole, is no safetensors, or holds other tensors than the
    /// network needs.
    pub fn load(path: &Path) -> Result<(Network, Metadata), LoadError> {
        let network = Network::from_bytes(&read_bytes(path)?);
        network.map_err(|fault| LoadError { path: path.into(), fault })
    }

    /// Checks that the network is for rows of `inputs` values and gives `outputs`.
    ///
    /// # Errors
    /// If not.
    pub fn expect_ends(&self, inputs: usize, outputs: usize) -> Result<(), ModelFault> {
        if (self.inputs(), self.outputs()) == (inputs, outputs) {
            return Ok(());
        }
        let expected = (inputs, outputs);
        Err(ModelFault::Ends { inputs: self.inputs(), outputs: self.outputs(), expected })
    }

    /// As [`Network::load`], from the bytes of a file.
    ///
    /// # Errors
    /// As [`Network::load`].
    pub fn from_bytes(bytes: &[u8]) -> Result<(Network, Metadata), ModelFault> {
        let safetensors::File { mut metadata, mut tensors } = safetensors::decode(bytes)?;
        let network = take_network(&mut metadata, &mut tensors)?;
        nothing_left(tensors)?;
        Ok((network, metadata))
    }
}

/// Adds weights and biases of a layer, or something of their shape, to the tensors of a file.
pub(crate) fn list<'a>(
    tensors: &mut Vec<(String, Vec<usize>, &'a [f32])>,
    layer: &Layer,
    names: [String; 2],
    own: &'a Parameters,
) -> Result<(), ModelFault> {
    let [weight, bias] = names;
    check_finite(&weight, &own.weight)?;
    check_finite(&bias, &own.bias)?;
    let shape = layer.weight_shape().expect("a layer with weights");
    tensors.push((weight, shape, &own.weight));
    tensors.push((bias, vec![own.bias.len()], &own.bias));
    Ok(())
}

/// The network of a file; its tensors and what names them are used up.
pub(crate) fn take_network(
    metadata: &mut Metadata,
    tensors: &mut BTreeMap<String, Tensor<'_>>,
) -> Result<Network, ModelFault> {
    let mut layers = match metadata.remove(ARCHITECTURE) {
        Some(text) => parse(&text)?,
        None => guess(tensors)?,
    };
    let inputs = match layers.first() {
        Some(Layer::Dense(dense)) => Some(dense.inputs),
        Some(Layer::Conv2d(conv)) => conv.inputs.values(),
        _ => None,
    };
    let inputs = inputs.ok_or(fault("the first layer is neither dense nor a convolution"))?;
    for (number, layer) in layers.iter_mut().enumerate() {
        if layer.weight_shape().is_some() {
            let own = take_parameters(tensors, layer, names(number))?;
            *layer.parameters_mut().expect("a layer with weights") = own;
        }
    }
    let network = Network::from_layers(inputs, layers);
    network.map_err(|error: LayersError| fault(&error.to_string()))
}

/// What [`list`] wrote of a layer with weights; the tensors are then used up.
pub(crate) fn take_parameters(
    tensors: &mut BTreeMap<String, Tensor<'_>>,
    layer: &Layer,
    names: [String; 2],
) -> Result<Parameters, ModelFault> {
    let [weight, bias] = names;
    let shape = layer.weight_shape().expect("a layer with weights");
    let outputs = shape[0];
    Ok(Parameters {
        weight: take(tensors, weight, shape)?,
        bias: take(tensors, bias, vec![outputs])?,
    })
}

/// Whether every tensor of a file was used up.
pub(crate) fn nothing_left(mut tensors: BTreeMap<String, Tensor<'_>>) -> Result<(), ModelFault> {
    match tensors.pop_first() {
        Some((name, _)) => Err(ModelFault::UnexpectedTensor(name)),
        None => Ok(()),
    }
}

/// The values of one tensor, which is then used up.
fn take(
    tensors: &mut BTreeMap<String, Tensor<'_>>,
    name: String,
    expected: Vec<usize>,
) -> Result<Vec<f32>, ModelFault> {
    let Some(tensor) = tensors.remove(&name) else {
        return Err(ModelFault::MissingTensor(name));
    };
    if tensor.shape != expected {
        return Err(ModelFault::Shape { name, found: tensor.shape, expected });
    }
    let Some(values) = tensor.values() else {
        return Err(ModelFault::Type { name, found: tensor.dtype });
    };
    check_finite(&name, &values)?;
    Ok(values)
}

fn check_finite(name: &str, values: &[f32]) -> Result<(), ModelFault> {
    match values.iter().position(|value| !value.is_finite()) {
        Some(place) => {
            Err(ModelFault::NotFinite { name: name.into(), place, value: values[place] })
        }
        None => Ok(()),
    }
}

/// The bytes of a model's file, for [`Network::from_bytes`].
///
/// # Errors
/// If it is not there, cannot be read or is far larger than a model.
pub fn read_bytes(path: &Path) -> Result<Vec<u8>, LoadError> {
    read(path).map_err(|fault| LoadError { path: path.into(), fault })
}

fn read(path: &Path) -> Result<Vec<u8>, ModelFault> {
    let file = fs::File::open(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => ModelFault::Missing,
        _ => ModelFault::Unreadable(error),
    })?;
    let mut bytes = Vec::new();
    file.take(LARGEST_FILE + 1).read_to_end(&mut bytes).map_err(ModelFault::Unreadable)?;
    if bytes.len() as u64 > LARGEST_FILE { Err(ModelFault::TooLarge) } else { Ok(bytes) }
}

/// Writes a file under another name, of this process alone, and moves it into place.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.part", std::process::id()));
    let part = path.with_file_name(name);
    let written = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .open(&part)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_data()))
        .and_then(|()| fs::rename(&part, path));
    if written.is_err() {
        let _ = fs::remove_file(&part);
    }
    written
}
