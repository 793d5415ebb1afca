//! Nodes, tokens and the orchestrator come in any order, and nodes may stay for the next run.

mod common;

use std::io::Read;
use std::net::UdpSocket;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use common::{
    Guarded, Joining, create_tokens, files_and_folders, fogbit, node, send, stderr, topology,
    wait_for, wait_for_end, waiting_node,
};
use fogbit_transport::token::{published_file, token_file};
use fogbit_transport::{Role, Tokens};
use rustix::process::Signal;

/// A node that waits, and what it has said so far.
struct Waiting {
    child: Guarded,
    told: Arc<Mutex<String>>,
}

impl Waiting {
    fn start(role: Role, address: &str, token: &Path, more: &[&str]) -> Waiting {
        let subcommand = if role == Role::Helper { "node" } else { "task-node" };
        let mut child = waiting_node(subcommand, address, token, more);
        let mut stderr = child.stderr.take().unwrap();
        let told = Arc::new(Mutex::new(String::new()));
        let heard = Arc::clone(&told);
        std::thread::spawn(move || {
            let mut part = [0; 4096];
            while let Ok(length @ 1..) = stderr.read(&mut part) {
                heard.lock().unwrap().push_str(&String::from_utf8_lossy(&part[..length]));
            }
        });
        Waiting { child, told }
    }

    fn told(&self) -> String {
        self.told.lock().unwrap().clone()
    }

    fn wait_until_told(&self, part: &str) {
        wait_for(part, || self.told().contains(part).then_some(()));
    }

    fn signal(&self, signal: Signal) {
        send(signal, self.child.id() as i32);
    }

    /// It must end with this code.
    fn end(mut self, expected: i32) {
        let code = wait_for_end(&mut self.child);
        assert_eq!(code, Some(expected), "{}", self.told());
    }
}

/// The three helper nodes of `small.toml` and a task node.
fn all_nodes(address: &str, token: impl Fn(Role) -> std::path::PathBuf) -> Vec<Waiting> {
    [Role::Helper, Role::Helper, Role::Helper, Role::TaskNode]
        .into_iter()
        .map(|role| Waiting::start(role, address, &token(role), &["--wait", "forever"]))
        .collect()
}

