//! Keeps a session and its link in real time, while tasks go their own ways beside it.

use fogbit_scenario::link::verdict::LinkCheck;
use fogbit_transport::timer::Timer;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use crate::live::Schedule;
use crate::steer::Steer;
use crate::trial::TrialError;

/// Whoever keeps a session; dropped, it ends at once.
#[derive(Debug)]
pub(crate) struct Keeper {
    keeping: JoinSet<Result<Vec<LinkCheck>, TrialError>>,
    over: oneshot::Sender<()>,
}

impl Keeper {
    /// Keeps `session` from now on, whose slots begin by `schedule`.
    pub(crate) fn begin(session: Steer, schedule: Schedule) -> Keeper {
        let (over, ended) = oneshot::channel();
        let mut keeping = JoinSet::new();
        keeping.spawn(keep(session, schedule, ended));
        Keeper { keeping, over }
    }

    /// Counts what the link did in its last state, and gives what was found of all states, in the
    /// order of their ends.
    ///
    /// # Errors
    /// If the helper node is gone.
    pub(crate) async fn end(mut self) -> Result<Vec<LinkCheck>, TrialError> {
        // It is gone only if it has failed, which it says then.
        let _ = self.over.send(());
        match self.keeping.join_next().await {
            Some(Ok(found)) => found,
            Some(Err(_)) | None => Ok(Vec::new()),
        }
    }
}

/// Changes the link when slots begin in which it is something else, and measures it beside the
/// tasks, until it is `over`.
async fn keep(
    mut session: Steer,
    schedule: Schedule,
    mut over: oneshot::Receiver<()>,
) -> Result<Vec<LinkCheck>, TrialError> {
    let mut found = Vec::new();
    let mut timer = Timer::new()?;
    for slot in session.changes() {
        tokio::select! {
            biased;
            _ = &mut over => {
                found.extend(session.count_state().await?);
                return Ok(found);
            }
            waited = timer.until(schedule.begin(slot)) => waited?,
        }
        found.extend(session.begin(slot).await?.over);
        session.beside_tasks();
    }
    let _ = over.await;
    found.extend(session.count_state().await?);
    Ok(found)
}
