//! What happens when an application runs under a placement, in virtual time.
//!
//! Sites and ways serve first come, first served: a sub-task joins the queue of its site when all of
//! its data is there, data that of its way when the sub-task that gives it is done. Of what comes at
//! the same nanosecond sub-tasks that are done go before those that become ready, and smaller numbers
//! before larger ones. Nothing waits for what is not there yet.

use serde::{Deserialize, Serialize};

use super::application::Application;
use super::cost::CostTable;

/// When a sub-task or a flow began, and when it was done, in nanoseconds since the application
/// arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Span {
    /// When it could have begun.
    pub ready_ns: u64,
    /// When it did.
    pub start_ns: u64,
    /// When it was done; of a flow, when its last byte had arrived.
    pub end_ns: u64,
}

/// What happened when.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Schedule {
    /// Each sub-task.
    pub sub_tasks: Vec<Span>,
    /// Each flow; one within a site ends when it begins.
    pub flows: Vec<Span>,
}

impl Schedule {
    /// The delay of the application: when its last sub-task was done and its output on the device, in
    /// nanoseconds.
    pub fn delay_ns(&self) -> u64 {
        self.sub_tasks.iter().chain(&self.flows).map(|own| own.end_ns).max().unwrap_or(0)
    }
}

/// Memory for schedules, and what does not change from placement to placement of an application.
#[derive(Debug, Clone, Default)]
pub struct Scheduler {
    /// Where the flows of each giver begin: the device, then each sub-task; one more at the end.
    first: Vec<u32>,
    /// The taking sub-task of each flow; [`DEVICE`] of output.
    to: Vec<u32>,
    /// How many flows each sub-task waits for.
    needs: Vec<u32>,
    run: Run,
}

/// The end of output.
const DEVICE: u32 = u32::MAX;

/// What changes while an application runs.
#[derive(Debug, Clone, Default)]
struct Run {
    /// How many flows each sub-task still waits for.
    missing: Vec<u32>,
    /// When all data of a sub-task that is known so far is there.
    ready: Vec<u64>,
    /// When each site has done what it has.
    free: Vec<u64>,
    /// The same of each way, `[from, to]`.
    way_free: Vec<u64>,
    /// What comes next, in no order: time, and the number of the sub-task; with [`READY`] where it
    /// becomes ready.
    events: Vec<(u64, u32)>,
    /// The latest end so far.
    end: u64,
}

/// Above all numbers of sub-tasks: those that are done come before those that become ready.
const READY: u32 = 1 << 31;

impl Scheduler {
    /// For placements of `application`.
    pub fn new(application: &Application) -> Scheduler {
        let mut scheduler = Scheduler::default();
        scheduler.take(application);
        scheduler
    }

    /// Takes on another application.
    pub fn take(&mut self, application: &Application) {
        let count = application.sub_tasks().len();
        self.first.clear();
        self.first.resize(count + 2, 0);
        self.needs.clear();
        self.needs.resize(count, 0);
        self.to.clear();
        for flow in application.flows() {
            self.first[flow.from.map_or(0, |from| from as usize + 1) + 1] += 1;
            self.to.push(flow.to.unwrap_or(DEVICE));
            if let Some(to) = flow.to {
                self.needs[to as usize] += 1;
            }
        }
        for giver in 0..=count {
            self.first[giver + 1] += self.first[giver];
        }
    }

    /// The delay of the application under `placement`, in nanoseconds.
    #[inline]
    pub fn delay_ns(&mut self, table: &CostTable, placement: &[u8]) -> u64 {
        self.run(table, placement, &mut ())
    }

    /// What happens under `placement`.
    pub fn schedule(&mut self, table: &CostTable, placement: &[u8]) -> Schedule {
        let mut schedule = Schedule {
            sub_tasks: vec![Span::default(); placement.len()],
            flows: vec![Span::default(); self.to.len()],
        };
        self.run(table, placement, &mut schedule);
        schedule
    }