/// An address on which nobody listens.
fn free_address() -> String {
    UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

/// An orchestrator for `small.toml` on `address` that publishes its tokens.
fn publishing(address: &str, tokens: &Path, out: &Path) -> Joining {
    let tokens = tokens.to_str().unwrap();
    let arguments = ["--set", "expect=[]", "--listen", address, "--publish-tokens", tokens];
    Joining::start_at(address, &topology("small.toml"), &arguments, out)
}

/// An orchestrator for `small.toml` with the tokens of a folder.
fn with_tokens(tokens: &Path, out: &Path) -> Joining {
    Joining::start(&topology("small.toml"), &["--set", "expect=[]"], tokens, out)
}

fn assert_ends_well(orchestrator: Joining) {
    let (code, _, told) = orchestrator.end();
    assert_eq!(code, Some(0), "{told}");
}

fn interrupt(orchestrator: Joining) {
    send(Signal::INT, orchestrator.child.id() as i32);
    assert_eq!(orchestrator.end().0, Some(130));
}

#[test]
fn nodes_wait_for_token_and_orchestrator() {
    let dir = tempfile::tempdir().unwrap();
    let tokens = dir.path().join("tokens");
    let address = free_address();
    let place = |role| published_file(&tokens, role);
    let nodes = all_nodes(&address, place);
    for node in &nodes {
        node.wait_until_told("waiting: there is no token file");
    }
    // A token that an older run has left: it leads nowhere, and the run replaces it.
    let _stale = Tokens::generate().unwrap().publish(place).unwrap();
    for node in &nodes {
        node.wait_until_told("waiting: cannot reach the orchestrator");
    }
    assert_ends_well(publishing(&address, &tokens, &dir.path().join("out")));
    for node in nodes {
        assert_eq!(node.told().matches("there is no token file").count(), 1, "{}", node.told());
        node.end(0);
    }
    assert!(!place(Role::Helper).exists() && !place(Role::TaskNode).exists());
}

#[test]
fn a_token_of_another_run_is_read_anew() {
    let dir = tempfile::tempdir().unwrap();
    let tokens = dir.path().join("tokens");
    create_tokens(&tokens);
    let orchestrator = with_tokens(&tokens, &dir.path().join("out"));
    let place = |role| published_file(&dir.path().join("published"), role);
    let _stale = Tokens::generate().unwrap().publish(place).unwrap();
    let nodes = all_nodes(&orchestrator.address, place);
    for node in &nodes {
        node.wait_until_told("is not of the run this token is for");
    }
    let _right = Tokens::load(&tokens).unwrap().publish(place).unwrap();
    assert_ends_well(orchestrator);
    for node in nodes {
        node.end(0);
    }
}

#[test]
fn a_spare_takes_the_place_of_a_node_that_leaves() {
    let dir = tempfile::tempdir().unwrap();
    let tokens = dir.path().join("tokens");
    create_tokens(&tokens);
    let mut orchestrator = with_tokens(&tokens, &dir.path().join("out"));
    let address = orchestrator.address.clone();
    let token = tokens.join(token_file(Role::Helper));
    let mut nodes: Vec<_> =
        (0..3).map(|_| Waiting::start(Role::Helper, &address, &token, &[])).collect();
    orchestrator.wait_for_line("3 of 3 helper nodes");
    let spare = Waiting::start(Role::Helper, &address, &token, &[]);
    spare.wait_until_told("waiting: every place is taken, this node is a spare");
    let left = nodes.remove(1);
    left.signal(Signal::TERM);
    left.end(0);
    let token = tokens.join(token_file(Role::TaskNode));
    nodes.push(Waiting::start(Role::TaskNode, &address, &token, &[]));
    nodes.push(spare);
    assert_ends_well(orchestrator);
    for node in nodes {
        node.end(0);
    }
}

#[test]
fn a_node_that_is_not_to_wait_does_not() {
    let dir = tempfile::tempdir().unwrap();
    create_tokens(dir.path());
    let token = dir.path().join(token_file(Role::Helper));
    let (code, told) = node("node", &free_address(), &token, &[]).end();
    assert_eq!(code, Some(4), "{told}");
    assert!(told.contains("cannot reach the orchestrator") && !told.contains("waiting"), "{told}");
    let (code, told) = node("node", "127.0.0.1:9", &dir.path().join("none"), &[]).end();
    assert_eq!(code, Some(4), "{told}");
    assert!(told.contains("cannot read the token file"), "{told}");
    // What can never become right is told at once, however long a node would wait.
    let forever = ["--wait", "forever"];
    std::fs::write(&token, "no token").unwrap();
    let (code, told) = waiting_node("node", "127.0.0.1:9", &token, &forever).end();
    assert_eq!(code, Some(2), "{told}");
    let (code, told) = waiting_node("node", "no-port", &token, &forever).end();
    assert_eq!(code, Some(2), "{told}");
    assert!(told.contains("a host and a port"), "{told}");
}

#[test]
fn waiting_has_an_end() {
    let dir = tempfile::tempdir().unwrap();
    let token = dir.path().join("token");
    // An empty file is one that somebody is about to write.
    std::fs::write(&token, "\n").unwrap();
    let begun = Instant::now();
    let (code, told) = waiting_node("node", "127.0.0.1:9", &token, &["--wait", "1s"]).end();
    assert!(begun.elapsed() >= Duration::from_secs(1));
    assert_eq!(code, Some(4), "{told}");
    assert_eq!(told.matches("waiting: the token file").count(), 1, "{told}");
}

#[test]
fn a_signal_ends_the_waiting() {
    let dir = tempfile::tempdir().unwrap();
    let tokens = dir.path().join("tokens");
    create_tokens(&tokens);
    let token = tokens.join(token_file(Role::Helper));
    let missing = dir.path().join("missing");
    let address = free_address();
    for (join, token, reason) in [
        (address.as_str(), &missing, "there is no token file"),
        (&address, &token, "cannot reach the orchestrator"),
        ("nowhere.invalid:7700", &token, "has no address yet"),
    ] {
        let node = Waiting::start(Role::Helper, join, token, &["--rejoin"]);
        node.wait_until_told(reason);
        let asked = Instant::now();
        node.signal(Signal::TERM);
        node.end(130);
        // One second is promised; a shared machine gets five times that.
        assert!(asked.elapsed() < Duration::from_secs(5), "{reason}: {:?}", asked.elapsed());
    }
}

#[test]
fn nodes_that_rejoin_serve_one_run_after_another() {
    let dir = tempfile::tempdir().unwrap();
    let tokens = dir.path().join("tokens");
    let address = free_address();
    let token = |role| published_file(&tokens, role);
    let start = |role, more: &[&str]| {
        Waiting::start(role, &address, &token(role), &[&["--rejoin"], more].concat())
    };
    let port = free_address();
    let nodes = vec![
        // One that wants the same port again.
        start(Role::Helper, &["--listen", &port]),
        start(Role::Helper, &[]),
        start(Role::Helper, &[]),
        start(Role::TaskNode, &[]),
    ];
    let outs = ["first", "second"].map(|name| dir.path().join(name));
    for out in &outs {
        assert_ends_well(publishing(&address, &tokens, out));
    }
    common::assert_same_decisions(&outs[0], &outs[1], "two runs of the same nodes");
    for node in nodes {
        wait_for("two runs to be over", || {
            (node.told().matches("the run is over").count() == 2).then_some(())
        });
        node.signal(Signal::TERM);
        node.end(130);
    }
}

#[test]
fn the_four_files_of_a_token_folder_may_lie_side_by_side() {
    let dir = tempfile::tempdir().unwrap();
    let (nested, flat) = (dir.path().join("nested"), dir.path().join("flat"));
    create_tokens(&nested);
    std::fs::create_dir(&flat).unwrap();
    for from in [nested.clone(), nested.join("authority")] {
        for path in files_and_folders(&from).iter().filter(|path| path.is_file()) {
            std::fs::copy(path, flat.join(path.file_name().unwrap())).unwrap();
        }
    }
    let orchestrator = with_tokens(&flat, &dir.path().join("out"));
    let nodes = all_nodes(&orchestrator.address, |role| nested.join(token_file(role)));
    assert_ends_well(orchestrator);
    for node in nodes {
        node.end(0);
    }
}

#[test]
fn a_published_folder_holds_the_token_of_its_role_alone() {
    let dir = tempfile::tempdir().unwrap();
    let (tokens, published) = (dir.path().join("tokens"), dir.path().join("published"));
    create_tokens(&tokens);
    let known = Tokens::load(&tokens).unwrap();
    // One folder is a mount point that is there already.
    std::fs::create_dir_all(published.join("helper")).unwrap();
    let arguments = ["--set", "expect=[]", "--publish-tokens", published.to_str().unwrap()];
    let out = dir.path().join("out");
    let orchestrator = Joining::start(&topology("small.toml"), &arguments, &tokens, &out);
    for role in [Role::Helper, Role::TaskNode] {
        let token = published_file(&published, role);
        assert_eq!(files_and_folders(token.parent().unwrap()), std::slice::from_ref(&token));
        let text = std::fs::read_to_string(&token).unwrap();
        assert_eq!(text.trim(), known.token(role).unwrap().to_text());
        let mode = std::fs::metadata(&token).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    assert_eq!(files_and_folders(&published).len(), 2);
    interrupt(orchestrator);
    assert!(files_and_folders(&published.join("helper")).is_empty());
    assert!(files_and_folders(&published.join("task-node")).is_empty());
}

#[test]
fn without_a_folder_the_tokens_lie_in_the_results_for_a_while() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let orchestrator = Joining::start_with(&topology("small.toml"), &["--set", "expect=[]"], &out);
    let tokens = out.join("tokens");
    let expected = [Role::Helper, Role::TaskNode].map(|role| tokens.join(token_file(role)));
    assert_eq!(files_and_folders(&tokens), expected, "the authority is nobody's business");
    interrupt(orchestrator);
    assert!(!tokens.exists());
}

#[test]
fn tokens_that_cannot_be_published() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("file"), "").unwrap();
    let run = |arguments: &[&str]| {
        let output = fogbit()
            .arg("run")
            .arg(topology("small.toml"))
            .args(arguments)
            .args(["--out", "out"])
            .current_dir(dir.path())
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
        assert!(!dir.path().join("out").exists(), "something was written");
        stderr(&output)
    };
    let told = run(&["--backend", "join", "--publish-tokens", "file"]);
    assert!(told.contains("cannot publish the tokens: file/helper/token"), "{told}");
    let told = run(&["--publish-tokens", "tokens"]);
    assert!(told.contains("--backend join"), "{told}");
}

