//! One trial of the problem `cascade` as the orchestrator orders it.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use bytes::Bytes;
use fogbit_neural::{Classifier, PIXELS};
use fogbit_policy::cascade::{CascadePolicy, ClairvoyantPolicy, DqnModel, DqnPolicy, build};
use fogbit_scenario::cascade::{CascadeInstance, ImageStep, ImageTable, Setting};
use fogbit_scenario::link::verdict::LinkCheck;
use fogbit_scenario::topology::CascadePolicySpec;
use fogbit_transport::cascade::{CascadeLoad, CascadeOrder, CascadeReport, receive_load};
use fogbit_transport::probe::Prober;
use fogbit_transport::{FrameReceiver, FrameSender, Member, WireError};

use super::camera::SlotCamera;
use super::eye::Eye;
use super::live::LiveCamera;
use super::trial::{CascadeRecorder, CascadeTrial};
use super::way::Way;
use crate::live::Punctuality;
use crate::steer::{Place, Steer, nanoseconds};
use crate::trial::TrialError;

/// Steps are told at least this often, so that the orchestrator can show how it goes.
const REPORT_EVERY: Duration = Duration::from_millis(100);
/// And no more of them at once.
const MOST_STEPS: usize = 512;

/// Plays what is ordered and tells how it went.
pub(crate) async fn play(
    member: Arc<Member>,
    prober: Arc<Prober>,
    order: CascadeOrder,
    mut send: FrameSender,
    mut receive: FrameReceiver,
) {
    tracing::info!(trial = ?order.trial, policy = order.name, "trial begins");
    let started = Instant::now();
    let played = async {
        let load = receive_load(&mut receive, &order).await.map_err(TrialError::Orchestrator)?;
        tokio::select! {
            biased;
            played = played(&member, &prober, order, load, &mut send) => played,
            // Nothing more is said on this stream: its end is the end of the trial.
            ended = receive.receive::<CascadeReport>() => {
                Err(TrialError::Orchestrator(ended.err().unwrap_or(WireError::Ended)))
            }
        }
    };
    let report = match played.await {
        Ok(()) => CascadeReport::Done { nanoseconds: nanoseconds(started) },
        Err(error) => {
            match &error {
                TrialError::Orchestrator(_) => tracing::info!(%error, "nobody wants this trial"),
                error => tracing::error!(%error, "trial failed"),
            }
            CascadeReport::Failed { message: error.to_string() }
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
    order: CascadeOrder,
    load: CascadeLoad,
    send: &mut FrameSender,
) -> Result<(), TrialError> {
    let CascadeLoad { images, training, pictures } = load;
    let pictures = Bytes::from(pictures);
    let instance = order.instance(images);
    let mut policy = policy(&order, order.setting(training), instance.clone()).await?;
    let eye = eye(&order, &instance.table, &pictures)?;
    let place = Place {
        name: order.helper.0.clone(),
        address: order.helper.1,
        link: order.link.as_ref().map(|link| (link.path.clone(), link.key)),
    };
    let session = Steer::open(member, prober, order.trial, place).await?;
    let way = way(&order, pictures, &session);
    let punctuality = Arc::new(Punctuality::default());
    let mut recorder = RemoteRecorder {
        send,
        steps: Vec::new(),
        punctuality: Arc::clone(&punctuality),
        told: Instant::now(),
    };
    let trial = CascadeTrial { instance: &instance };
    // The orchestrator stops a trial by ending its stream.
    let never = AtomicBool::new(false);
    match order.wall_ns {
        Some(wall_ns) => {
            let mut camera = LiveCamera::begin(eye, way, session, wall_ns, punctuality).await?;
            let played = trial.play(&mut camera, &mut *policy, &mut recorder, &never).await;
            // However it ended, what was done is told.
            recorder.tell().await?;
            played?;
            recorder.tell_links(camera.end().await?).await
        }
        None => {
            let mut camera = SlotCamera::new(eye, way, session);
            let played = trial.play(&mut camera, &mut *policy, &mut recorder, &never).await;
            recorder.tell().await?;
            played.map(drop)
        }
    }
}

/// Who decides. To solve for a policy may take longer than this process may be silent, so another
/// thread does.
async fn policy(
    order: &CascadeOrder,
    setting: Setting,
    instance: CascadeInstance,
) -> Result<Box<dyn CascadePolicy>, TrialError> {
    let spec: CascadePolicySpec = serde_json::from_str(&order.policy)
        .map_err(|error| TrialError::Order(format!("a policy that cannot be read: {error}")))?;
    let model = order.model.clone();
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
        trial: order.trial,
        image_bytes,
        images: match &order.weak {
            Some(_) => pictures,
            None => Bytes::from(vec![0x5a; image_bytes]),
        },
        deadline_ns: order.wall_ns.map(|(_, timeout_ns)| timeout_ns),
    }
}

/// Tells the orchestrator what happened, in batches.
#[derive(Debug)]
struct RemoteRecorder<'s> {
    send: &'s mut FrameSender,
    steps: Vec<ImageStep>,
    punctuality: Arc<Punctuality>,
    told: Instant,
}

impl RemoteRecorder<'_> {
    async fn tell(&mut self) -> Result<(), TrialError> {
        self.told = Instant::now();
        let steps = std::mem::take(&mut self.steps);
        let (begun, late) = self.punctuality.take();
        let report = CascadeReport::Steps { steps, begun, late };
        self.send.send(&report).await.map_err(TrialError::Orchestrator)
    }

    async fn tell_links(&mut self, found: Vec<LinkCheck>) -> Result<(), TrialError> {
        for check in found {
            let report = CascadeReport::Link(Box::new(check));
            self.send.send(&report).await.map_err(TrialError::Orchestrator)?;
        }
        Ok(())
    }
}

impl CascadeRecorder for RemoteRecorder<'_> {
    async fn record(&mut self, step: &ImageStep) -> Result<(), TrialError> {
        self.steps.push(*step);
        if self.steps.len() >= MOST_STEPS || self.told.elapsed() >= REPORT_EVERY {
            self.tell().await?;
        }
        Ok(())
    }
}
