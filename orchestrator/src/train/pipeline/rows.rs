//! Applications and their labels as rows that a network learns from.

use fogbit_policy::pipeline::{Encoder, Encoding};
use fogbit_scenario::pipeline::{Application, CostTable, PipelineScenario, Scheduler};
use rayon::prelude::*;

use super::labels::{Examples, LabelError, LabelSet, Part};

/// Rows are made by so many on a core.
const AT_ONCE: u64 = 1024;

/// What a network sees of each application, and what it is to say.
#[derive(Debug, Clone, PartialEq)]
pub struct Rows {
    /// What goes in.
    pub encoding: Encoding,
    /// `[application, input]`
    pub features: Vec<f32>,
    /// `[application, sub-task]`: where it may run, as bits; 0 beyond the sub-tasks of an application.
    pub open: Vec<u32>,
    /// `[application, sub-task]`: the best site.
    pub labels: Vec<u8>,
    /// `[application, sub-task, site]`: by how much the delay grows, in milliseconds, if this sub-task
    /// alone goes from the best placement to that site.
    pub costs: Vec<f32>,
    /// The least delay of each application, in milliseconds.
    optima: Vec<f64>,
}

impl Rows {
    /// Those of `labels`, which are of the training with `seed`; made in parallel over the cores.
    ///
    /// # Errors
    /// If a label is none of its application.
    pub fn new(
        scenario: &PipelineScenario,
        seed: u64,
        labels: &LabelSet,
    ) -> Result<Rows, LabelError> {
        let examples = Examples::new(scenario, seed, Part::Training);
        let encoding = Encoding::of(scenario.source(), scenario.condition_draws());
        let count = labels.len();
        let parts: Vec<Rows> = (0..count.div_ceil(AT_ONCE))
            .into_par_iter()
            .map(|part| {
                let numbers = part * AT_ONCE + 1..=count.min((part + 1) * AT_ONCE);
                let mut rows = Rows::empty(encoding.clone());
                let (mut row, mut scratch) = (Vec::new(), Scratch::default());
                let encoder = Encoder::new(&rows.encoding);
                for number in numbers {
                    let (application, conditions) = examples.example(number);
                    encoder.encode(&application, &conditions, &mut row);
                    rows.features.extend_from_slice(&row);
                    scratch.table.fill(&application, &conditions);
                    let best = (labels.placement(number), labels.delay_ns(number));
                    rows.push(&application, best, &mut scratch).ok_or(LabelError::Wrong(number))?;
                }
                Ok(rows)
            })
            .collect::<Result<_, _>>()?;
        let mut rows = Rows::empty(encoding);
        for own in parts {
            rows.features.extend_from_slice(&own.features);
            rows.open.extend_from_slice(&own.open);
            rows.labels.extend_from_slice(&own.labels);
            rows.costs.extend_from_slice(&own.costs);
            rows.optima.extend_from_slice(&own.optima);
        }
        Ok(rows)
    }

    fn empty(encoding: Encoding) -> Rows {
        let (features, open, labels) = (Vec::new(), Vec::new(), Vec::new());
        Rows { encoding, features, open, labels, costs: Vec::new(), optima: Vec::new() }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.optima.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.optima.is_empty()
    }

    /// Mean of the least delays of the first `count`, in milliseconds.
    pub(super) fn mean_optimum_ms(&self, count: usize) -> f64 {
        self.optima[..count].iter().sum::<f64>() / count as f64
    }

    /// Adds what is to be said of `application`, whose times are in `scratch`; nothing comes of a label
    /// that cannot be its best placement.
    fn push(
        &mut self,
        application: &Application,
        (best, delay_ns): (&[u8], u64),
        scratch: &mut Scratch,
    ) -> Option<()> {
        let Scratch { table, scheduler, placement } = scratch;
        scheduler.take(application);
        placement.clear();
        placement.extend_from_slice(best);
        if !application.allows(best) || scheduler.delay_ns(table, best) != delay_ns {
            return None;
        }
        for (number, own) in application.sub_tasks().iter().enumerate() {
            let mask = own.sites.iter().fold(0, |mask, site| mask | 1 << site);
            self.open.push(mask);
            self.labels.push(best[number]);
            for site in 0..self.encoding.sites as usize {
                let mut cost = 0.0;
                if own.sites.has(site) {
                    placement[number] = site as u8;
                    let longer = scheduler.delay_ns(table, placement).checked_sub(delay_ns)?;
                    cost = longer as f64 / 1e6;
                }
                self.costs.push(cost as f32);
            }
            placement[number] = best[number];
        }
        self.optima.push(delay_ns as f64 / 1e6);
        let (most, sites) = (self.encoding.sub_tasks as usize, self.encoding.sites as usize);
        self.open.resize(self.optima.len() * most, 0);
        self.labels.resize(self.optima.len() * most, 0);
        self.costs.resize(self.optima.len() * most * sites, 0.0);
        Some(())
    }
}

/// Memory for the times of an application.
#[derive(Default)]
struct Scratch {
    table: CostTable,
    scheduler: Scheduler,
    placement: Vec<u8>,
}
