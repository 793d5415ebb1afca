//! Sub-tasks, and sites, that may change places without a difference to the delay.
//!
//! - A sub-task is like the one before it if both take the same computing, may run at the same sites,
//!   take as much from the same givers and give as much to the same takers. Their flows are neighbours
//!   wherever flows are served by number, so that exchanging their sites makes the same schedule with
//!   the two numbers exchanged.
//! - Two helper sites are alike if every sub-task takes as long at both, and every flow as long to and
//!   from both. Schedules know no order of sites.
//!
//! So the first best placement in lexicographic order gives sub-tasks that are alike sites in rising
//! order, and begins sites that are alike in rising order: all others can be left out.

use fogbit_scenario::pipeline::{Application, CostTable, Flow, SiteSet, SubTask};

/// What of an application, under its conditions, is alike.
#[derive(Debug, Clone, Default)]
pub(super) struct Alike {
    /// Whether a sub-task is like the one before it.
    sub_tasks: Vec<bool>,
    /// The site that has to be in use before this one is.
    before: Vec<Option<usize>>,
}

impl Alike {
    /// Takes on an application.
    pub(super) fn take(&mut self, application: &Application, table: &CostTable) {
        let count = application.sub_tasks().len();
        self.sub_tasks.clear();
        self.sub_tasks.extend((0..count).map(|own| own > 0 && like_last(application, own)));
        self.before.clear();
        for site in 0..table.sites() {
            let like = |other: &usize| sites_alike(application, table, *other, site);
            self.before.push((1..site).rev().find(like));
        }
    }

    /// Whether sub-task `number` need not be tried at `site`, where the one before it is at `last` and
    /// the sites `used` have something to do.
    #[inline]
    pub(super) fn excludes(&self, number: usize, site: usize, last: usize, used: SiteSet) -> bool {
        (self.sub_tasks[number] && site < last)
            || self.before[site].is_some_and(|other| !used.has(other))
    }
}

fn like_last(application: &Application, number: usize) -> bool {
    let sub_tasks = application.sub_tasks();
    let flows_of = |own: usize| {
        let own = own as u32;
        let taken = move |flow: &&Flow| flow.to == Some(own);
        let given = move |flow: &&Flow| flow.from == Some(own);
        let flows = application.flows();
        let taken = flows.iter().filter(taken).map(|flow| (flow.from, flow.bytes));
        let given = flows.iter().filter(given).map(|flow| (flow.to, flow.bytes));
        (taken, given)
    };
    if sub_tasks[number] != sub_tasks[number - 1] {
        return false;
    }
    let ((taken, given), (also_taken, also_given)) = (flows_of(number - 1), flows_of(number));
    taken.eq(also_taken) && given.eq(also_given)
}

fn sites_alike(application: &Application, table: &CostTable, one: usize, other: usize) -> bool {
    let runs_alike = |(number, sub_task): (usize, &SubTask)| {
        table.computing_ns(number, one) == table.computing_ns(number, other)
            && sub_task.sites.has(one) == sub_task.sites.has(other)
    };
    let way = |flow, from, to| (table.sending_ns(flow, from, to), table.delay_ns(from, to));
    let third = |site: &usize| *site != one && *site != other;
    let sent_alike = |flow: usize| {
        way(flow, one, other) == way(flow, other, one)
            && (0..table.sites()).filter(third).all(|site| {
                way(flow, one, site) == way(flow, other, site)
                    && way(flow, site, one) == way(flow, site, other)
            })
    };
    table.busy_ns(one) == table.busy_ns(other)
        && application.sub_tasks().iter().enumerate().all(runs_alike)
        && (0..application.flows().len()).all(sent_alike)
}
