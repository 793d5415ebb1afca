//! What a run of any problem has before it begins: everything that can be wrong with the arguments is
//! found here, before anything is written.

use tokio::runtime::Runtime;

use super::RunArgs;
use crate::backend::process::Targets;
use crate::cli::network::Network;
use crate::cli::stopping::runtime;
use crate::exit::Failure;
use crate::exporter::Exporter;

/// What a run is played with.
pub(super) struct Prepared {
    pub(super) runtime: Runtime,
    /// None for the backend that needs none.
    pub(super) network: Option<Network>,
    /// None where nobody asks for metrics.
    pub(super) exporter: Option<Exporter>,
}

impl Prepared {
    pub(super) fn new(args: &RunArgs) -> Result<Prepared, Failure> {
        let runtime = runtime()?;
        let exporter = args.metrics.map(|address| Exporter::start(address, "orchestrator"));
        let exporter = exporter.transpose().map_err(Failure::usage)?;
        let network = Network::prepare(args, &runtime)?;
        Ok(Prepared { runtime, network, exporter })
    }

    /// Serves `registry` and the processes of the run, which are the targets.
    pub(super) fn serve(&self, registry: prometheus::Registry) -> Targets {
        let targets = Targets::new(self.exporter.is_some());
        if let Some(exporter) = &self.exporter {
            exporter.handle().set_registry(registry);
            let (targets, own) = (targets.clone(), exporter.address());
            exporter.handle().set_targets(std::sync::Arc::new(move || targets.all(own)));
        }
        targets
    }
}
