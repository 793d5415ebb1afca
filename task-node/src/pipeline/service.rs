//! One trial of the problem `pipeline` as the orchestrator orders it.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use fogbit_policy::pipeline::{NetPolicy, PipelineNet, PipelinePolicy, Sight};
use fogbit_scenario::pipeline::ApplicationStep;
use fogbit_scenario::topology::PipelinePolicySpec;
use fogbit_transport::pipeline::{PipelineOrder, SiteAddress};
use fogbit_transport::wire::OrderHead;
use fogbit_transport::{FrameReceiver, WireError};

use super::nodes::NodeSites;
use super::trial::{PipelineRecorder, PipelineTrial, Placer};
use crate::ordered::{Here, Ordered, Teller, policy_of};
use crate::trial::TrialError;

impl Ordered for PipelineOrder {
    type Load = ();
    type Batch = Vec<ApplicationStep>;

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
        teller: &mut Teller<'_, Vec<ApplicationStep>>,
    ) -> Result<(), TrialError> {
        let mut policy = BesideMessages(Some(policy(self)?));
        let sites = sites(self, &here.member().name)?;
        let mut fog = here.sites(sites, self.instance.timeout_ns).await?;
        let trial = PipelineTrial { instance: &self.instance };
        // The orchestrator stops a trial by ending its stream.
        let never = AtomicBool::new(false);
        let played = trial.play(&mut fog, &mut policy, teller, &never).await;
        // However it ended, what was done is told.
        teller.tell().await?;
        played.map(drop)
    }
}

impl Here<'_> {
    /// Opens the trial's sessions at all sites, the first of which is this device.
    async fn sites(
        &self,
        sites: Vec<SiteAddress>,
        timeout_ns: Option<u64>,
    ) -> Result<NodeSites<'_>, TrialError> {
        NodeSites::open(self.member(), self.trial(), sites, timeout_ns).await
    }
}

impl PipelineRecorder for Teller<'_, Vec<ApplicationStep>> {
    async fn record(&mut self, step: ApplicationStep) -> Result<(), TrialError> {
        self.step(step).await
    }
}

/// A policy that places on a thread of its own: a search may take longer than this process may be silent.
/// It is there but while it places.
struct BesideMessages(Option<Box<dyn PipelinePolicy>>);

impl Placer for BesideMessages {
    async fn place(
        &mut self,
        sight: &Sight<'_>,
        placement: &mut Vec<u8>,
    ) -> Result<(), TrialError> {
        let gone = || TrialError::Order("the policy is gone".into());
        let mut policy = self.0.take().ok_or_else(gone)?;
        let (number, mut placed) = (sight.number, std::mem::take(placement));
        let (application, conditions) = (sight.application.clone(), sight.conditions.clone());
        let place = move || {
            let sight = Sight { number, application: &application, conditions: &conditions };
            policy.place(&sight, &mut placed);
            (policy, placed)
        };
        let (policy, placed) = tokio::task::spawn_blocking(place).await.map_err(|_| gone())?;
        self.0 = Some(policy);
        *placement = placed;
        Ok(())
    }
}

/// Who places.
fn policy(order: &PipelineOrder) -> Result<Box<dyn PipelinePolicy>, TrialError> {
    let spec: PipelinePolicySpec = policy_of(&order.head)?;
    let (instance, sites) = (&order.instance, &order.sites);
    if let (Some(bytes), true) = (&order.head.model, has_model(&spec)) {
        let unusable = |error| TrialError::Order(format!("a model that cannot be used: {error}"));
        let net = PipelineNet::from_bytes(bytes).map_err(unusable)?;
        net.fits(instance.source.most_sub_tasks(), sites.len()).map_err(unusable)?;
        return Ok(Box::new(NetPolicy::new(Arc::new(net))));
    }
    fogbit_policy::pipeline::build(&spec, sites, instance.keys.random)
        .ok_or_else(|| TrialError::Order(format!("`{}` cannot be played", spec.kind())))
}

fn has_model(spec: &PipelinePolicySpec) -> bool {
    matches!(spec, PipelinePolicySpec::Imitation(_) | PipelinePolicySpec::Distilled(_))
}

/// Who the sites are, and where: the device is known by the name of this task node.
fn sites(order: &PipelineOrder, device: &str) -> Result<Vec<SiteAddress>, TrialError> {
    if order.helpers.len() + 1 != order.sites.len() {
        return Err(TrialError::Order("helper nodes without an address".into()));
    }
    let helper =
        |(name, address): &(String, _)| SiteAddress { name: name.clone(), address: Some(*address) };
    let device = SiteAddress { name: device.to_owned(), address: None };
    Ok([device].into_iter().chain(order.helpers.iter().map(helper)).collect())
}
