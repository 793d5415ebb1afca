//! Earliest finish time, sub-task after sub-task.

use fogbit_scenario::pipeline::{Application, CostTable};

use super::{PipelinePolicy, Sight};

/// Places each sub-task, in the order of their numbers, where it is done first, given those before
/// it: what a site or a way has to do already is waited for, gaps are not filled (the earliest finish
/// time of Topcuoglu, Hariri and Wu, "HEFT", 2002, without their ranks).
#[derive(Debug, Clone, Default)]
pub struct Greedy {
    done: Vec<u64>,
    free: Vec<u64>,
    way_free: Vec<u64>,
    trial: Vec<u64>,
}

impl Greedy {
    /// Writes the placement of `application`.
    pub fn place(&mut self, application: &Application, table: &CostTable, placement: &mut Vec<u8>) {
        let sites = table.sites();
        placement.clear();
        self.done.clear();
        self.free.clear();
        self.free.extend((0..sites).map(|site| table.busy_ns(site)));
        self.way_free.clear();
        self.way_free.resize(sites * sites, 0);
        for (number, own) in application.sub_tasks().iter().enumerate() {
            let best = own
                .sites
                .iter()
                .map(|site| (self.finish(application, table, placement, number, site), site));
            let (_, site) = best.min().expect("each sub-task runs somewhere");
            let end = self.finish(application, table, placement, number, site);
            self.way_free.copy_from_slice(&self.trial);
            self.free[site] = end;
            self.done.push(end);
            placement.push(site as u8);
        }
    }

    fn finish(
        &mut self,
        application: &Application,
        table: &CostTable,
        placement: &[u8],
        number: usize,
        site: usize,
    ) -> u64 {
        let sites = table.sites();
        self.trial.clear();
        self.trial.extend_from_slice(&self.way_free);
        let mut begin = self.free[site];
        for (flow, own) in application.flows().iter().enumerate() {
            if own.to != Some(number as u32) {
                continue;
            }
            let (mut there, other) = match own.from {
                Some(from) => (self.done[from as usize], placement[from as usize] as usize),
                None => (0, 0),
            };
            if other != site {
                let free = &mut self.trial[other * sites + site];
                *free = (*free).max(there) + table.sending_ns(flow, other, site);
                there = *free + table.delay_ns(other, site);
            }
            begin = begin.max(there);
        }
        begin + table.computing_ns(number, site)
    }
}

/// [`Greedy`] as a policy.
#[derive(Debug, Clone, Default)]
pub struct GreedyPolicy {
    greedy: Greedy,
    table: CostTable,
}

impl PipelinePolicy for GreedyPolicy {
    fn place(&mut self, sight: &Sight<'_>, placement: &mut Vec<u8>) {
        self.table.fill(sight.application, sight.conditions);
        self.greedy.place(sight.application, &self.table, placement);
    }
}
