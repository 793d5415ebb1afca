//! `health`: whether a process lives, for the health checks of containers.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use clap::Args;
use http_body_util::Empty;
use hyper::body::Bytes;
use hyper::header::HOST;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::print;
use crate::exit::{Exit, Failure};
use crate::exporter::DEFAULT_PORT;

/// An answer that takes longer is none.
const PATIENCE: Duration = Duration::from_secs(3);

/// Ask a process that serves metrics whether it lives
///
/// Asks for /healthz and prints `ok` if the answer comes within 3 seconds. Meant for the health
/// checks of containers, where FOGBIT_METRICS is set for both.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  fogbit health --metrics 127.0.0.1:9464\n\n\
    Exit codes: 0 it lives; 4 it does not, or cannot be reached.")]
pub(crate) struct HealthArgs {
    /// Where the process serves its metrics; 0.0.0.0 means this host
    #[arg(
        long,
        value_name = "IP:PORT",
        default_value_t = SocketAddr::from((Ipv4Addr::LOCALHOST, DEFAULT_PORT)),
        env = "FOGBIT_METRICS"
    )]
    metrics: SocketAddr,
}

pub(crate) fn health(args: HealthArgs) -> Result<Exit, Failure> {
    let address = reachable(args.metrics);
    // The time limit needs the runtime's clock already when it is made.
    let asked = async { tokio::time::timeout(PATIENCE, ask(address)).await };
    let told = super::stopping::runtime()?
        .block_on(asked)
        .unwrap_or_else(|_| Err(format!("no answer in {} s", PATIENCE.as_secs())));
    told.map_err(|reason| {
        Failure::new(Exit::Failed, format!("no healthy process on {address}: {reason}")).help(
            "name the address that the process was given as --metrics (FOGBIT_METRICS); without \
             one it serves none",
        )
    })?;
    print("ok\n")?;
    Ok(Exit::Well)
}

/// An address that one listens on, as one to connect to.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip: IpAddr = match address.ip() {
        ip if !ip.is_unspecified() => ip,
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    };
    SocketAddr::new(ip, address.port())
}

/// Asks once; the error says what happened instead of a good answer.
async fn ask(address: SocketAddr) -> Result<(), String> {
    let stream = TcpStream::connect(address).await.map_err(|error| error.to_string())?;
    let unanswered = |error: hyper::Error| format!("it does not speak HTTP: {error}");
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(unanswered)?;
    // It moves the bytes and ends with the runtime; what goes wrong with it the sender is told.
    tokio::spawn(connection);
    let request = Request::get("/healthz")
        .header(HOST, address.to_string())
        .body(Empty::<Bytes>::new())
        .map_err(|error| error.to_string())?;
    match sender.send_request(request).await.map_err(unanswered)?.status() {
        StatusCode::OK => Ok(()),
        status => Err(format!("it answered {status}")),
    }
}

#[cfg(test)]
mod tests {
    use super::reachable;

    #[test]
    fn addresses_to_listen_on_become_ones_to_connect_to() {
        let cases = [
            ("0.0.0.0:9464", "127.0.0.1:9464"),
            ("[::]:1", "[::1]:1"),
            ("192.0.2.1:80", "192.0.2.1:80"),
            ("[2001:db8::1]:80", "[2001:db8::1]:80"),
        ];
        for (listened, connected) in cases {
            assert_eq!(reachable(listened.parse().unwrap()), connected.parse().unwrap());
        }
    }
}
