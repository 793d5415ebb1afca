//! Branch and bound over placements.
//!
//! Sub-tasks are placed in the order of their numbers. A partial placement is given up where no way to
//! complete it can be better than the best one that is known. The bound leaves out what only makes
//! a schedule longer:
//!
//! - nobody waits: the longest way through the graph, with the sites that are chosen, and for every
//!   other sub-task the best site;
//! - a site does one thing at a time: nothing of what it was given begins before the earliest of it
//!   could, it takes the sum of their times, and then the shortest way from one of them to the end.
//!
//! Times of a schedule of the placed sub-tasks alone would be no bound: where everybody is served in
//! the order of arrival, one more sub-task can make others faster (Graham, "Bounds on multiprocessing
//! timing anomalies", 1969).
//!
//! Of placements that differ only in what is alike, sub-tasks or sites, one is tried.

use fogbit_scenario::pipeline::{Application, CostTable, Flow, Scheduler, SiteSet};

use super::alike::Alike;
use super::search::Optimum;

/// The search gives up after so many partial placements, which takes a few seconds.
pub const MOST_PARTIAL: u64 = 10_000_000;

/// There is no best placement: too many have to be tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "its best placement was not found among {MOST_PARTIAL} partial ones: it has too many sub-tasks, \
     or too many sites to choose from"
)]
pub struct TooHard;

/// Memory for branch and bound.
#[derive(Debug, Clone, Default)]
pub struct BranchAndBound {
    scheduler: Scheduler,
    /// The shortest way from the beginning of a sub-task at a site to the end: `[sub-task, site]`.
    tail: Vec<u64>,
    /// When a sub-task that is placed can be done at the earliest.
    done: Vec<u64>,
    placement: Vec<u8>,
    best_ns: u64,
    /// What flows into each sub-task: its number, and the giver; none is the device.
    incoming: Vec<Vec<(usize, Option<usize>)>>,
    /// What each site was given: earliest beginning, sum, shortest rest after its own end. One record
    /// a level.
    given: Vec<Vec<Given>>,
    alike: Alike,
    /// How many partial placements may still be tried.
    left: u64,
}

#[derive(Debug, Clone, Copy)]
struct Given {
    first_ns: u64,
    sum_ns: u64,
    rest_ns: u64,
}

impl BranchAndBound {
    /// The best placement; of several best ones the first in lexicographic order, as
    /// [`exhaustive`](super::exhaustive) gives it. `known` is one to begin with: the better it is, the
    /// faster this goes.
    ///
    /// # Errors
    /// If it is not found among [`MOST_PARTIAL`] partial placements.
    pub fn search(
        &mut self,
        application: &Application,
        table: &CostTable,
        known: &[u8],
    ) -> Result<Optimum, TooHard> {
        self.begin(application, table);
        self.best_ns = self.scheduler.delay_ns(table, known);
        self.branch(application, table, 0, SiteSet::none())?;
        // Now that the delay is known: the first placement that has it.
        let found = self.first(application, table, 0, SiteSet::none())?;
        debug_assert!(found, "the best placement is one of all");
        Ok(Optimum { placement: self.placement.clone(), delay_ns: self.best_ns })
    }

    /// Gets ready for an application of which nothing is placed.
    fn begin(&mut self, application: &Application, table: &CostTable) {
        self.scheduler.take(application);
        self.alike.take(application, table);
        self.left = MOST_PARTIAL;
        self.tails(application, table);
        let count = application.sub_tasks().len();
        self.incoming.iter_mut().for_each(Vec::clear);
        self.incoming.resize(count, Vec::new());
        for (number, flow) in application.flows().iter().enumerate() {
            if let Some(to) = flow.to {
                self.incoming[to as usize].push((number, flow.from.map(|from| from as usize)));
            }
        }
        let nothing = Given { first_ns: u64::MAX, sum_ns: 0, rest_ns: u64::MAX };
        self.given.clear();
        self.given.resize(count + 1, vec![nothing; table.sites()]);
        self.done.clear();
        self.done.resize(count, 0);
        self.placement.clear();
        self.placement.resize(count, 0);
    }

    fn tails(&mut self, application: &Application, table: &CostTable) {
        let sites = table.sites();
        self.tail.clear();
        self.tail.resize(application.sub_tasks().len() * sites, 0);
        let flows = application.flows();
        let mut last = flows.len();
        for number in (0..application.sub_tasks().len()).rev() {
            let own = |flow: &Flow| flow.from == Some(number as u32);
            let first = last - flows[..last].iter().rev().take_while(|flow| own(flow)).count();
            for site in 0..sites {
                let rest = (first..last).map(|flow| self.rest(application, table, flow, site));
                self.tail[number * sites + site] =
                    rest.max().unwrap_or(0).saturating_add(table.computing_ns(number, site));
            }
            last = first;
        }
    }

