//! The metrics of a process over HTTP, in the text format of Prometheus.
//!
//! Everything here runs on a thread and a runtime of its own: neither a scrape nor a client that
//! dawdles delays the loop that plays trials. `docs/metrics.md` has the paths and the metrics.

mod routes;
mod server;

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread::JoinHandle;

use prometheus::process_collector::ProcessCollector;
use prometheus::{IntGauge, Opts, Registry};
use tokio::sync::oneshot;

/// The port that metrics have by custom. A process serves none unless it is told an address.
pub const DEFAULT_PORT: u16 = 9464;

/// What finds the processes that serve metrics, whenever `/targets` is asked for. It is called on
/// the exporter's thread and must not block.
pub type FindTargets = Arc<dyn Fn() -> Vec<Target> + Send + Sync>;

/// A process of the run that serves metrics, as Prometheus' HTTP service discovery is told.
///
/// Prometheus renames a metric's own labels where its target has the same ones, unless the scrape
/// is configured with `honor_labels: true`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Where Prometheus reaches it.
    pub address: SocketAddr,
    /// The label `role`: `orchestrator`, `helper` or `task-node`.
    pub role: String,
    /// The label `node`, the name of a helper node or task node; the orchestrator has none.
    pub node: Option<String>,
}

/// An HTTP server of the metrics of this process. It ends, and its port is free again, when this is
/// dropped.
#[derive(Debug)]
pub struct Exporter {
    handle: ExporterHandle,
    /// Dropped to stop the thread.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Changes what an [`Exporter`] serves, from any thread. It does not keep the server alive.
#[derive(Clone)]
pub struct ExporterHandle {
    address: SocketAddr,
    shared: Arc<Shared>,
}

/// What the server reads and the handles write.
struct Shared {
    role: String,
    registry: Mutex<Registry>,
    targets: Mutex<Option<FindTargets>>,
}

impl Exporter {
    /// Serves on `address`, port 0 for any free one, with the [`process_registry`] of `role`
    /// (`orchestrator`, `helper` or `task-node`) at first.
    ///
    /// The thread may run on the processor cores that the calling thread may run on now. A node
    /// that is to stay on one core starts its exporter before that, or the two would share it.
    ///
    /// # Errors
    /// If the address is in use or not of this host, or a thread cannot be started. The message
    /// says what would help.
    pub fn start(address: SocketAddr, role: &str) -> io::Result<Exporter> {
        let explain = |error| unserved(address, &error);
        let listener = TcpListener::bind(address).map_err(explain)?;
        listener.set_nonblocking(true).map_err(explain)?;
        let shared = Arc::new(Shared {
            role: role.into(),
            registry: Mutex::new(process_registry(role, HashMap::new())),
            targets: Mutex::new(None),
        });
        let handle = ExporterHandle {
            address: listener.local_addr().map_err(explain)?,
            shared: Arc::clone(&shared),
        };
        let (stop, stopped) = oneshot::channel();
        let (tell, started) = mpsc::sync_channel(1);
        let thread = std::thread::Builder::new()
            .name("metrics".into())
            .spawn(move || server::run(listener, shared, stopped, &tell))
            .map_err(explain)?;
        let exporter = Exporter { handle, stop: Some(stop), thread: Some(thread) };
        let started = started.recv().unwrap_or_else(|_| Err(io::Error::other("the thread died")));
        started.map_err(explain)?;
        Ok(exporter)
    }

    /// Where it listens, with the port that was taken.
    pub fn address(&self) -> SocketAddr {
        self.handle.address
    }

    /// What changes the metrics that are served; to be cloned for other threads.
    pub fn handle(&self) -> &ExporterHandle {
        &self.handle
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // That it panicked was on standard error.
            let _ = thread.join();
        }
    }
}

impl ExporterHandle {
    /// Where the exporter listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The registry that is served now; metrics can be registered with it.
    pub fn registry(&self) -> Registry {
        lock(&self.shared.registry).clone()
    }

    /// Serves another registry from the next scrape on. A node that has learned its name takes a
    /// [`process_registry`] that has the name as a label.
    pub fn set_registry(&self, registry: Registry) {
        *lock(&self.shared.registry) = registry;
    }

    /// Serves `/targets` from now on, with what `find` gives.
    pub fn set_targets(&self, find: FindTargets) {
        *lock(&self.shared.targets) = Some(find);
    }
}

impl fmt::Debug for ExporterHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExporterHandle").field("address", &self.address).finish_non_exhaustive()
    }
}

/// A new registry with what every process has: `fogbit_build_info` and the `process_` metrics.
///
/// Every series of it carries `labels`. They must not be `role` or `version`, nor a label that a
/// metric registered later has of its own.
pub fn process_registry(role: &str, labels: HashMap<String, String>) -> Registry {
    let registry = Registry::new_custom(None, Some(labels)).expect("there is no prefix");
    let build_info = Opts::new("fogbit_build_info", "Always 1; says which program this is.")
        .const_label("version", env!("CARGO_PKG_VERSION"))
        .const_label("role", role);
    let build_info = IntGauge::with_opts(build_info).expect("name and labels are well formed");
    build_info.set(1);
    registry.register(Box::new(build_info)).expect("it is the first of its name");
    registry
        .register(Box::new(ProcessCollector::for_self()))
        .expect("its names begin in another way");
    registry
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn unserved(address: SocketAddr, error: &io::Error) -> io::Error {
    let advice = match error.kind() {
        io::ErrorKind::AddrInUse | io::ErrorKind::AddrNotAvailable => {
            "; choose another address with --metrics (FOGBIT_METRICS), port 0 takes a free one"
        }
        io::ErrorKind::PermissionDenied => {
            "; choose a port above 1023 with --metrics (FOGBIT_METRICS)"
        }
        _ => "",
    };
    io::Error::new(error.kind(), format!("cannot serve metrics on {address}: {error}{advice}"))
}
