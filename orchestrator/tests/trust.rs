//! Who is let in: every process without the right token or certificate is turned away with a
//! code, and harms nobody.

mod common;

use std::path::Path;
use std::time::Duration;

use common::{Joining, create_tokens, node, topology, wait_for, wait_for_end};
use fogbit_transport::compute::Opening;
use fogbit_transport::token::token_file;
use fogbit_transport::wire::{OpenSession, TrialId};
use fogbit_transport::{
    CloseCode, FrameReceiver, FrameSender, Member, MemberError, MemberOptions, Role, Token,
};
use serde_json::Value;

fn block_on<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(common::PATIENCE, future).await.unwrap() })
}

fn read_token(folder: &Path, role: Role) -> Token {
    Token::parse(&std::fs::read_to_string(folder.join(token_file(role))).unwrap()).unwrap()
}

fn options(address: &str, token: &Token, role: Role) -> MemberOptions {
    MemberOptions::new(address, token.clone(), role)
}

async fn refusal(options: MemberOptions) -> MemberError {
    match Member::join(&options).await {
        Ok(member) => panic!("{} was let in", member.name),
        Err(error) => error,
    }
}

/// An orchestrator that waits for the nodes of `small.toml`.
fn orchestrator(dir: &Path) -> Joining {
    create_tokens(&dir.join("tokens"));
    let arguments = ["--set", "expect=[]"];
    Joining::start(&topology("small.toml"), &arguments, &dir.join("tokens"), &dir.join("out"))
}

/// Lets the run of `orchestrator` be played by nodes started by hand; it must end well.
fn play(orchestrator: Joining, dir: &Path) -> Value {
    let tokens = dir.join("tokens");
    let address = orchestrator.address.clone();
    let token = |role| tokens.join(token_file(role));
    let mut nodes: Vec<_> =
        (0..3).map(|_| node("node", &address, &token(Role::Helper), &[])).collect();
    nodes.push(node("task-node", &address, &token(Role::TaskNode), &[]));
    let (code, stdout, stderr) = orchestrator.end();
    assert_eq!(code, Some(0), "{stderr}");
    for node in &mut nodes {
        assert_eq!(wait_for_end(node), Some(0), "a node did not end well with the run");
    }
    serde_json::from_str(&stdout).unwrap()
}

#[test]
fn nodes_started_by_hand_play_the_same_run() {
    let dir = tempfile::tempdir().unwrap();
    let orchestrator = orchestrator(dir.path());
    let summary = play(orchestrator, dir.path());
    assert_eq!(summary["run"]["backend"], "join");
    let sim = dir.path().join("sim");
    common::run(&topology("small.toml"), &["--backend", "sim", "--set", "expect=[]"], &sim);
    common::assert_same_decisions(&dir.path().join("out"), &sim, "join and sim");
}

#[test]
fn wrong_tokens_are_turned_away_with_a_code() {
    let dir = tempfile::tempdir().unwrap();
    let tokens = dir.path().join("tokens");
    let orchestrator = orchestrator(dir.path());
    let address = orchestrator.address.clone();
    let helper = read_token(&tokens, Role::Helper);
    let task_node = read_token(&tokens, Role::TaskNode);

    block_on(async {
        // A secret of nobody.
        let forged = Token { secret: [7; 32], ..helper.clone() };
        let error = refusal(options(&address, &forged, Role::Helper)).await;
        assert_eq!(error.code(), Some(CloseCode::BadToken), "{error}");
        // The secret of another role, either way.
        let error = refusal(options(&address, &task_node, Role::Helper)).await;
        assert_eq!(error.code(), Some(CloseCode::WrongRole), "{error}");
        let error = refusal(options(&address, &helper, Role::TaskNode)).await;
        assert_eq!(error.code(), Some(CloseCode::WrongRole), "{error}");
        let error = refusal(options(&address, &helper, Role::Orchestrator)).await;
        assert_eq!(error.code(), Some(CloseCode::WrongRole), "{error}");
        // A name that nobody has.
        let stranger = MemberOptions {
            name: Some("stranger".into()),
            ..options(&address, &helper, Role::Helper)
        };
        let error = refusal(stranger).await;
        assert_eq!(error.code(), Some(CloseCode::NameTaken), "{error}");
    });

    // A token of another run is refused by the node itself: it believes only its own authority.
    let other = dir.path().join("other");
    create_tokens(&other);
    for (subcommand, role) in [("node", Role::Helper), ("task-node", Role::TaskNode)] {
        let child = node(subcommand, &address, &other.join(token_file(role)), &[]);
        let (code, told) = child.end();
        assert_eq!(code, Some(4));
        assert!(told.contains("not of the run this token is for"), "{told}");
    }
    // A token of another role, as the user sees it.
    let child = node("node", &address, &tokens.join(token_file(Role::TaskNode)), &[]);
    let (code, told) = child.end();
    assert_eq!(code, Some(4));
    assert!(told.contains("WrongRole (4)"), "{told}");

    // None of this has harmed the run.
    play(orchestrator, dir.path());
}

