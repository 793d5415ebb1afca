//! One trial of the problem `placement` as the orchestrator orders it.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use fogbit_policy::placement::{DecisionModel, LearnedPolicy};
use fogbit_scenario::placement::Step;
use fogbit_scenario::topology::PlacementPolicySpec;
use fogbit_transport::placement::PlacementOrder;
use fogbit_transport::wire::OrderHead;
use fogbit_transport::{FrameReceiver, WireError};

use super::sim::SimFog;
use super::trial::{InstanceOracle, PlacementDecider, PlacementRecorder, PlacementTrial};
use super::wall::WallFog;
use crate::ordered::{Here, Ordered, Teller, policy_of};
use crate::steer::Place;
use crate::trial::TrialError;

impl Ordered for PlacementOrder {
    type Load = ();
    type Batch = Vec<Step>;

    fn head(&self) -> &OrderHead {
        &self.head
    }

    async fn load(&self, _receive: &mut FrameReceiver) -> Result<(), WireError> {
        Ok(())
    }

    async fn play(
        &self,
        (): (),
        here: &Here<'_>,
        teller: &mut Teller<'_, Vec<Step>>,
    ) -> Result<(), TrialError> {
        let instance = &self.instance;
        let spec: PlacementPolicySpec = policy_of(&self.head)?;
        let mut decider = decider(&spec, self)?;
        let mut trial = PlacementTrial {
            tasks: instance.task_node.tasks.clone(),
            shadow: instance.shadows(&spec),
            sites: instance.sites(),
            slots: instance.task_node.slots,
        };
        let real_time = instance.task_node.timeout_ns.is_some();
        let mut helpers = Vec::new();
        for place in places(self, real_time)? {
            helpers.push(here.open(place).await?);
        }
        // The orchestrator stops a trial by ending its stream.
        let never = AtomicBool::new(false);
        if real_time {
            let mut fog = WallFog::new(instance.clone(), self.head.trial, helpers)?;
            let played = trial.play(&mut fog, &mut decider, teller, &never).await;
            // However it ended, what was done is told.
            teller.tell().await?;
            played?;
            teller.links(fog.end().await?).await
        } else {
            let mut fog = SimFog::with_servers(instance, helpers);
            let played = trial.play(&mut fog, &mut decider, teller, &never).await;
            teller.tell().await?;
            played.map(drop)
        }
    }
}

impl PlacementRecorder for Teller<'_, Vec<Step>> {
    async fn record(&mut self, step: &Step) -> Result<(), TrialError> {
        self.step(step.clone()).await
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
    if let (PlacementPolicySpec::Learned(_), Some(bytes)) = (spec, &order.head.model) {
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
