//! Whoever connects: task nodes, whose streams are served whatever they are for, and helper nodes that a
//! session names.

use std::sync::Arc;
use std::time::Duration;

use fogbit_transport::codec::DATA_LIMIT;
use fogbit_transport::compute::{HEAD_LIMIT, Opening, read_frame};
use fogbit_transport::identity::PeerName;
use fogbit_transport::probe::Prober;
use fogbit_transport::wire::OpenSession;
use fogbit_transport::{CloseCode, FrameReceiver, FrameSender, Links, Member, Role, WireError};

use super::pipeline::Plans;
use super::seeds::Opened;
use super::{Caller, Problems, SessionFailure, live, lockstep, pipeline, steering};
use crate::compute::{serve_compute, serve_image};

/// Serves a peer, if it is a task node of this run, or a helper node that an open session names.
pub(super) async fn accept_peer(
    member: Arc<Member>,
    (links, prober): (Links, Arc<Prober>),
    problems: Problems,
    incoming: quinn::Incoming,
) {
    let from = incoming.remote_address();
    let connection = match incoming.await {
        Ok(connection) => connection,
        // Among these are task nodes that gave up trying while this node was not there yet.
        Err(error) => return tracing::info!(%from, %error, "a peer was turned away"),
    };
    let Some(peer) = PeerName::of_connection(&connection) else {
        tracing::warn!(%from, "a peer without a certificate was turned away");
        return connection.close(CloseCode::NoCertificate.var_int(), b"no certificate");
    };
    let from = || Caller {
        member: Arc::clone(&member),
        links: links.clone(),
        prober: Arc::clone(&prober),
        peer: peer.clone(),
        address: connection.remote_address(),
    };
    if peer.role == Role::Helper && problems.plans.names(&peer.name) {
        return accept_site(problems.plans, from(), connection).await;
    }
    if peer.role != Role::TaskNode {
        tracing::warn!(?peer, "a peer that is no task node was turned away");
        return connection.close(CloseCode::WrongRole.var_int(), b"only task nodes are served");
    }
    while let Ok((send, receive)) = connection.accept_bi().await {
        tokio::spawn(serve_stream(problems.clone(), from(), connection.clone(), send, receive));
    }
}

/// Another helper node says in time which way it opens.
const WAY_WITHIN: Duration = Duration::from_secs(5);

/// Takes the one stream of a helper node, which is a way of a session and nothing else.
async fn accept_site(plans: Plans, from: Caller, connection: quinn::Connection) {
    let opening = async {
        let (send, mut receive) = connection.accept_bi().await?;
        let opening = read_frame(&mut receive, HEAD_LIMIT).await?;
        Ok::<_, WireError>((opening, (send, receive)))
    };
    let (code, reason) = match tokio::time::timeout(WAY_WITHIN, opening).await {
        Ok(Ok((Opening::Way(open), streams))) => {
            match plans.take(open, &from, &connection, streams).await {
                Ok(()) => return,
                Err(failure) => (failure.code(), failure.to_string()),
            }
        }
        Ok(Ok(_)) => (CloseCode::WrongRole, "helper nodes may open ways alone".to_owned()),
        Ok(Err(error)) => (CloseCode::BadMessage, error.to_string()),
        Err(_) => (CloseCode::BadRequest, "no way was opened in time".to_owned()),
    };
    tracing::warn!(peer = ?from.peer, reason, "a helper node was turned away");
    connection.close(code.var_int(), reason.as_bytes());
}

/// Serves one stream of a task node, whatever it is for.
async fn serve_stream(
    problems: Problems,
    from: Caller,
    connection: quinn::Connection,
    send: quinn::SendStream,
    mut receive: quinn::RecvStream,
) {
    let opening = read_frame(&mut receive, HEAD_LIMIT).await;
    if let Ok(Opening::Compute(request)) = opening {
        let service = problems.computers.service(request.trial, &from.peer.name);
        let end = serve_compute(request, send, receive, service).await;
        return tracing::debug!(peer = from.peer.name, ?end, "a task is over");
    }
    if let Ok(Opening::Image(request)) = opening {
        let service = problems.computers.service(request.trial, &from.peer.name);
        let end = serve_image(request, send, receive, service).await;
        return tracing::debug!(peer = from.peer.name, ?end, "an image is over");
    }
    let peer = from.peer.name.clone();
    if let Ok(Opening::Way(open)) = opening {
        let taken = problems.plans.take(open, &from, &connection, (send, receive)).await;
        if let Err(failure) = taken {
            tracing::warn!(peer, %failure, "a way was closed");
            connection.close(failure.code().var_int(), failure.to_string().as_bytes());
        }
        return;
    }
    let mut frames = (FrameSender::new(send, DATA_LIMIT), FrameReceiver::new(receive, DATA_LIMIT));
    let (send, receive) = (&mut frames.0, &mut frames.1);
    let served = match opening {
        Ok(Opening::Session(open)) => serve_session(&problems, from, open, send, receive).await,
        Ok(Opening::Steering(open)) => {
            let _open = problems.metrics.open_session();
            steering::serve(&problems.computers, from, open, send, receive).await
        }
        Ok(Opening::Pipeline(open)) => {
            let _open = problems.metrics.open_session();
            pipeline::serve(&problems.plans, &from, open, send, receive).await
        }
        Ok(Opening::Compute(_) | Opening::Image(_) | Opening::Way(_)) => {
            unreachable!("served above")
        }
        Err(error) => Err(error.into()),
    };
    let Err(failure) = served else {
        return send.finish();
    };
    if let SessionFailure::Wire(WireError::Connection(_) | WireError::Reset(_) | WireError::Ended) =
        failure
    {
        return tracing::debug!(%failure, "a session ended early");
    }
    tracing::warn!(peer, %failure, "a session was closed");
    let code = failure.code();
    if code == CloseCode::BadMessage {
        // Whoever sends what is no message cannot be trusted with the next one either.
        connection.close(code.var_int(), failure.to_string().as_bytes());
    }
    send.reset(code);
    receive.stop(code);
}

async fn serve_session(
    problems: &Problems,
    from: Caller,
    OpenSession { trial }: OpenSession,
    send: &mut FrameSender,
    receive: &mut FrameReceiver,
) -> Result<(), SessionFailure> {
    let Opened { spec, metrics, live, link_key } = problems.seeds.open(trial, &from.peer.name)?;
    match live {
        None => lockstep::serve(&spec, metrics, send, receive).await,
        Some(live) => {
            let way_back = link_key.zip(spec.link.clone()).map(|(key, path)| {
                // The answer that the session is open takes this way already.
                problems.ways_back.set(&from, path, key)
            });
            let session = live::Opened { spec, metrics, live, way_back };
            live::serve(trial.policy, session, send, receive).await
        }
    }
}
