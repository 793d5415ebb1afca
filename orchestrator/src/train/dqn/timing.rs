//! How long a decision takes.

use std::sync::Arc;
use std::time::Instant;

use fogbit_policy::cascade::{CascadePolicy, DqnModel, DqnPolicy};
use fogbit_scenario::cascade::{Hidden, Setting, Sight};

const WARM_UP: usize = 1_000;
const DECISIONS: usize = 20_000;

/// Seconds that one decision takes when there is a token, on images of `setting`.
pub fn decision_seconds(model: Arc<DqnModel>, setting: &Setting) -> f64 {
    let mut policy = DqnPolicy::new(model);
    let rows = setting.images.rows();
    let (level, gap) = (setting.bucket.full(), setting.arrivals.gaps[0]);
    let hidden = Hidden { place: 0, state: 0 };
    let mut sent = 0u32;
    let mut decide = |image: usize| {
        let sight = Sight { metric: rows[image % rows.len()].metric, gap, level };
        sent += u32::from(policy.decide(&sight, &hidden));
    };
    (0..WARM_UP).for_each(&mut decide);
    let started = Instant::now();
    (0..DECISIONS).for_each(&mut decide);
    let seconds = started.elapsed().as_secs_f64();
    std::hint::black_box(sent);
    seconds / DECISIONS as f64
}
