//! A trial over a stream that is drawn once for many policies.

use fogbit_policy::cascade::{CascadePolicy, ClairvoyantPolicy, build};
use fogbit_scenario::TopologyFile;
use fogbit_scenario::cascade::{Arrival, CascadeInstance, CascadeScenario, Sight};
use fogbit_scenario::topology::CascadePolicySpec;

/// Images in a batch, of whose mean losses the standard error is taken.
const BATCH: usize = 10_000;

/// The scenario of the lines `text`; the trace is `file`.
pub(crate) fn scenario(file: &str, images: u64, text: &str) -> CascadeScenario {
    let text = format!(
        "problem = \"cascade\"\nimages = {images}\n{text}\n\
         trace = {{ file = \"{file}\", score = \"metric\", weak_loss = 0.2984 }}\n\
         [policies.x]\nkind = \"mdp\"\n"
    );
    let file = TopologyFile::from_text("case.toml".as_ref(), text);
    CascadeScenario::from_file(&file).unwrap_or_else(|faults| panic!("{faults:?}"))
}

/// All images of a trial.
pub(crate) fn stream(instance: &CascadeInstance) -> Vec<Arrival> {
    let mut stream = instance.stream();
    (0..instance.images).map(|_| stream.next_image()).collect()
}

/// What a trial came to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Outcome {
    /// Mean loss, and its standard error.
    pub(crate) loss: f64,
    pub(crate) error: f64,
    /// Share of images that were sent.
    pub(crate) sent: f64,
}

/// Plays `policy` over the `images` of `instance`.
pub(crate) fn play(
    instance: &CascadeInstance,
    images: &[Arrival],
    policy: &mut dyn CascadePolicy,
) -> Outcome {
    let (rows, bucket) = (instance.table.rows(), instance.bucket);
    let (mut level, mut spent, mut count) = (bucket.full(), false, 0u64);
    let mut means = Vec::new();
    for batch in images.chunks(BATCH) {
        let mut sum = 0.0;
        for arrival in batch {
            level = bucket.later(level, spent, arrival.gap).0;
            let row = rows[arrival.rank as usize];
            let sight = Sight { metric: row.metric, gap: arrival.gap, level };
            let wanted = policy.decide(&sight, &arrival.hidden);
            spent = wanted && !policy.ignores_bucket() && bucket.affords(level);
            let sent = spent || (wanted && policy.ignores_bucket());
            count += u64::from(sent);
            sum += f64::from(row.weak_loss) - if sent { f64::from(row.reward) } else { 0.0 };
        }
        means.push(sum / batch.len() as f64);
    }
    let all = means.len() as f64;
    let loss = means.iter().sum::<f64>() / all;
    let squares: f64 = means.iter().map(|mean| (mean - loss).powi(2)).sum();
    let sent = count as f64 / images.len() as f64;
    Outcome { loss, error: (squares / all / (all - 1.0).max(1.0)).sqrt(), sent }
}

/// The policy of this `kind` with its defaults.
pub(crate) fn policy(
    kind: &str,
    scenario: &CascadeScenario,
    instance: &CascadeInstance,
) -> Box<dyn CascadePolicy> {
    let value = serde_json::json!({ "kind": kind });
    let spec: CascadePolicySpec = serde_json::from_value(value).expect("a kind");
    match build(&spec, &scenario.setting()) {
        Some(policy) => policy,
        None => Box::new(ClairvoyantPolicy::new(instance)),
    }
}
