//! Where a training stands, in a file.

use std::collections::BTreeMap;
use std::path::Path;

use crate::adam::AdamState;
use crate::architecture::describe;
use crate::layer::Parameters;
use crate::model::{
    ARCHITECTURE, LoadError, Metadata, ModelFault, SaveError, list, nothing_left, read_bytes,
    take_network, take_parameters, write_whole,
};
use crate::network::Network;
use crate::safetensors::{self, Tensor};

/// The entry of the metadata that counts the steps of Adam.
const STEPS: &str = "adam.steps";

/// A network in training: who goes on from it takes the same steps, bit for bit, as who never
/// stopped. As safetensors: the tensors of [`Network::save`], and beside each `net.N.weight` the
/// moments `adam.first.N.weight` and `adam.second.N.weight`, beside each bias likewise.
#[derive(Debug, Clone, PartialEq)]
pub struct Checkpoint {
    /// The network.
    pub network: Network,
    /// What Adam remembers.
    pub state: AdamState,
    /// What else is to be known: learning rate, keys, how far one has come. The entries
    /// `architecture` and `adam.steps` belong to the file.
    pub metadata: Metadata,
}

impl Checkpoint {
    /// Writes it to `path`, in the stead of what was there: whoever reads finds the old file or the
    /// new one, whole.
    ///
    /// # Errors
    /// If a weight or moment is not finite or the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), SaveError> {
        let bytes = self.to_bytes().map_err(SaveError::Model)?;
        write_whole(path, &bytes).map_err(|error| SaveError::Write { path: path.into(), error })
    }

    /// As [`Checkpoint::save`], into memory.
    ///
    /// # Errors
    /// If a weight or moment is not finite.
    pub fn to_bytes(&self) -> Result<Vec<u8>, ModelFault> {
        let layers = self.network.layers();
        let mut metadata = self.metadata.clone();
        metadata.insert(ARCHITECTURE.into(), describe(layers));
        metadata.insert(STEPS.into(), self.state.steps.to_string());
        let mut tensors = Vec::new();
        for (number, layer) in layers.iter().enumerate() {
            let Some(own) = layer.parameters() else { continue };
            list(&mut tensors, layer, names("net", number), own)?;
            for (part, moments) in self.moments() {
                let own = moments[number].as_ref().expect("moments of the same network");
                list(&mut tensors, layer, names(part, number), own)?;
            }
        }
        Ok(safetensors::encode(metadata, &tensors))
    }

    fn moments(&self) -> [(&'static str, &[Option<Parameters>]); 2] {
        [("adam.first", &self.state.first), ("adam.second", &self.state.second)]
    }

    /// Reads one.
    ///
    /// # Errors
    /// If the file is not there or not whole, or is no checkpoint.
    pub fn load(path: &Path) -> Result<Checkpoint, LoadError> {
        let checkpoint = Checkpoint::from_bytes(&read_bytes(path)?);
        checkpoint.map_err(|fault| LoadError { path: path.into(), fault })
    }

    /// As [`Checkpoint::load`], from the bytes of a file.
    ///
    /// # Errors
    /// As [`Checkpoint::load`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Checkpoint, ModelFault> {
        let safetensors::File { mut metadata, mut tensors } = safetensors::decode(bytes)?;
        let steps = metadata.remove(STEPS).and_then(|text| text.parse().ok());
        let network = take_network(&mut metadata, &mut tensors)?;
        let steps = steps.ok_or(ModelFault::Entry(STEPS))?;
        let first = take_moments(&mut tensors, &network, "adam.first")?;
        let second = take_moments(&mut tensors, &network, "adam.second")?;
        nothing_left(tensors)?;
        Ok(Checkpoint { network, state: AdamState { steps, first, second }, metadata })
    }
}

fn names(part: &str, number: usize) -> [String; 2] {
    [format!("{part}.{number}.weight"), format!("{part}.{number}.bias")]
}

fn take_moments(
    tensors: &mut BTreeMap<String, Tensor<'_>>,
    network: &Network,
    part: &str,
) -> Result<Vec<Option<Parameters>>, ModelFault> {
    let moments = network.layers().iter().enumerate().map(|(number, layer)| {
        layer.parameters().map(|_| take_parameters(tensors, layer, names(part, number))).transpose()
    });
    moments.collect()
}