    /// The shortest way from the beginning of flow `flow` at `site` to the end.
    fn rest(&self, application: &Application, table: &CostTable, flow: usize, site: usize) -> u64 {
        let way =
            |other| table.sending_ns(flow, site, other).saturating_add(table.delay_ns(site, other));
        let Some(to) = application.flows()[flow].to else { return way(0) };
        let on = |other| way(other).saturating_add(self.tail[to as usize * table.sites() + other]);
        let sites = application.sub_tasks()[to as usize].sites.iter();
        sites.map(on).min().expect("each sub-task runs somewhere")
    }

    /// Places the sub-tasks from `number` on, those before being placed at the sites `used`, in every
    /// way that may be better than the best one.
    fn branch(
        &mut self,
        application: &Application,
        table: &CostTable,
        number: usize,
        used: SiteSet,
    ) -> Result<(), TooHard> {
        if number == application.sub_tasks().len() {
            self.best_ns = self.best_ns.min(self.scheduler.delay_ns(table, &self.placement));
            return Ok(());
        }
        let mut order: [(u64, u64, usize); SiteSet::MOST] = [(0, 0, 0); SiteSet::MOST];
        let mut open = 0;
        for site in application.sub_tasks()[number].sites.iter() {
            let (bound, begin) = self.bound(table, number, site);
            if bound < self.best_ns && !self.is_left_out(number, site, used) {
                order[open] = (bound, begin, site);
                open += 1;
            }
        }
        order[..open].sort_unstable();
        for &(bound, begin, site) in &order[..open] {
            if bound >= self.best_ns {
                break;
            }
            self.place(table, number, site, begin)?;
            self.branch(application, table, number + 1, used.with(site))?;
        }
        Ok(())
    }

    /// Places the sub-tasks from `number` on so that the delay is the best one, in the first way in
    /// lexicographic order; whether there is one.
    fn first(
        &mut self,
        application: &Application,
        table: &CostTable,
        number: usize,
        used: SiteSet,
    ) -> Result<bool, TooHard> {
        if number == application.sub_tasks().len() {
            return Ok(self.scheduler.delay_ns(table, &self.placement) == self.best_ns);
        }
        for site in application.sub_tasks()[number].sites.iter() {
            let (bound, begin) = self.bound(table, number, site);
            if bound <= self.best_ns && !self.is_left_out(number, site, used) {
                self.place(table, number, site, begin)?;
                if self.first(application, table, number + 1, used.with(site))? {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Whether a placement that is as good is tried instead of those with sub-task `number` at `site`.
    #[inline]
    fn is_left_out(&self, number: usize, site: usize, used: SiteSet) -> bool {
        let last = number.checked_sub(1).map_or(0, |last| usize::from(self.placement[last]));
        self.alike.excludes(number, site, last, used)
    }

    /// No placement with sub-task `number` at `site` and those before it as they are has a shorter
    /// delay; and when the sub-task begins at the earliest.
    #[inline]
    fn bound(&self, table: &CostTable, number: usize, site: usize) -> (u64, u64) {
        let mut begin = table.busy_ns(site);
        for &(flow, from) in &self.incoming[number] {
            let (done, other) =
                from.map_or((0, 0), |from| (self.done[from], self.placement[from] as usize));
            let way =
                table.sending_ns(flow, other, site).saturating_add(table.delay_ns(other, site));
            begin = begin.max(done.saturating_add(way));
        }
        let tail = self.tail[number * table.sites() + site];
        let own = table.computing_ns(number, site);
        let given = self.given[number][site];
        let together = given
            .first_ns
            .min(begin)
            .saturating_add(given.sum_ns)
            .saturating_add(own)
            .saturating_add(given.rest_ns.min(tail - own));
        (begin.saturating_add(tail).max(together), begin)
    }

    /// Has sub-task `number` at `site`, where it begins at `begin` at the earliest.
    #[inline]
    fn place(
        &mut self,
        table: &CostTable,
        number: usize,
        site: usize,
        begin: u64,
    ) -> Result<(), TooHard> {
        self.left = self.left.checked_sub(1).ok_or(TooHard)?;
        let own = table.computing_ns(number, site);
        let rest = self.tail[number * table.sites() + site] - own;
        self.placement[number] = site as u8;
        self.done[number] = begin.saturating_add(own);
        let (before, after) = self.given.split_at_mut(number + 1);
        after[0].copy_from_slice(&before[number]);
        let given = &mut after[0][site];
        given.first_ns = given.first_ns.min(begin);
        given.sum_ns = given.sum_ns.saturating_add(own);
        given.rest_ns = given.rest_ns.min(rest);
        Ok(())
    }
}
