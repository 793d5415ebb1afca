//! How fast lockstep over processes is, beside a bare QUIC ping-pong: messages of the same sizes
//! over one stream between two processes on one core. The two are measured in turn, because
//! machines are shared and noisy; what counts is the ratio.
//!
//! `cargo bench -p fogbit --bench lockstep`

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Instant;

use fogbit_scenario::Bit;
use fogbit_scenario::feedback::Outcome;
use fogbit_transport::codec::{DATA_LIMIT, encode};
use fogbit_transport::wire::{SessionReply, SessionRequest};
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};

const ROUNDS: usize = 7;
const SLOTS: u64 = 30_000;
const CORE: usize = 0;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let argument = |at: usize| arguments.get(at).map(String::as_str);
    match argument(1) {
        Some("--pong") => block_on(pong()),
        Some("--ping") => {
            let (address, certificate) = (argument(2).unwrap(), argument(3).unwrap());
            block_on(ping(address.parse().unwrap(), from_hex(certificate)));
        }
        _ => compare(),
    }
}

/// Sizes of a request and its answer in the middle of a trial, in bytes.
fn sizes() -> (usize, usize) {
    let size = |message: &dyn Fn(&mut Vec<u8>)| {
        let mut buffer = Vec::new();
        message(&mut buffer);
        buffer.len()
    };
    let request = SessionRequest::Offload { slot: 5000, task: vec![0.25; 2] };
    let answer =
        SessionReply::Answer { outcome: Outcome::Answered(Bit::Happy), changed: Vec::new() };
    (
        size(&|buffer| encode(&request, buffer, DATA_LIMIT).unwrap()),
        size(&|buffer| encode(&answer, buffer, DATA_LIMIT).unwrap()),
    )
}

fn compare() {
    let (request, answer) = sizes();
    println!(
        "messages of {request} and {answer} bytes, {SLOTS} round trips, {ROUNDS} rounds in turn"
    );
    let mut rows = Vec::new();
    for round in 1..=ROUNDS {
        let bare = bare_rate();
        let fogbit = fogbit_rate();
        println!(
            "round {round}: ping-pong {bare:.0}/s, fogbit {fogbit:.0} slots/s, ratio {:.2}",
            fogbit / bare
        );
        rows.push((bare, fogbit, fogbit / bare));
    }
    let median = |value: &dyn Fn(&(f64, f64, f64)) -> f64| {
        let mut values: Vec<f64> = rows.iter().map(value).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    println!(
        "median: ping-pong {:.0}/s, fogbit {:.0} slots/s, ratio {:.2}",
        median(&|r| r.0),
        median(&|r| r.1),
        median(&|r| r.2)
    );
}

/// Round trips a second between two bare processes on one core.
fn bare_rate() -> f64 {
    let this = std::env::current_exe().unwrap();
    let mut pong = spawn(Command::new(&this).arg("--pong"));
    let told = first_line(&mut pong);
    let (address, certificate) = told.split_once(' ').unwrap();
    let mut ping = spawn(Command::new(&this).args(["--ping", address, certificate]));
    let rate = first_line(&mut ping).parse().unwrap();
    ping.wait().unwrap();
    drop(pong.stdin.take());
    pong.kill().unwrap();
    pong.wait().unwrap();
    rate
}

/// Slots a second of one policy with ten helper nodes, all on one core.
fn fogbit_rate() -> f64 {
    let dir = tempfile::tempdir().unwrap();
    let topology = concat!(env!("CARGO_MANIFEST_DIR"), "/../topologies/paper.toml");
    let output = Command::new(env!("CARGO_BIN_EXE_fogbit"))
        .args(["run", topology, "--policy", "toof", "--format", "json", "--quiet"])
        .args(["--no-decisions", "--set", &format!("slots={SLOTS}"), "--out"])
        .arg(dir.path().join("out"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let summary: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    summary["policies"][0]["slots_per_second"].as_f64().unwrap()
}

fn spawn(command: &mut Command) -> Child {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap()
}

fn first_line(child: &mut Child) -> String {
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    line.trim().to_owned()
}

fn block_on(future: impl Future<Output = ()>) {
    let mut set = rustix::thread::CpuSet::new();
    set.set(CORE);
    rustix::thread::sched_setaffinity(None, &set).unwrap();
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future);
}

async fn pong() {
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate =
        rcgen::CertificateParams::new(vec!["pong".to_owned()]).unwrap().self_signed(&key).unwrap();
    let key = PrivatePkcs8KeyDer::from(key.serialize_der());
    let tls = rustls::ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key.into())
        .unwrap();
    let crypto = QuicServerConfig::try_from(tls).unwrap();
    let config = quinn::ServerConfig::with_crypto(Arc::new(crypto));
    let endpoint = quinn::Endpoint::server(config, (Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    println!("{} {}", endpoint.local_addr().unwrap(), to_hex(certificate.der()));
    std::io::stdout().flush().unwrap();
    let connection = endpoint.accept().await.unwrap().await.unwrap();
    let (mut send, mut receive) = connection.accept_bi().await.unwrap();
    let (request, answer) = sizes();
    let (mut buffer, answer) = (vec![0; request], vec![0; answer]);
    while receive.read_exact(&mut buffer).await.is_ok() {
        send.write_all(&answer).await.unwrap();
    }
}

async fn ping(address: SocketAddr, certificate: Vec<u8>) {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from(certificate)).unwrap();
    let tls = rustls::ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let crypto = QuicClientConfig::try_from(tls).unwrap();
    let endpoint = quinn::Endpoint::client((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let config = quinn::ClientConfig::new(Arc::new(crypto));
    let connection = endpoint.connect_with(config, address, "pong").unwrap().await.unwrap();
    let (mut send, mut receive) = connection.open_bi().await.unwrap();
    let (request, answer) = sizes();
    let (request, mut buffer) = (vec![0; request], vec![0; answer]);
    let started = Instant::now();
    for _ in 0..SLOTS {
        send.write_all(&request).await.unwrap();
        receive.read_exact(&mut buffer).await.unwrap();
    }
    println!("{}", SLOTS as f64 / started.elapsed().as_secs_f64());
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex(text: &str) -> Vec<u8> {
    (0..text.len() / 2).map(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).unwrap()).collect()
}
