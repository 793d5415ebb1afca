//! The thread of the exporter: connections and how long they may take.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, oneshot};

use super::{Shared, routes};

/// A connection is closed after this long, whatever its client is doing.
const CONNECTION_TIME: Duration = Duration::from_secs(10);
/// And after this long without a whole request: slow clients must not take the places of others.
const REQUEST_TIME: Duration = Duration::from_secs(1);
/// So many connections are served at once; more of them wait.
const CONNECTIONS: usize = 64;
/// Bytes that a connection keeps of what its client sends.
const CONNECTION_BUFFER: usize = 16 << 10;
/// After a connection could not be accepted, for want of file descriptors for example. Trying again
/// at once would keep a core busy.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves until `stopped`; first it tells whether it could start.
pub(super) fn run(
    listener: std::net::TcpListener,
    shared: Arc<Shared>,
    stopped: oneshot::Receiver<()>,
    tell: &SyncSender<io::Result<()>>,
) {
    let runtime =
        match tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build() {
            Ok(runtime) => runtime,
            Err(error) => {
                let _ = tell.send(Err(error));
                return;
            }
        };
    // Leaving the runtime ends every connection.
    runtime.block_on(async {
        let listener = match TcpListener::from_std(listener) {
            Ok(listener) => listener,
            Err(error) => {
                let _ = tell.send(Err(error));
                return;
            }
        };
        let _ = tell.send(Ok(()));
        tokio::select! {
            biased;
            // Nothing is ever sent: the sender is dropped.
            _ = stopped => {}
            never = accept(listener, shared) => match never {},
        }
    });
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) -> Infallible {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let place = Arc::clone(&places).acquire_owned().await.expect("it is never closed");
        match listener.accept().await {
            Ok((stream, _)) => {
                let shared = Arc::clone(&shared);
                tokio::spawn(async move {
                    serve(stream, shared).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection for metrics");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Answers one request. Connections are not kept for the next one, so that the limit of time is one
/// of the request and cuts no scrape short that came late on a connection.
async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    let own = stream.local_addr().map(|address| address.ip().to_canonical()).ok();
    let service = service_fn(move |request| {
        let answer = routes::answer(&shared, own, &request);
        async move { Ok::<_, Infallible>(answer) }
    });
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(REQUEST_TIME)
        .keep_alive(false)
        .max_buf_size(CONNECTION_BUFFER)
        .serve_connection(TokioIo::new(stream), service);
    match tokio::time::timeout(CONNECTION_TIME, serving).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "a client of the metrics"),
        Err(_) => tracing::debug!("a client of the metrics took too long"),
    }
}
