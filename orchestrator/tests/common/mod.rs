//! What the tests of the program share: running it, and looking at processes.
#![allow(dead_code, reason = "each test binary uses its own part")]

pub(crate) mod metrics;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Long enough for anything here; reaching it means that something hangs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) fn topology(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../topologies").join(name)
}

pub(crate) fn conformance(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../conformance").join(name)
}

/// The program, without what the environment might set.
pub(crate) fn fogbit() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fogbit"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("FOGBIT_")) {
        command.env_remove(name);
    }
    command.env("NO_COLOR", "1");
    command
}

/// `fogbit run FILE ARGUMENTS --out OUT`, which must end well; gives its summary.
pub(crate) fn run(file: &Path, arguments: &[&str], out: &Path) -> Value {
    let output = fogbit()
        .arg("run")
        .arg(file)
        .args(arguments)
        .args(["--format", "json", "--quiet", "--out"])
        .arg(out)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Every file of a folder with its content.
pub(crate) fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            (name, std::fs::read(entry.path()).unwrap())
        })
        .collect()
}

/// Fails unless both runs have the same decision files, byte for byte, and some.
pub(crate) fn assert_same_decisions(a: &Path, b: &Path, what: &str) {
    let (a, b) = (files(&a.join("decisions")), files(&b.join("decisions")));
    assert!(!a.is_empty(), "{what}: no decision files");
    assert_eq!(a.keys().collect::<Vec<_>>(), b.keys().collect::<Vec<_>>(), "{what}");
    for (name, content) in &a {
        assert!(content == &b[name], "{what}: {name} differs");
    }
}

