//! `online`: a contextual bandit on observed latency.

use fogbit_scenario::placement::cost::loss_rounds;
use fogbit_scenario::placement::{Execution, Fate, Site, SiteSight, Task};
use fogbit_scenario::topology::OnlinePlacement;

use super::regression::{Regression, Row};
use super::{PlacementPolicy, least};

/// A linear model of the latency of each site, learnt from the tasks that ran there, with a
/// confidence bound: of latencies the lower one, since the least is wanted. LinUCB (Li, Chu, Langford
/// and Schapire, "A contextual-bandit approach to personalized news article recommendation", 2010),
/// with discounted observations (Garivier and Moulines, "On upper-confidence bound policies for
/// switching bandit problems", 2011; Russac, Vernade and Cappé, "Weighted linear bandits for
/// non-stationary environments", 2019).
///
/// The features are those in which the truth is linear, all of them in seconds: time to compute at
/// the frequency and load that the site states, time of the payload at the measured rates, round
/// trips that loss costs, the round-trip time, and 1 (`features`). The true coefficients of the
/// analytic model are 1, or 1 and some for headers, and the service overhead; the policy knows
/// nothing of that. An observation fades only with others at the same site: what is known of a site
/// is not forgotten while nothing runs there.
#[derive(Debug, Clone)]
pub struct OnlinePolicy {
    exploration: f64,
    models: Vec<Regression>,
    rows: Vec<Row>,
    predicted: Vec<f64>,
    bounds: Vec<f64>,
}

impl OnlinePolicy {
    /// The policy for `sites` sites.
    pub fn new(parameters: &OnlinePlacement, sites: usize) -> OnlinePolicy {
        let model = Regression::new(parameters.discount, parameters.ridge);
        OnlinePolicy {
            exploration: parameters.exploration,
            models: vec![model; sites],
            rows: Vec::with_capacity(sites),
            predicted: Vec::with_capacity(sites),
            bounds: Vec::with_capacity(sites),
        }
    }
}

/// What a latency may be off by where nothing is known yet, in seconds.
const UNKNOWN_S: f64 = 1.0;

impl PlacementPolicy for OnlinePolicy {
    fn decide(&mut self, _slot: u64, task: &Task, sights: &[SiteSight]) -> Site {
        self.rows.clear();
        self.predicted.clear();
        self.bounds.clear();
        for (model, sight) in self.models.iter().zip(sights) {
            let row = features(task, sight);
            let (mean, off) = (model.predict(&row), model.deviation().unwrap_or(UNKNOWN_S));
            self.bounds.push(mean - self.exploration * off * model.width(&row));
            self.predicted.push(mean);
            self.rows.push(row);
        }
        least(&self.bounds)
    }

    fn learn(&mut self, _slot: u64, _task: &Task, _sights: &[SiteSight], done: &Execution) {
        let index = done.site.index();
        let seconds = done.latency_ns as f64 / 1e9;
        let seconds = match done.fate {
            Fate::Done | Fate::TimedOut => seconds,
            // It is still to be done, and the task node itself always can.
            Fate::Refused(_) => seconds + self.rows[0][0],
        };
        self.models[index].learn(&self.rows[index], seconds);
    }

    fn predictions(&self) -> &[f64] {
        &self.predicted
    }
}

/// The features of `task` at a site, in seconds.
fn features(task: &Task, sight: &SiteSight) -> Row {
    let (up, down) = (task.input_bytes as f64 * 8.0, task.output_bytes as f64 * 8.0);
    Row::from([
        task.cycles as f64 / (sight.frequency_hz * (1.0 - sight.load)),
        up / sight.up_bits_s + down / sight.down_bits_s,
        loss_rounds(up + down, sight.loss) * sight.rtt_s,
        sight.rtt_s,
        1.0,
    ])
}
