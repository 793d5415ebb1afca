//! Measures the link to one helper node while a trial goes on: before its first slot, after each change,
//! and by counts as long as each state lasts.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use fogbit_scenario::link::verdict::LinkCheck;
use fogbit_transport::probe::{ProbeId, Turns};
use fogbit_transport::timer::Timer;
use fogbit_transport::wire::{CountsAnswer, CountsAsk, LinkEnd, LiveReply, LiveRequest};
use fogbit_transport::{FrameReceiver, FrameSender, WireError};
use tokio::sync::{mpsc, watch};

use super::link::{Broken, unexpected};
use super::ways::{Claim, Way, Ways};
use crate::links::KeptLink;

/// Counts are exchanged so long before a change, and two round trips more: what is not answered by then
/// is not counted.
const NOTICE: Duration = Duration::from_millis(100);
/// At the end of a trial there is more time for them.
const LAST_ANSWER: Duration = Duration::from_secs(1);

/// Where it is told what was found, of all links of a trial.
#[derive(Debug)]
pub(crate) struct Findings {
    next: AtomicU32,
    tell: mpsc::UnboundedSender<(u32, LinkCheck)>,
}

impl Findings {
    /// None yet. Each has a number; one that comes again is better known now.
    pub(crate) fn new(tell: mpsc::UnboundedSender<(u32, LinkCheck)>) -> Findings {
        Findings { next: AtomicU32::new(0), tell }
    }

    /// Tells `check`, under a new number if it has none.
    fn tell(&self, number: Option<u32>, check: LinkCheck) -> u32 {
        let number = number.unwrap_or_else(|| self.next.fetch_add(1, Ordering::Relaxed));
        // Whoever does not listen any more has given the trial up.
        let _ = self.tell.send((number, check));
        number
    }
}

/// What a session that has begun is asked and what it answers.
#[derive(Debug)]
pub(super) struct Talk {
    pub(super) requests: mpsc::Sender<LiveRequest>,
    pub(super) answers: mpsc::UnboundedReceiver<CountsAnswer>,
    /// The helper node's slot.
    pub(super) slot: watch::Receiver<u64>,
    /// Answers that are on their way.
    owed: usize,
}

impl Talk {
    pub(super) fn new(
        requests: mpsc::Sender<LiveRequest>,
        answers: mpsc::UnboundedReceiver<CountsAnswer>,
        slot: watch::Receiver<u64>,
    ) -> Talk {
        Talk { requests, answers, slot, owed: 0 }
    }

    /// The answer to `ask`. If this is dropped before, its answer is skipped later.
    async fn ask(&mut self, ask: CountsAsk) -> Result<CountsAnswer, Broken> {
        self.requests.send(LiveRequest::Counts(ask)).await.map_err(|_| Broken::Over)?;
        self.owed += 1;
        loop {
            let answer = self.answers.recv().await.ok_or(Broken::Over)?;
            self.owed -= 1;
            if self.owed == 0 {
                return Ok(answer);
            }
        }
    }
}

/// Measures one link, as the only one of its process.
#[derive(Debug)]
pub(super) struct Verifier {
    kept: KeptLink,
    claim: Claim,
    turns: Turns,
    findings: Arc<Findings>,
    /// Under which number the present state was told.
    told: Option<u32>,
    /// Whether its packets are counted.
    is_counting: bool,
}

impl Verifier {
    /// The link `way` to `helper`, as it is in `slot`; its probes come under `id`.
    pub(super) fn new(
        (way, claim): (&Way, Claim),
        ways: &Ways,
        (helper, id): (&str, ProbeId),
        (link, slot): (&LinkEnd, u64),
        findings: Arc<Findings>,
    ) -> Verifier {
        let path = (link.path.clone(), slot);
        Verifier {
            kept: KeptLink::over(Arc::clone(&way.up), &ways.prober, helper, path, id),
            claim,
            turns: ways.turns.clone(),
            findings,
            told: None,
            is_counting: false,
        }
    }

