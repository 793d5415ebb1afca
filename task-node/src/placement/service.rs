//! One trial of the problem `placement` as the orchestrator orders it.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use fogbit_policy::placement::{DecisionModel, LearnedPolicy};
use fogbit_scenario::link::verdict::LinkCheck;
use fogbit_scenario::placement::Step;
use fogbit_scenario::topology::PlacementPolicySpec;
use fogbit_transport::placement::{PlacementOrder, PlacementReport};
use fogbit_transport::probe::Prober;
use fogbit_transport::{FrameReceiver, FrameSender, Member, WireError};

use super::sim::SimFog;
use super::trial::{InstanceOracle, PlacementDecider, PlacementRecorder, PlacementTrial};
use super::wall::WallFog;
use crate::steer::{Place, Steer};
use crate::trial::TrialError;

/// Steps are told at least this often, so that the orchestrator can show how it goes.
const REPORT_EVERY: Duration = Duration::from_millis(100);
/// And no more of them at once.
const MOST_STEPS: usize = 512;

/// Plays what is ordered and tells how it went.
pub(crate) async fn play(
    member: Arc<Member>,
    prober: Arc<Prober>,
    order: PlacementOrder,
    mut send: FrameSender,
    mut receive: FrameReceiver,
) {
    tracing::info!(trial = ?order.trial, policy = order.name, "trial begins");
    let started = Instant::now();
    let played = tokio::select! {
        biased;
        played = played(&member, &prober, order, &mut send) => played,
        // Nothing is said on this stream: its end is the end of the trial.
        ended = receive.receive::<PlacementReport>() => {
            Err(TrialError::Orchestrator(ended.err().unwrap_or(WireError::Ended)))
        }
    };
    let report = match played {
        Ok(()) => PlacementReport::Done {
            nanoseconds: u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX),
        },
        Err(error) => {
            match &error {
                TrialError::Orchestrator(_) => tracing::info!(%error, "nobody wants this trial"),
                error => tracing::error!(%error, "trial failed"),
            }
            PlacementReport::Failed { message: error.to_string() }
        }
    };
    if let Err(error) = send.send(&report).await {
        tracing::info!(%error, "the orchestrator does not hear how the trial ended");
    }
    send.finish();
    send.delivered().await;
}

async fn played(
    member: &Member,
    prober: &Arc<Prober>,
    order: PlacementOrder,
    send: &mut FrameSender,
) -> Result<(), TrialError> {
    let instance = &order.instance;
    let spec: PlacementPolicySpec = serde_json::from_str(&order.policy)
        .map_err(|error| TrialError::Order(format!("a policy that cannot be read: {error}")))?;
    let mut decider = decider(&spec, &order)?;
    let mut trial = PlacementTrial {
        tasks: instance.task_node.tasks.clone(),
        shadow: instance.shadows(&spec),
        sites: instance.sites(),
        slots: instance.task_node.slots,
    };
    let real_time = instance.task_node.timeout_ns.is_some();
    let mut helpers = Vec::new();
    for place in places(&order, real_time)? {
        helpers.push(Steer::open(member, prober, order.trial, place).await?);
    }
    let mut recorder = RemoteRecorder { send, steps: Vec::new(), told: Instant::now() };
    let never = AtomicBool::new(false);
    if real_time {
        let mut fog = WallFog::new(instance.clone(), order.trial, helpers)?;
        let played = trial.play(&mut fog, &mut decider, &mut recorder, &never).await;
        // However it ended, what was done is told.
        recorder.tell().await?;
        played?;
        recorder.tell_links(fog.end().await?).await
    } else {
        let mut fog = SimFog::with_servers(instance, helpers);
        let played = trial.play(&mut fog, &mut decider, &mut recorder, &never).await;
        recorder.tell().await?;
        played.map(drop)
    }
}

/// Who decides.
fn decider(
    spec: &PlacementPolicySpec,
    order: &PlacementOrder,
) -> Result<PlacementDecider<InstanceOracle>, TrialError> {
    let instance = &order.instance;
    if let PlacementPolicySpec::Oracle(_) = spec {
        return Ok(PlacementDecider::Oracle(InstanceOracle(instance.clone())));
    }
    if let (PlacementPolicySpec::Learned(_), Some(bytes)) = (spec, &order.model) {
        let model = DecisionModel::from_bytes(bytes)
            .map_err(|error| TrialError::Order(format!("a model that cannot be used: {error}")))?;
        let policy = LearnedPolicy::new(Arc::new(model), instance.sites());
        return Ok(PlacementDecider::Policy(Box::new(policy)));
    }
    fogbit_policy::placement::build(spec, instance.sites(), instance.cost())
        .map(PlacementDecider::Policy)
        .ok_or_else(|| TrialError::Order(format!("`{}` cannot be played", spec.kind())))
}

/// Where the helper nodes are; links are emulated in real time alone.
fn places(order: &PlacementOrder, real_time: bool) -> Result<Vec<Place>, TrialError> {
    let instance = &order.instance;
    if order.helpers.len() != instance.helpers.len() {
        return Err(TrialError::Order("helper nodes without an address".into()));
    }
    let place = |(node, address): (usize, &std::net::SocketAddr)| Place {
        name: instance.helpers[node].computer.name.clone(),
        address: *address,
        link: instance
            .links
            .get(node)
            .filter(|_| real_time)
            .map(|path| (path.clone(), instance.link_keys[node].up)),
    };
    Ok(order.helpers.iter().enumerate().map(place).collect())
}

/// Tells the orchestrator what happened, in batches.
#[derive(Debug)]
struct RemoteRecorder<'s> {
    send: &'s mut FrameSender,
    steps: Vec<Step>,
    told: Instant,
}

impl RemoteRecorder<'_> {
    async fn tell(&mut self) -> Result<(), TrialError> {
        self.told = Instant::now();
        if self.steps.is_empty() {
            return Ok(());
        }
        let steps = std::mem::take(&mut self.steps);
        self.send.send(&PlacementReport::Steps(steps)).await.map_err(TrialError::Orchestrator)
    }

    async fn tell_links(&mut self, found: Vec<LinkCheck>) -> Result<(), TrialError> {
        for check in found {
            let report = PlacementReport::Link(Box::new(check));
            self.send.send(&report).await.map_err(TrialError::Orchestrator)?;
        }
        Ok(())
    }
}

impl PlacementRecorder for RemoteRecorder<'_> {
    async fn record(&mut self, step: &Step) -> Result<(), TrialError> {
        self.steps.push(step.clone());
        if self.steps.len() >= MOST_STEPS || self.told.elapsed() >= REPORT_EVERY {
            self.tell().await?;
        }
        Ok(())
    }
}