    fn run(&mut self, table: &CostTable, placement: &[u8], watch: &mut impl Watch) -> u64 {
        debug_assert_eq!(placement.len(), self.needs.len(), "a site for each sub-task");
        self.run.begin(table, &self.needs);
        self.give(table, placement, None, 0, watch);
        while let Some((now, event)) = self.run.next() {
            let number = (event & !READY) as usize;
            if event == number as u32 {
                self.run.end = self.run.end.max(now);
                self.give(table, placement, Some(number), now, watch);
                continue;
            }
            let site = placement[number] as usize;
            let start = now.max(self.run.free[site]);
            let end = start.saturating_add(table.computing_ns(number, site));
            self.run.free[site] = end;
            watch.sub_task(number, Span { ready_ns: now, start_ns: start, end_ns: end });
            self.run.events.push((end, number as u32));
        }
        self.run.end
    }

    /// Hands on what `giver`, none for the device, has at `now`.
    #[inline]
    fn give(
        &mut self,
        table: &CostTable,
        placement: &[u8],
        giver: Option<usize>,
        now: u64,
        watch: &mut impl Watch,
    ) {
        let (place, site) = giver.map_or((0, 0), |own| (own + 1, placement[own] as usize));
        for flow in self.first[place] as usize..self.first[place + 1] as usize {
            let to = self.to[flow];
            let other = if to == DEVICE { 0 } else { placement[to as usize] as usize };
            let mut span = Span { ready_ns: now, start_ns: now, end_ns: now };
            if other != site {
                let free = &mut self.run.way_free[site * table.sites() + other];
                span.start_ns = now.max(*free);
                *free = span.start_ns.saturating_add(table.sending_ns(flow, site, other));
                span.end_ns = free.saturating_add(table.delay_ns(site, other));
            }
            watch.flow(flow, span);
            self.run.arrive(to, span.end_ns);
        }
    }
}

impl Run {
    fn begin(&mut self, table: &CostTable, needs: &[u32]) {
        let sites = table.sites();
        self.missing.clear();
        self.missing.extend_from_slice(needs);
        self.ready.clear();
        self.ready.resize(needs.len(), 0);
        self.free.clear();
        self.free.extend((0..sites).map(|site| table.busy_ns(site)));
        self.way_free.clear();
        self.way_free.resize(sites * sites, 0);
        self.events.clear();
        self.end = 0;
        for (number, _) in needs.iter().enumerate().filter(|(_, needs)| **needs == 0) {
            self.events.push((0, number as u32 | READY));
        }
    }

    /// A flow has arrived at `now`.
    #[inline]
    fn arrive(&mut self, to: u32, now: u64) {
        if to == DEVICE {
            self.end = self.end.max(now);
            return;
        }
        let own = to as usize;
        self.ready[own] = self.ready[own].max(now);
        self.missing[own] -= 1;
        if self.missing[own] == 0 {
            self.events.push((self.ready[own], to | READY));
        }
    }

    /// The earliest event. There are few of them at a time: a search from end to end is faster than a
    /// heap.
    #[inline]
    fn next(&mut self) -> Option<(u64, u32)> {
        let earliest = self.events.iter().enumerate().min_by_key(|(_, event)| **event);
        let place = earliest.map(|(place, _)| place)?;
        Some(self.events.swap_remove(place))
    }
}

/// Who wants to know what happens when.
trait Watch {
    fn sub_task(&mut self, number: usize, span: Span);
    fn flow(&mut self, flow: usize, span: Span);
}

impl Watch for () {
    #[inline]
    fn sub_task(&mut self, _: usize, _: Span) {}
    #[inline]
    fn flow(&mut self, _: usize, _: Span) {}
}

impl Watch for Schedule {
    fn sub_task(&mut self, number: usize, span: Span) {
        self.sub_tasks[number] = span;
    }
    fn flow(&mut self, flow: usize, span: Span) {
        self.flows[flow] = span;
    }
}
