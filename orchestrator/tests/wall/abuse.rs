//! A task node with a certificate of the run that keeps to no rule: it is told so with a code, and
//! harms nobody but itself.

use std::future::Future;
use std::net::SocketAddr;

use fogbit_scenario::feedback::Outcome;
use fogbit_transport::codec::{CONTROL_LIMIT, DATA_LIMIT};
use fogbit_transport::compute::Opening;
use fogbit_transport::wire::{
    LiveReply, LiveRequest, LiveStep, OpenSession, TaskNodeOrder, TrialId, TrialReport,
};
use fogbit_transport::{
    CloseCode, FrameReceiver, FrameSender, Member, MemberOptions, Payload, Role, Token, WireError,
};
use quinn::Connection;

use crate::HELPERS;
use crate::common::{PATIENCE, wait_for};
use crate::joined::Fog;

fn block_on<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(PATIENCE, future).await.unwrap() })
}

/// A session as a task node has it.
struct Session(FrameSender, FrameReceiver);

impl Session {
    /// Asks for a session, whether or not it is given.
    async fn ask(connection: &Connection, trial: TrialId) -> Session {
        let (send, receive) = connection.open_bi().await.unwrap();
        let (send, receive) =
            (FrameSender::new(send, DATA_LIMIT), FrameReceiver::new(receive, DATA_LIMIT));
        let mut session = Session(send, receive);
        session.0.send(&Opening::Session(OpenSession { trial })).await.unwrap();
        session
    }

    async fn open(connection: &Connection, trial: TrialId) -> Session {
        let mut session = Session::ask(connection, trial).await;
        assert_eq!(session.1.expect::<LiveReply>().await.unwrap(), LiveReply::Opened);
        session
    }

    /// Opens and begins.
    async fn begin(connection: &Connection, trial: TrialId) -> Session {
        let mut session = Session::open(connection, trial).await;
        session.send(LiveRequest::Begin { slot: 1 }).await;
        session
    }

    async fn send(&mut self, request: LiveRequest) {
        // It may be closed already, which whoever reads will see.
        let _ = self.0.send(&request).await;
    }

    async fn offload(&mut self, slot: u64, task: &[f64]) {
        let (task, payload) = (task.to_vec(), Payload::EMPTY);
        self.send(LiveRequest::Offload { slot, task, payload }).await;
    }

    /// The code with which it is closed.
    async fn closed(&mut self) -> Option<CloseCode> {
        loop {
            match self.1.receive::<LiveReply>().await {
                Ok(Some(_)) => {}
                Ok(None) => return None,
                Err(error) => return error.code(),
            }
        }
    }

    /// The next state.
    async fn state(&mut self) -> (u64, Vec<f64>) {
        loop {
            if let LiveReply::State { slot, state } = self.1.expect().await.unwrap() {
                return (slot, state);
            }
        }
    }

    /// The next answer.
    async fn answer(&mut self) -> (u64, Outcome) {
        loop {
            if let LiveReply::Answer { slot, outcome } = self.1.expect().await.unwrap() {
                return (slot, outcome);
            }
        }
    }
}