    /// Measures the link while nothing else is on it: before the session begins.
    pub(super) async fn measure_alone(
        &mut self,
        send: &mut FrameSender,
        receive: &mut FrameReceiver,
        patience: Duration,
    ) -> Result<(), Broken> {
        let turn = self.turns.take(&self.kept.now().1.spec).await;
        let check = self.kept.probe().await?.clone();
        drop(turn);
        self.told = Some(self.findings.tell(None, check));
        let ask = self.kept.ask();
        let asked = ask.counts;
        let exchange = async {
            send.send(&LiveRequest::Counts(ask)).await?;
            match receive.expect().await? {
                LiveReply::Counts(answer) => Ok::<_, WireError>(*answer),
                other => Err(unexpected(&other)),
            }
        };
        let answer = tokio::time::timeout(patience, exchange).await??;
        self.kept.begin(asked, &answer);
        self.is_counting = true;
        self.claim.is_measured();
        Ok(())
    }

    /// Measures the link while slots go on, once the helper node has got to its present state.
    async fn measure(&mut self, talk: &mut Talk) -> Result<(), Broken> {
        let (first, state) = self.kept.now();
        let spec = state.spec;
        talk.slot.wait_for(|slot| *slot >= first).await.map_err(|_| Broken::Over)?;
        let turn = self.turns.take(&spec).await;
        self.kept.probe().await?;
        drop(turn);
        if let Some(check) = self.kept.beside_tasks() {
            self.told = Some(self.findings.tell(None, check.clone()));
        }
        let ask = self.kept.ask();
        let asked = ask.counts;
        let answer = talk.ask(ask).await?;
        self.kept.begin(asked, &answer);
        self.is_counting = true;
        Ok(())
    }

    /// The link gets to the state that it has in `slot`, if it is in another one.
    pub(super) fn change(&mut self, slot: u64) {
        if let Some(state) = self.kept.next(slot) {
            self.kept.change(state);
            (self.told, self.is_counting) = (None, false);
        }
    }

    /// Keeps to the present state until just before `until`, if it ends then, or until the trial is
    /// over. Says whether that is so.
    pub(super) async fn keep(
        &mut self,
        talk: &mut Talk,
        until: Option<Instant>,
        over: &mut watch::Receiver<bool>,
    ) -> Result<bool, Broken> {
        let notice = NOTICE + self.round_trips(2);
        let mut timer = Timer::new()?;
        let ending = async {
            tokio::select! {
                biased;
                () = told(over) => Ok(true),
                waited = wait(&mut timer, until.and_then(|at| at.checked_sub(notice))) => {
                    waited.map(|()| false)
                }
            }
        };
        tokio::pin!(ending);
        let mut ended = None;
        if self.told.is_none() {
            tokio::select! {
                biased;
                over = &mut ending => ended = Some(over?),
                measured = self.measure(talk) => measured?,
            }
        }
        let is_over = match ended {
            Some(is_over) => is_over,
            None => ending.await?,
        };
        let patience = if is_over { LAST_ANSWER + self.round_trips(4) } else { notice };
        self.count(talk, patience).await?;
        Ok(is_over)
    }

    /// Tells what the present state has come to.
    async fn count(&mut self, talk: &mut Talk, patience: Duration) -> Result<(), Broken> {
        if self.told.is_none() {
            self.told = Some(self.findings.tell(None, self.kept.unmeasured()));
        }
        if !self.is_counting {
            return Ok(());
        }
        let ask = self.kept.ask();
        let asked = ask.counts;
        if let Ok(answer) = tokio::time::timeout(patience, talk.ask(ask)).await
            && let Some(check) = self.kept.end(asked, &answer?)
        {
            self.findings.tell(self.told, check);
        }
        Ok(())
    }

    fn round_trips(&self, number: u32) -> Duration {
        Duration::from_nanos(self.kept.now().1.spec.round_trip_ns()) * number
    }
}

/// Completes when `over` is true, or can never be.
pub(super) async fn told(over: &mut watch::Receiver<bool>) {
    let _ = over.wait_for(|over| *over).await;
}

/// Waits until `until`, or without end.
pub(super) async fn wait(timer: &mut Timer, until: Option<Instant>) -> std::io::Result<()> {
    match until {
        Some(until) => timer.until(until).await,
        None => std::future::pending().await,
    }
}
