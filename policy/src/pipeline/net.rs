//! Networks that place all sub-tasks of an application at once: their files, and the policy.

use std::sync::Arc;

use fogbit_neural::{Metadata, ModelFault, Network, Prepared};
use fogbit_scenario::pipeline::{Application, Conditions, SiteSet};

use super::encoder::{Encoder, Encoding};
use super::{PipelinePolicy, Sight};

const PROBLEM: &str = "problem";
const FORMAT: &str = "format";
const ENCODING: &str = "encoding";
/// What [`FORMAT`] says: another number where the same numbers would mean something else.
const VERSION: &str = "placement-net/1";

/// A network that says for each sub-task how good each site is; what goes into it says its
/// [`Encoding`].
#[derive(Debug, Clone, PartialEq)]
pub struct PipelineNet {
    network: Network,
    encoding: Encoding,
    /// What its file says beside the weights.
    metadata: Metadata,
}

/// Why a file holds no placement network, or none for these applications.
#[derive(Debug, thiserror::Error)]
pub enum PipelineNetError {
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
    /// What it says of its inputs cannot be.
    #[error("the entry \"{ENCODING}\" of its metadata cannot be: {0}")]
    Encoding(String),
    /// It was trained for another number of sites.
    #[error("it was trained for {found} sites, here there are {wanted}")]
    Sites {
        /// For how many it was trained.
        found: usize,
        /// How many there are.
        wanted: usize,
    },
    /// Applications have too many sub-tasks for it.
    #[error("it was trained for up to {found} sub-tasks, here there are {wanted}")]
    SubTasks {
        /// For how many it was trained.
        found: usize,
        /// How many there are.
        wanted: usize,
    },
}

impl PipelineNet {
    /// A network that was trained on rows of `encoding`. `metadata` is what else its file says.
    ///
    /// # Errors
    /// If the network has other ends than the encoding says.
    pub fn new(
        network: Network,
        encoding: Encoding,
        mut metadata: Metadata,
    ) -> Result<PipelineNet, PipelineNetError> {
        encoding.check().map_err(PipelineNetError::Encoding)?;
        network.expect_ends(encoding.inputs(), encoding.outputs())?;
        let text = serde_json::to_string(&encoding).expect("plain data");
        for (entry, text) in [(PROBLEM, "pipeline"), (FORMAT, VERSION), (ENCODING, &text)] {
            metadata.insert(entry.into(), text.into());
        }
        Ok(PipelineNet { network, encoding, metadata })
    }

    /// Reads the bytes of a model's file.
    ///
    /// # Errors
    /// If they hold no such model.
    pub fn from_bytes(bytes: &[u8]) -> Result<PipelineNet, PipelineNetError> {
        let (network, metadata) = Network::from_bytes(bytes)?;
        for (entry, expected) in [(PROBLEM, "pipeline"), (FORMAT, VERSION)] {
            let found = metadata.get(entry).ok_or(PipelineNetError::Missing(entry))?;
            if found != expected {
                let found = found.clone();
                return Err(PipelineNetError::Other { entry, found, expected });
            }
        }
        let text = metadata.get(ENCODING).ok_or(PipelineNetError::Missing(ENCODING))?;
        let encoding = serde_json::from_str(text)
            .map_err(|error| PipelineNetError::Encoding(error.to_string()))?;
        PipelineNet::new(network, encoding, metadata)
    }

    /// The bytes of its file, which are the same for the same model.
    ///
    /// # Errors
    /// If a weight is not finite: nobody could read it again.
    pub fn to_bytes(&self) -> Result<Vec<u8>, ModelFault> {
        self.network.to_bytes(&self.metadata)
    }

    /// Whether it can place applications of up to `sub_tasks` sub-tasks at `sites` sites.
    ///
    /// # Errors
    /// If it was trained for other ones.
    pub fn fits(&self, sub_tasks: usize, sites: usize) -> Result<(), PipelineNetError> {
        let found = self.encoding.sites as usize;
        if found != sites {
            return Err(PipelineNetError::Sites { found, wanted: sites });
        }
        let found = self.encoding.sub_tasks as usize;
        if found < sub_tasks {
            return Err(PipelineNetError::SubTasks { found, wanted: sub_tasks });
        }
        Ok(())
    }

    /// The network.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// What goes into it.
    pub fn encoding(&self) -> &Encoding {
        &self.encoding
    }

    /// What its file says beside the weights.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }
}

/// Policies `imitation` and `distilled`: each sub-task runs where the network says most, of the sites
/// at which it may run.
#[derive(Debug, Clone)]
pub struct NetPolicy {
    encoder: Encoder,
    network: Prepared,
    sites: usize,
    row: Vec<f32>,
}

impl NetPolicy {
    /// Decides by `net`, which [fits](PipelineNet::fits) the applications. Of one that it does not
    /// fit sub-tasks that it does not know run at the first site at which they may.
    pub fn new(net: Arc<PipelineNet>) -> NetPolicy {
        NetPolicy {
            encoder: Encoder::new(&net.encoding),
            network: net.network.prepare(),
            sites: net.encoding.sites as usize,
            row: Vec::with_capacity(net.encoding.inputs()),
        }
    }

    /// Writes a site for each sub-task; what was in `placement` is gone.
    pub fn decide(
        &mut self,
        application: &Application,
        conditions: &Conditions,
        placement: &mut Vec<u8>,
    ) {
        self.encoder.encode(application, conditions, &mut self.row);
        let values = self.network.infer(&self.row);
        placement.clear();
        let mut values = values.chunks_exact(self.sites);
        for own in application.sub_tasks() {
            placement.push(best(values.next().unwrap_or(&[]), own.sites));
        }
    }
}

/// The site with the largest value, of those in `sites`; of equal ones the first, and the first of all
/// where none has a value. Which it is cannot be foreseen, so nothing is to branch.
#[inline]
fn best(values: &[f32], sites: SiteSet) -> u8 {
    let mut best = sites.iter().next().unwrap_or(0);
    let mut largest = f32::NEG_INFINITY;
    for (site, value) in values.iter().enumerate() {
        let better = sites.has(site) & (*value > largest);
        best = if better { site } else { best };
        largest = if better { *value } else { largest };
    }
    best as u8
}

impl PipelinePolicy for NetPolicy {
    fn place(&mut self, sight: &Sight<'_>, placement: &mut Vec<u8>) {
        self.decide(sight.application, sight.conditions, placement);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_where_a_sub_task_may_run() {
        let all = SiteSet::all(3);
        assert_eq!(best(&[0.1, 0.5, 0.5], all), 1);
        assert_eq!(best(&[0.1, 0.5, 0.9], SiteSet::only(0)), 0);
        assert_eq!(best(&[f32::NEG_INFINITY; 3], SiteSet::only(2)), 2);
        assert_eq!(best(&[], SiteSet::only(2)), 2, "a sub-task that the network does not know");
        assert_eq!(best(&[0.3], SiteSet::only(1)), 1, "a site that it does not know");
    }
}