/// Breaks the rules at one helper node; `other` is a trial of somebody else.
async fn abuse_a_helper_node(task: &Member, address: SocketAddr, trial: TrialId, other: TrialId) {
    const TASK: [f64; 2] = [0.1, 0.2];
    let refused = Some(CloseCode::BadRequest);
    let connection = task.connect(HELPERS[0], address).await.unwrap();

    let mut session = Session::open(&connection, trial).await;
    session.offload(1, &TASK).await;
    assert_eq!(session.closed().await, refused, "a task before the first slot");

    let mut session = Session::begin(&connection, trial).await;
    session.send(LiveRequest::Begin { slot: 2 }).await;
    assert_eq!(session.closed().await, refused, "begun twice");

    let mut session = Session::begin(&connection, trial).await;
    session.offload(5, &TASK).await;
    assert_eq!(session.answer().await.0, 5);
    session.offload(5, &TASK).await;
    assert_eq!(session.closed().await, refused, "two tasks in a slot");

    for task in [&[0.1][..], &[0.1, f64::NAN], &[0.1; 1000]] {
        let mut session = Session::begin(&connection, trial).await;
        session.offload(1, task).await;
        assert_eq!(session.closed().await, refused, "a task of another shape");
    }

    let mut session = Session::ask(&connection, other).await;
    assert_eq!(session.closed().await, refused, "a trial of another task node");
    let missing = TrialId { seed_number: 99, ..trial };
    let mut session = Session::ask(&connection, missing).await;
    assert_eq!(session.closed().await, Some(CloseCode::UnknownTrial));
    let missing = TrialId { policy: 99, ..trial };
    let mut session = Session::ask(&connection, missing).await;
    assert_eq!(session.closed().await, refused, "a trial that there is not");

    // The largest number is no slot that could be counted on from.
    let mut session = Session::open(&connection, trial).await;
    session.send(LiveRequest::Begin { slot: u64::MAX }).await;
    let (first, _) = session.state().await;
    assert_eq!(session.state().await.0, first + 1);

    // Whoever opens a session again ends the former one.
    let mut again = Session::begin(&connection, trial).await;
    assert_eq!(session.closed().await, None);
    assert_eq!(again.state().await.0, 1);
    again.offload(1, &TASK).await;
    assert_eq!(again.answer().await.0, 1);

    let (mut send, _receive) = connection.open_bi().await.unwrap();
    send.write_all(&[0xff; 64]).await.unwrap();
    let error = connection.closed().await;
    assert_eq!(CloseCode::of(&error), Some(CloseCode::BadMessage), "what is no message: {error}");
}

#[test]
fn a_task_node_that_keeps_to_no_rule_harms_only_itself() {
    let mut fog = Fog::start(2);
    fog.add(Role::TaskNode, Some("task-b"));
    let text = wait_for("the token", || {
        std::fs::read_to_string(fog.token(Role::TaskNode)).ok().filter(|text| !text.is_empty())
    });
    let token = Token::parse(&text).unwrap();
    let address = fog.address.clone();
    let watch = &fog.watch;
    block_on(async {
        // By its name it is the first, and plays the first policy.
        let options = MemberOptions {
            name: Some("task-a".into()),
            ..MemberOptions::new(&address, token, Role::TaskNode)
        };
        let task = Member::join(&options).await.unwrap();
        let (send, receive) = task.control.accept_bi().await.unwrap();
        let mut receive = FrameReceiver::new(receive, CONTROL_LIMIT);
        let mut send = FrameSender::new(send, CONTROL_LIMIT);
        let TaskNodeOrder::OneBit(order) = receive.expect().await.unwrap() else {
            panic!("one-bit")
        };
        assert_eq!(order.name, "round-robin");
        let (trial, other) = (order.trial, TrialId { policy: 1, ..order.trial });
        let (name, helper) = &order.helpers[0];
        assert_eq!(name, HELPERS[0]);
        abuse_a_helper_node(&task, helper.unwrap(), trial, other).await;

        // Then it tells the orchestrator of a helper node that there is not.
        let step = LiveStep { slot: 1, node: 99, outcome: Outcome::TimedOut };
        let report = TrialReport::Live {
            steps: vec![step],
            through: 1,
            begun: 1,
            late: 0,
            estimates: vec![f64::NAN; 7],
        };
        send.send(&report).await.unwrap();
        let error = receive.expect::<u8>().await.unwrap_err();
        assert!(matches!(error, WireError::Reset(_)), "{error}");
        assert_eq!(error.code(), Some(CloseCode::Failed));
        task.leave(CloseCode::Done, "").await;
    });
    // The other task node has helper nodes that serve it as before.
    let (before, after) = watch.wait_for_slots(&["toof"], 50.0);
    let idle = |now: &crate::Scrape| now.of("fogbit_idle_slots_total", "toof");
    assert_eq!(idle(&after), idle(&before));
    assert_eq!(after.of("fogbit_slots_total", "round-robin"), 0.0);
    assert!(HELPERS.iter().all(|node| after.of_node("fogbit_node_losses_total", node) == 0.0));
    let (code, summary, told) = fog.stop();
    assert_eq!(code, Some(4), "{told}");
    assert!(
        told.contains("the trial of round-robin failed: slot 1: there is no node 99"),
        "{told}"
    );
    assert_eq!(summary["trials"][0]["status"], "failed");
    assert_eq!(summary["trials"][1]["status"], "complete");
}
