//! One trial of the problem `cascade` as the orchestrator orders it.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use bytes::Bytes;
use fogbit_neural::{Classifier, PIXELS};
use fogbit_policy::cascade::{CascadePolicy, ClairvoyantPolicy, DqnModel, DqnPolicy, build};
use fogbit_scenario::cascade::{CascadeInstance, ImageStep, ImageTable, Setting};
use fogbit_scenario::topology::CascadePolicySpec;
use fogbit_transport::cascade::{CascadeLoad, CascadeOrder, receive_load};
use fogbit_transport::report::Timed;
use fogbit_transport::wire::OrderHead;
use fogbit_transport::{FrameReceiver, WireError};

use super::camera::SlotCamera;
use super::eye::Eye;
use super::live::LiveCamera;
use super::trial::{CascadeRecorder, CascadeTrial};
use super::way::Way;
use crate::ordered::{Here, Ordered, Teller, policy_of};
use crate::steer::{Place, Steer};
use crate::trial::TrialError;

impl Ordered for CascadeOrder {
    type Load = CascadeLoad;
    type Batch = Timed<ImageStep>;

    fn head(&self) -> &OrderHead {
        &self.head
    }

    async fn load(&self, receive: &mut FrameReceiver) -> Result<CascadeLoad, WireError> {
        receive_load(receive, self).await
    }

    async fn play(
        &self,
        CascadeLoad { images, training, pictures }: CascadeLoad,
        here: &Here<'_>,
        teller: &mut Teller<'_, Timed<ImageStep>>,
    ) -> Result<(), TrialError> {
        let pictures = Bytes::from(pictures);
        let instance = self.instance(images);
        let mut policy = policy(self, self.setting(training), instance.clone()).await?;
        let eye = eye(self, &instance.table, &pictures)?;
        let place = Place {
            name: self.helper.0.clone(),
            address: self.helper.1,
            link: self.link.as_ref().map(|link| (link.path.clone(), link.key)),
        };
        let session = here.open(place).await?;
        let way = way(self, pictures, &session);
        let trial = CascadeTrial { instance: &instance };
        // The orchestrator stops a trial by ending its stream.
        let never = AtomicBool::new(false);
        match self.wall_ns {
            Some(wall_ns) => {
                let punctuality = teller.punctuality();
                let mut camera = LiveCamera::begin(eye, way, session, wall_ns, punctuality).await?;
                let played = trial.play(&mut camera, &mut *policy, teller, &never).await;
                // However it ended, what was done is told.
                teller.tell().await?;
                played?;
                teller.links(camera.end().await?).await
            }
            None => {
                let mut camera = SlotCamera::new(eye, way, session);
                let played = trial.play(&mut camera, &mut *policy, teller, &never).await;
                teller.tell().await?;
                played.map(drop)
            }
        }
    }
}

impl CascadeRecorder for Teller<'_, Timed<ImageStep>> {
    async fn record(&mut self, step: &ImageStep) -> Result<(), TrialError> {
        self.step(*step).await
    }
}

/// Who decides. To solve for a policy may take longer than this process may be silent, so another
/// thread does.
async fn policy(
    order: &CascadeOrder,
    setting: Setting,
    instance: CascadeInstance,
) -> Result<Box<dyn CascadePolicy>, TrialError> {
    let spec: CascadePolicySpec = policy_of(&order.head)?;
    let model = order.head.model.clone();
    let solved = tokio::task::spawn_blocking(move || made(&spec, model, &setting, &instance));
    solved.await.map_err(|error| TrialError::Order(error.to_string()))?
}

fn made(
    spec: &CascadePolicySpec,
    model: Option<Vec<u8>>,
    setting: &Setting,
    instance: &CascadeInstance,
) -> Result<Box<dyn CascadePolicy>, TrialError> {
    let unplayable = || TrialError::Order(format!("`{}` cannot be played", spec.kind()));
    match spec {
        CascadePolicySpec::Clairvoyant(_) => Ok(Box::new(ClairvoyantPolicy::new(instance))),
        CascadePolicySpec::Dqn(_) => {
            let model = DqnModel::from_bytes(&model.ok_or_else(unplayable)?).map_err(|error| {
                TrialError::Order(format!("a model that cannot be used: {error}"))
            })?;
            Ok(Box::new(DqnPolicy::new(Arc::new(model))))
        }
        spec => build(spec, setting).ok_or_else(unplayable),
    }
}

/// What sees the images.
fn eye(order: &CascadeOrder, table: &ImageTable, pictures: &Bytes) -> Result<Eye, TrialError> {
    let Some(weak) = &order.weak else { return Ok(Eye::of_trace(table.clone())) };
    if order.image_bytes != PIXELS as u64 {
        return Err(TrialError::Order(format!("pictures of {} bytes", order.image_bytes)));
    }
    let classifier = Classifier::from_bytes(weak)
        .map_err(|error| TrialError::Order(format!("a classifier that cannot be used: {error}")))?;
    Eye::of_pictures(table.clone(), classifier, pictures.clone())
}

/// What images are sent by. Without pictures it makes no difference which bytes they are.
fn way(order: &CascadeOrder, pictures: Bytes, session: &Steer) -> Way {
    let image_bytes = order.image_bytes as usize;
    Way {
        helper: order.helper.0.clone(),
        connection: session.connection.clone(),
        trial: order.head.trial,
        image_bytes,
        images: match &order.weak {
            Some(_) => pictures,
            None => Bytes::from(vec![0x5a; image_bytes]),
        },
        deadline_ns: order.wall_ns.map(|(_, timeout_ns)| timeout_ns),
    }
}