#[test]
fn a_certificate_opens_only_the_doors_of_its_role() {
    let dir = tempfile::tempdir().unwrap();
    let tokens = dir.path().join("tokens");
    let orchestrator = orchestrator(dir.path());
    let address = orchestrator.address.clone();
    let helper = read_token(&tokens, Role::Helper);
    let task_node = read_token(&tokens, Role::TaskNode);
    // A helper node of the run, which listens where we know.
    let port = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut near = node(
        "node",
        &address,
        &tokens.join(token_file(Role::Helper)),
        &["--name", "near", "--listen", &port.to_string()],
    );

    block_on(async {
        let task = Member::join(&options(&address, &task_node, Role::TaskNode)).await.unwrap();
        // A task node may talk to it, but only about trials that are being run.
        let connection = loop {
            match task.connect("near", port).await {
                Ok(connection) => break connection,
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        };
        let (send, receive) = connection.open_bi().await.unwrap();
        let mut send = FrameSender::new(send, 1 << 20);
        let mut receive = FrameReceiver::new(receive, 1 << 20);
        let trial = TrialId { seed_number: 0, policy: 0 };
        send.send(&Opening::Session(OpenSession { trial })).await.unwrap();
        let error = receive.expect::<u8>().await.unwrap_err();
        assert_eq!(error.code(), Some(CloseCode::UnknownTrial), "{error}");

        // What is no message closes the connection with a code.
        let (mut send, _receive) = connection.open_bi().await.unwrap();
        send.write_all(&[0xff; 64]).await.unwrap();
        let error = connection.closed().await;
        assert_eq!(CloseCode::of(&error), Some(CloseCode::BadMessage), "{error}");

        // Another helper node is not served by it.
        let other = Member::join(&options(&address, &helper, Role::Helper)).await.unwrap();
        let connection = other.connect("near", port).await.unwrap();
        let error = connection.closed().await;
        assert_eq!(CloseCode::of(&error), Some(CloseCode::WrongRole), "{error}");
        // And it cannot be taken for another node.
        let error = other.connect("far", port).await.unwrap_err();
        assert!(error.to_string().contains("far"), "{error}");

        // A member cannot make the orchestrator keep more than its one stream.
        let second = tokio::time::timeout(Duration::from_millis(200), other.control.open_bi());
        assert!(second.await.is_err(), "a second stream was opened");
        task.leave(CloseCode::Done, "").await;
        other.leave(CloseCode::Done, "").await;
    });

    // A certificate of another run.
    let elsewhere = dir.path().join("elsewhere");
    std::fs::create_dir(&elsewhere).unwrap();
    let second = self::orchestrator(&elsewhere);
    block_on(async {
        let token = read_token(&elsewhere.join("tokens"), Role::TaskNode);
        let stranger = Member::join(&options(&second.address, &token, Role::TaskNode)).await;
        let error = stranger.unwrap().connect("near", port).await.unwrap_err();
        assert!(matches!(error, MemberError::Connect { .. }), "{error}");
    });
    end(second);

    // The run is still whole: two more helper nodes and a task node, and it is played.
    assert!(near.try_wait().unwrap().is_none());
    let address = orchestrator.address.clone();
    let token = |role| tokens.join(token_file(role));
    let mut nodes = vec![
        node("node", &address, &token(Role::Helper), &[]),
        node("node", &address, &token(Role::Helper), &[]),
        node("task-node", &address, &token(Role::TaskNode), &[]),
    ];
    let (code, _, stderr) = orchestrator.end();
    assert_eq!(code, Some(0), "{stderr}");
    nodes.push(near);
    for node in &mut nodes {
        assert_eq!(wait_for_end(node), Some(0));
    }
}

fn end(joining: Joining) {
    common::send(rustix::process::Signal::INT, joining.child.id() as i32);
    assert_eq!(joining.end().0, Some(130));
}

#[test]
fn a_peer_without_a_certificate_gets_nowhere() {
    let dir = tempfile::tempdir().unwrap();
    let orchestrator = orchestrator(dir.path());
    let address = orchestrator.address.parse().unwrap();
    block_on(async {
        let endpoint = fogbit_transport::endpoint::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        // A client that believes anybody and shows nothing, with the protocol of members.
        let config = common::careless_client(fogbit_transport::ALPN_NODE);
        let server = "orchestrator.orchestrator.fogbit";
        let connection = endpoint.connect_with(config, address, server).unwrap().await.unwrap();
        let error = connection.closed().await;
        assert_eq!(CloseCode::of(&error), Some(CloseCode::NoCertificate), "{error}");
        // With another version of the protocol there is no connection at all.
        let config = common::careless_client(b"fogbit/999");
        let error = endpoint.connect_with(config, address, server).unwrap().await.unwrap_err();
        assert!(matches!(error, quinn::ConnectionError::ConnectionClosed(_)), "{error}");
    });
    end(orchestrator);
}

/// Peers that begin to join and never end it are held up to a number, and then refused.
#[test]
fn peers_on_their_way_do_not_pile_up() {
    let dir = tempfile::tempdir().unwrap();
    let orchestrator = orchestrator(dir.path());
    let address = orchestrator.address.parse().unwrap();
    block_on(async {
        let endpoint = fogbit_transport::endpoint::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let config = common::careless_client(fogbit_transport::ALPN_JOIN);
        let server = "orchestrator.orchestrator.fogbit";
        let connecting: Vec<_> = (0..300)
            .map(|_| endpoint.connect_with(config.clone(), address, server).unwrap())
            .collect();
        let (mut held, mut refused) = (Vec::new(), 0);
        for connecting in connecting {
            match connecting.await {
                Ok(connection) => held.push(connection),
                Err(quinn::ConnectionError::ConnectionClosed(close)) => {
                    assert_eq!(close.error_code, quinn::TransportErrorCode::CONNECTION_REFUSED);
                    refused += 1;
                }
                Err(error) => panic!("{error}"),
            }
        }
        assert!(refused > 0 && held.len() > 200, "{refused} of 300 were refused");
        endpoint.close(0u32.into(), b"");
        endpoint.wait_idle().await;
    });
    // Once they are gone there is room again.
    play(orchestrator, dir.path());
}

/// Places that are taken stay taken; a node that goes before the run begins frees its place.
#[test]
fn places_are_given_once() {
    let dir = tempfile::tempdir().unwrap();
    let tokens = dir.path().join("tokens");
    let orchestrator = orchestrator(dir.path());
    let address = orchestrator.address.clone();
    let helper = read_token(&tokens, Role::Helper);
    block_on(async {
        let mut members = Vec::new();
        for _ in 0..3 {
            members.push(Member::join(&options(&address, &helper, Role::Helper)).await.unwrap());
        }
        let names: Vec<&str> = members.iter().map(|member| member.name.as_str()).collect();
        assert_eq!(names, ["near", "far", "busy"]);
        let error = refusal(options(&address, &helper, Role::Helper)).await;
        assert_eq!(error.code(), Some(CloseCode::NoPlace), "{error}");
        for member in &members {
            member.leave(CloseCode::Done, "").await;
        }
    });
    wait_for("the places to be free again", || {
        let joined = block_on(Member::join(&options(&address, &helper, Role::Helper)));
        joined.ok().map(|member| block_on(member.leave(CloseCode::Done, "")))
    });
    end(orchestrator);
}
