//! One session in lockstep: every request is answered in its turn.

use fogbit_scenario::HelperSpec;
use fogbit_scenario::feedback::Outcome;
use fogbit_transport::wire::{SessionReply, SessionRequest};
use fogbit_transport::{FrameReceiver, FrameSender};

use super::SessionFailure;
use crate::metrics::SessionMetrics;
use crate::session::Session;

/// Serves a session to its end.
pub(super) async fn serve(
    spec: &HelperSpec,
    mut metrics: SessionMetrics,
    send: &mut FrameSender,
    receive: &mut FrameReceiver,
) -> Result<(), SessionFailure> {
    let mut session = Session::new(spec);
    send.send(&SessionReply::Opened).await?;
    while let Some(request) = receive.receive().await? {
        let reply = match request {
            SessionRequest::Announce { now, through } => {
                let states = session.announce(now, through)?;
                metrics.tell(session.helper());
                SessionReply::Announced { states }
            }
            SessionRequest::Offload { slot, task } => {
                let answer = session.offload(slot, &task)?;
                let taken = matches!(answer.outcome, Outcome::Answered(_));
                metrics.offloaded(session.helper(), taken);
                SessionReply::Answer { outcome: answer.outcome, changed: answer.changed }
            }
        };
        send.send(&reply).await?;
    }
    Ok(())
}
