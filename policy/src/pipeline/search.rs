//! Optimal placements: all of them tried, or branch and bound.

use fogbit_scenario::pipeline::{Application, CostTable, Scheduler};
use fogbit_scenario::topology::SearchMethod;

use super::{BranchAndBound, Greedy, PipelinePolicy, Sight, TooHard};

/// The best placement of an application and its delay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Optimum {
    /// The site of each sub-task; of several best ones the first in lexicographic order.
    pub placement: Vec<u8>,
    /// Its delay in nanoseconds.
    pub delay_ns: u64,
}

/// Tries all placements, in lexicographic order.
pub fn exhaustive(
    application: &Application,
    table: &CostTable,
    scheduler: &mut Scheduler,
) -> Optimum {
    scheduler.take(application);
    let choices: Vec<Vec<u8>> = choices(application);
    let mut at = vec![0; choices.len()];
    let mut placement: Vec<u8> = choices.iter().map(|own| own[0]).collect();
    let mut best = Optimum { placement: Vec::new(), delay_ns: u64::MAX };
    loop {
        let delay = scheduler.delay_ns(table, &placement);
        if delay < best.delay_ns || best.placement.is_empty() {
            best.delay_ns = delay;
            best.placement.clone_from(&placement);
        }
        let Some(turned) = (0..choices.len()).rev().find(|own| at[*own] + 1 < choices[*own].len())
        else {
            return best;
        };
        at[turned] += 1;
        placement[turned] = choices[turned][at[turned]];
        for own in turned + 1..choices.len() {
            at[own] = 0;
            placement[own] = choices[own][0];
        }
    }
}

fn choices(application: &Application) -> Vec<Vec<u8>> {
    let sites = |own: &fogbit_scenario::pipeline::SubTask| {
        own.sites.iter().map(|site| site as u8).collect()
    };
    application.sub_tasks().iter().map(sites).collect()
}

/// Search for the best placement as a policy.
#[derive(Debug, Clone)]
pub struct SearchPolicy {
    method: SearchMethod,
    table: CostTable,
    greedy: Greedy,
    bound: BranchAndBound,
    scheduler: Scheduler,
    /// What branch and bound begins with.
    known: Vec<u8>,
}

impl SearchPolicy {
    /// Searches by `method`; branch and bound begins with what [`Greedy`] finds.
    pub fn new(method: SearchMethod) -> SearchPolicy {
        SearchPolicy {
            method,
            table: CostTable::default(),
            greedy: Greedy::default(),
            bound: BranchAndBound::default(),
            scheduler: Scheduler::default(),
            known: Vec::new(),
        }
    }

    /// The best placement of an application, and its delay.
    ///
    /// # Errors
    /// If branch and bound gives up.
    pub fn optimum(&mut self, sight: &Sight<'_>) -> Result<Optimum, TooHard> {
        let Sight { application, conditions, .. } = *sight;
        self.table.fill(application, conditions);
        match self.method {
            SearchMethod::Exhaustive => {
                Ok(exhaustive(application, &self.table, &mut self.scheduler))
            }
            SearchMethod::BranchAndBound => {
                self.greedy.place(application, &self.table, &mut self.known);
                self.bound.search(application, &self.table, &self.known)
            }
        }
    }
}

impl PipelinePolicy for SearchPolicy {
    /// Where branch and bound gives up, the placement that it began with. Nobody takes it for the best
    /// one: whoever holds policies against best placements gives up there, too.
    fn place(&mut self, sight: &Sight<'_>, placement: &mut Vec<u8>) {
        match self.optimum(sight) {
            Ok(best) => *placement = best.placement,
            Err(TooHard) => placement.clone_from(&self.known),
        }
    }
}