/// Task nodes are told the advertised address: here that of a relay.
#[test]
fn a_helper_node_behind_another_address() {
    let dir = tempfile::tempdir().unwrap();
    let tokens = dir.path().join("tokens");
    create_tokens(&tokens);
    let orchestrator = with_tokens(&tokens, &dir.path().join("out"));
    let address = orchestrator.address.clone();
    let listen = free_address();
    let relay = UdpSocket::bind("127.0.0.1:0").unwrap();
    let advertised = relay.local_addr().unwrap().to_string();
    let relayed = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&relayed);
    let helper: std::net::SocketAddr = listen.parse().unwrap();
    std::thread::spawn(move || {
        let mut packet = [0; 1 << 16];
        let mut task_node = None;
        while let Ok((length, from)) = relay.recv_from(&mut packet) {
            count.fetch_add(1, Ordering::Relaxed);
            let to = if from == helper { task_node } else { Some(helper) };
            task_node = if from == helper { task_node } else { Some(from) };
            if let Some(to) = to {
                let _ = relay.send_to(&packet[..length], to);
            }
        }
    });
    let token = |role| tokens.join(token_file(role));
    let more = ["--listen", &listen, "--advertise", &advertised];
    let mut nodes = vec![
        node("node", &address, &token(Role::Helper), &more),
        node("node", &address, &token(Role::Helper), &[]),
        node("node", &address, &token(Role::Helper), &[]),
        node("task-node", &address, &token(Role::TaskNode), &[]),
    ];
    assert_ends_well(orchestrator);
    for node in &mut nodes {
        assert_eq!(wait_for_end(node), Some(0));
    }
    assert!(relayed.load(Ordering::Relaxed) > 100, "the relay was not used");
}
