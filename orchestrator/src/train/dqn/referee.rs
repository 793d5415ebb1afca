//! How a policy does on a stream that nobody was trained on.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use fogbit_policy::cascade::{CascadePolicy, DqnModel, DqnPolicy, build};
use fogbit_scenario::cascade::{CascadeInstance, ImageRow, ImageStep, Setting};
use fogbit_scenario::topology::{CascadePolicySpec, MdpCascade, ThresholdCascade};
use fogbit_task_node::TrialError;
use fogbit_task_node::cascade::{CascadeRecorder, CascadeTrial, SimCamera};
use serde::Serialize;

use super::stream::TrainingKeys;
use crate::backend::sim::now;

/// Images of the stream that judges.
const IMAGES: u64 = 50_000;

/// How a policy did.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Verdict {
    /// Its average loss.
    pub average_loss: f64,
    /// Share of the images for which there was a token that it sent.
    pub sent_share: f64,
    /// What it did with all of them, if that was the same and should not be: the policy is then
    /// degenerate.
    pub degenerate: Option<&'static str>,
}

/// Judges policies by a stream of its own.
#[derive(Debug)]
pub struct Referee {
    instance: CascadeInstance,
    /// Whether sending whenever there is a token may be right, and whether never sending may be.
    may_be_right: [bool; 2],
    rivals: Vec<(&'static str, f64)>,
}

impl Referee {
    /// Judges policies of `setting` in a training with this seed.
    pub fn new(setting: &Setting, seed: u64) -> Referee {
        let instance = CascadeInstance {
            seed,
            images: IMAGES,
            table: setting.images.clone(),
            walk: setting.walk,
            arrivals: setting.arrivals,
            keys: TrainingKeys::new(seed).validation,
            bucket: setting.bucket,
            wall_ns: None,
        };
        let gains = setting.images.rows().iter().any(|row| row.reward > 0.0);
        let may_be_right = [setting.affordable_share() >= 1.0, !gains];
        let mut referee = Referee { instance, may_be_right, rivals: Vec::new() };
        for (name, spec) in [
            ("mdp", CascadePolicySpec::Mdp(MdpCascade::default())),
            ("threshold", CascadePolicySpec::Threshold(ThresholdCascade::default())),
        ] {
            if let Some(mut policy) = build(&spec, setting) {
                referee.rivals.push((name, average_loss(&referee.instance, policy.as_mut())));
            }
        }
        referee
    }

    /// Average losses of others on the same stream, by name.
    pub fn rivals(&self) -> &[(&'static str, f64)] {
        &self.rivals
    }

    /// Judges the greedy policy of a network.
    pub fn judge(&self, model: Arc<DqnModel>) -> Verdict {
        let sums = play(&self.instance, &mut DqnPolicy::new(model));
        let [always, never] = self.may_be_right;
        let degenerate = match sums.sent {
            0 if sums.affordable > 0 && !never => Some("keeps every image"),
            sent if sent == sums.affordable && sent > 0 && !always => {
                Some("sends every image for which there is a token")
            }
            _ => None,
        };
        Verdict {
            average_loss: sums.average_loss(),
            sent_share: sums.sent as f64 / (sums.affordable as f64).max(1.0),
            degenerate,
        }
    }
}

/// The average loss of a policy over all images of `instance`, in virtual time.
pub fn average_loss(instance: &CascadeInstance, policy: &mut dyn CascadePolicy) -> f64 {
    play(instance, policy).average_loss()
}

fn play<'i>(instance: &'i CascadeInstance, policy: &mut dyn CascadePolicy) -> Sums<'i> {
    let rows = instance.table.rows();
    let mut sums = Sums { rows, price: instance.bucket.price, ..Sums::default() };
    let mut fog = SimCamera::new(&instance.table);
    let trial = CascadeTrial { instance };
    let played = now(trial.play(&mut fog, policy, &mut sums, &AtomicBool::new(false)));
    played.expect("nothing fails in virtual time, and nobody stops it");
    sums
}

/// What was lost, and what was sent of what could be.
#[derive(Debug, Default)]
struct Sums<'t> {
    rows: &'t [ImageRow],
    /// Levels of one token.
    price: u32,
    images: u64,
    affordable: u64,
    sent: u64,
    loss: f64,
}

impl Sums<'_> {
    fn average_loss(&self) -> f64 {
        self.loss / self.images as f64
    }
}

impl CascadeRecorder for Sums<'_> {
    async fn record(&mut self, step: &ImageStep) -> Result<(), TrialError> {
        let row = &self.rows[step.rank as usize];
        let sent = step.offloaded();
        self.images += 1;
        self.affordable += u64::from(step.sight.level >= self.price);
        self.sent += u64::from(sent);
        self.loss += f64::from(row.weak_loss) - if sent { f64::from(row.reward) } else { 0.0 };
        Ok(())
    }
}