/// Waits until `ready` gives something.
pub(crate) fn wait_for<T>(what: &str, mut ready: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(value) = ready() {
            return value;
        }
        assert!(start.elapsed() < PATIENCE, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Waits for the end of a process, but not for ever.
pub(crate) fn wait_for_end(child: &mut Child) -> Option<i32> {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code();
        }
        assert!(start.elapsed() < PATIENCE, "the process did not end");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A process that is killed when the test ends, however it ends: a test that fails must not leave
/// a run behind that goes on for ever.
#[derive(Debug)]
pub(crate) struct Guarded(pub(crate) Option<Child>);

impl Guarded {
    /// Waits for the end of the process; its exit code and its standard error.
    pub(crate) fn end(mut self) -> (Option<i32>, String) {
        let code = wait_for_end(&mut self);
        let child = self.0.take().expect("it is taken once");
        (code, stderr(&child.wait_with_output().unwrap()))
    }
}

impl std::ops::Deref for Guarded {
    type Target = Child;

    fn deref(&self) -> &Child {
        self.0.as_ref().expect("it is taken only at its end")
    }
}

impl std::ops::DerefMut for Guarded {
    fn deref_mut(&mut self) -> &mut Child {
        self.0.as_mut().expect("it is taken only at its end")
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            // Both fail only where the process has ended already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Starts a process that does not outlive the test.
pub(crate) fn spawn(command: &mut Command) -> Guarded {
    Guarded(Some(command.spawn().unwrap()))
}

/// A process as the kernel describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) id: i32,
    pub(crate) parent: i32,
    pub(crate) arguments: Vec<String>,
}

/// All processes that run; those that are dead and only wait to be collected do not count.
pub(crate) fn processes() -> Vec<Process> {
    let entries = std::fs::read_dir("/proc").unwrap();
    entries
        .filter_map(|entry| {
            let id: i32 = entry.ok()?.file_name().to_str()?.parse().ok()?;
            let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
            // The name stands in parentheses and may hold anything.
            let mut rest = stat[stat.rfind(')')? + 1..].split_whitespace();
            let (state, parent) = (rest.next()?, rest.next()?.parse().ok()?);
            if state == "Z" || state == "X" {
                return None;
            }
            let arguments = std::fs::read(format!("/proc/{id}/cmdline")).ok()?;
            let arguments = String::from_utf8_lossy(&arguments)
                .split_terminator('\0')
                .map(str::to_owned)
                .collect();
            Some(Process { id, parent, arguments })
        })
        .collect()
}

/// The nodes that a running orchestrator has started.
pub(crate) fn nodes_of(orchestrator: &Child) -> Vec<Process> {
    let parent = orchestrator.id() as i32;
    processes().into_iter().filter(|process| process.parent == parent).collect()
}

pub(crate) fn is_running(process: &Process) -> bool {
    processes().iter().any(|p| p.id == process.id && p.arguments == process.arguments)
}

pub(crate) fn send(signal: rustix::process::Signal, id: i32) {
    let id = rustix::process::Pid::from_raw(id).unwrap();
    rustix::process::kill_process(id, signal).unwrap();
}

/// A run that goes on until it is ended: `small.toml` or another with far too many slots.
pub(crate) fn endless(file: &str, out: &Path) -> Guarded {
    spawn(
        fogbit()
            .arg("run")
            .arg(topology(file))
            .args(["--set", "slots=100000000", "--set", "expect=[]", "--quiet", "--out"])
            .arg(out)
            .stdout(Stdio::null())
            .stderr(Stdio::piped()),
    )
}

/// Waits until some trial of a run has written decisions.
pub(crate) fn wait_for_decisions(out: &Path) {
    wait_for("the first decisions", || {
        let decisions = std::fs::read_dir(out.join("decisions")).ok()?;
        let size = |entry: std::fs::DirEntry| entry.metadata().map_or(0, |m| m.len());
        decisions.filter_map(Result::ok).any(|entry| size(entry) > 1000).then_some(())
    });
}

/// An orchestrator that waits for nodes to join, and where.
pub(crate) struct Joining {
    pub(crate) child: Guarded,
    pub(crate) address: String,
    stderr: BufReader<std::process::ChildStderr>,
}

impl Joining {
    pub(crate) fn start(file: &Path, arguments: &[&str], tokens: &Path, out: &Path) -> Joining {
        let tokens = ["--tokens", tokens.to_str().unwrap()];
        Joining::start_with(file, &[arguments, &tokens].concat(), out)
    }

    /// The same with nothing said of tokens.
    pub(crate) fn start_with(file: &Path, arguments: &[&str], out: &Path) -> Joining {
        let mut joining = Joining::start_at("", file, arguments, out);
        let line = joining.wait_for_line("joining on ");
        let (_, rest) = line.split_once("joining on ").unwrap();
        joining.address = rest.split([',', ')']).next().unwrap().trim().to_owned();
        joining
    }

    /// The same on an address that is known, without waiting until it is ready.
    pub(crate) fn start_at(address: &str, file: &Path, arguments: &[&str], out: &Path) -> Joining {
        let mut child = spawn(
            fogbit()
                .arg("run")
                .arg(file)
                .args(["--backend", "join", "--format", "json"])
                .args(arguments)
                .arg("--out")
                .arg(out)
                .stdout(Stdio::piped())
                .stderr(Stdio::piped()),
        );
        let stderr = BufReader::new(child.stderr.take().unwrap());
        Joining { child, address: address.to_owned(), stderr }
    }

    /// The next line on standard error that holds `part`.
    pub(crate) fn wait_for_line(&mut self, part: &str) -> String {
        loop {
            let mut line = String::new();
            assert!(self.stderr.read_line(&mut line).unwrap() > 0, "it ended without {part:?}");
            if line.contains(part) {
                return line;
            }
        }
    }

    /// Waits for the end; exit code, standard output and the rest of standard error.
    pub(crate) fn end(mut self) -> (Option<i32>, String, String) {
        use std::io::Read;
        let stdout = self.child.stdout.take().unwrap();
        let reader = std::thread::spawn(move || std::io::read_to_string(stdout).unwrap());
        let code = wait_for_end(&mut self.child);
        let mut stderr = String::new();
        self.stderr.read_to_string(&mut stderr).unwrap();
        (code, reader.join().unwrap(), stderr)
    }
}

/// A node started by hand for an orchestrator that is there.
pub(crate) fn node(subcommand: &str, address: &str, token: &Path, more: &[&str]) -> Guarded {
    waiting_node(subcommand, address, token, &[&["--wait", "0s"], more].concat())
}

/// A node started by hand that waits for what is not there yet.
pub(crate) fn waiting_node(
    subcommand: &str,
    address: &str,
    token: &Path,
    more: &[&str],
) -> Guarded {
    spawn(
        fogbit()
            .args([subcommand, "--join", address, "--token-file"])
            .arg(token)
            .args(more)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped()),
    )
}

/// Makes authority and tokens.
pub(crate) fn create_tokens(folder: &Path) {
    let output = fogbit().args(["token", "create", "--out"]).arg(folder).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
}

/// What lies in a folder.
pub(crate) fn files_and_folders(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

/// Says that a test is skipped and why; with `FOGBIT_REQUIRE_ALL=1` that is a failure.
pub(crate) fn skip(test: &str, why: &str) {
    let all = std::env::var("FOGBIT_REQUIRE_ALL").is_ok_and(|value| value == "1");
    assert!(!all, "{test} cannot be skipped here: {why}");
    eprintln!("skipped {test}: {why}");
}

/// Says, past the capture of output, that a test is skipped because data are missing that the project may
/// not ship.
pub(crate) fn without_reference_data(test: &str) {
    let line = format!("SKIPPED: {test}: FOGBIT_REFERENCE_DATA is not set\n");
    std::io::Write::write_all(&mut std::io::stderr(), line.as_bytes()).unwrap();
}

/// A QUIC client that believes every server and shows no certificate.
pub(crate) fn careless_client(alpn: &[u8]) -> quinn::ClientConfig {
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(std::sync::Arc::new(Careless(provider)))
        .with_no_client_auth();
    config.alpn_protocols = vec![alpn.into()];
    let crypto = quinn::crypto::rustls::QuicClientConfig::try_from(config).unwrap();
    quinn::ClientConfig::new(std::sync::Arc::new(crypto))
}

#[derive(Debug)]
struct Careless(std::sync::Arc<rustls::crypto::CryptoProvider>);

impl rustls::client::danger::ServerCertVerifier for Careless {
    fn verify_server_cert(
        &self,
        _end_entity: &rustls::pki_types::CertificateDer<'_>,
        _intermediates: &[rustls::pki_types::CertificateDer<'_>],
        _server_name: &rustls::pki_types::ServerName<'_>,
        _ocsp_response: &[u8],
        _now: rustls::pki_types::UnixTime,
    ) -> Result<rustls::client::danger::ServerCertVerified, rustls::Error> {
        Ok(rustls::client::danger::ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &rustls::pki_types::CertificateDer<'_>,
        _dss: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        Ok(rustls::client::danger::HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _cert: &rustls::pki_types::CertificateDer<'_>,
        _dss: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        Ok(rustls::client::danger::HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// The text of a compressed file.
pub(crate) fn unzipped(path: &Path) -> String {
    let file = std::fs::File::open(path).unwrap();
    std::io::read_to_string(flate2::read::MultiGzDecoder::new(file)).unwrap()
}
