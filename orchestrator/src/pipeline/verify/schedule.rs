//! What was measured of an application, held against what can have happened.
//!
//! Each site tells, by its own clock, when its sub-tasks were ready, began and were done, and when flows of
//! others were there. When flows were ready and began follows from that and is computed again. The rest
//! is what no busy host can change: nothing begins before its data is there, and one thing at a time.

use fogbit_scenario::pipeline::{Application, CostTable, Measured, Span};

/// How late a site may see what has happened, beside a twentieth of the delay and what the host held up:
/// then the host is busy with something else, and what is done is seen done when its turn comes.
const LAG_NS: u64 = 20_000_000;

/// An application as it was placed, and what was measured of it.
pub(super) struct Told<'t> {
    pub(super) application: &'t Application,
    pub(super) table: &'t CostTable,
    pub(super) placement: &'t [u8],
    pub(super) measured: &'t Measured,
    /// By how much its sub-tasks took longer than they were to, as the decision file has it.
    pub(super) held_up_ns: u64,
}

impl Told<'_> {
    /// # Errors
    /// The first thing that cannot be.
    pub(super) fn check(&self) -> Result<(), String> {
        let (sub_tasks, flows) = (self.sub_tasks(), self.flows());
        let counts = (sub_tasks.len(), flows.len());
        let right = (self.application.sub_tasks().len(), self.application.flows().len());
        if counts != right {
            return Err(format!("(sub-tasks, flows) = {counts:?}, it has {right:?}"));
        }
        let all = spans("sub-task", sub_tasks).chain(spans("flow", flows));
        for (name, span) in all.clone() {
            if span.ready_ns > span.start_ns || span.start_ns > span.end_ns {
                return Err(format!(
                    "{name} was ready, began and ended in another order: {span:?}"
                ));
            }
        }
        let end_ns = all.map(|(_, span)| span.end_ns).max();
        if end_ns != Some(self.measured.delay_ns) {
            return Err(format!("its last end is {end_ns:?}, not its delay"));
        }
        self.check_flows()?;
        self.check_ways()?;
        self.check_data()?;
        self.check_sites()?;
        self.check_held_up()
    }

    fn sub_tasks(&self) -> &[Span] {
        &self.measured.schedule.sub_tasks
    }

    fn flows(&self) -> &[Span] {
        &self.measured.schedule.flows
    }

    fn site(&self, sub_task: usize) -> usize {
        self.placement[sub_task].into()
    }

    /// From which site to which one a flow leads; input comes from the device, and output goes there.
    fn way(&self, flow: usize) -> [usize; 2] {
        let flow = &self.application.flows()[flow];
        [flow.from, flow.to].map(|end| end.map_or(0, |own| self.site(own as usize)))
    }

    /// Flows leave when their giver is done; within a site they are there at once.
    fn check_flows(&self) -> Result<(), String> {
        for (number, (flow, span)) in self.application.flows().iter().zip(self.flows()).enumerate()
        {
            let due = flow.from.map_or(0, |own| self.sub_tasks()[own as usize].end_ns);
            if span.ready_ns != due {
                return Err(format!("flow {number} was ready at {}, not at {due}", span.ready_ns));
            }
            let [from, to] = self.way(number);
            if from == to && span.end_ns != due {
                return Err(format!("flow {number} took time within a site"));
            }
        }
        Ok(())
    }

    /// On each way flows are sent one at a time, in the order in which they were ready.
    fn check_ways(&self) -> Result<(), String> {
        for (number, span) in self.flows().iter().enumerate() {
            let way = self.way(number);
            if way[0] == way[1] {
                continue;
            }
            let others = self.flows().iter().enumerate();
            let others = others.filter(|(other, _)| *other != number && self.way(*other) == way);
            let mut free_ns = 0;
            for (other, before) in others {
                if before.ready_ns < span.ready_ns && before.end_ns > span.end_ns {
                    return Err(format!("flow {number} overtook flow {other}"));
                }
                if (before.end_ns, other) < (span.end_ns, number) {
                    // Its last byte had left as long before as the way delays.
                    let left_ns = before.end_ns.saturating_sub(self.table.delay_ns(way[0], way[1]));
                    free_ns = free_ns.max(left_ns);
                }
            }
            let due = span.ready_ns.max(free_ns).min(span.end_ns);
            if span.start_ns != due {
                return Err(format!("flow {number} began at {}, not at {due}", span.start_ns));
            }
        }
        Ok(())
    }

    /// A sub-task is ready when the last of its data is there: not later, and not before.
    fn check_data(&self) -> Result<(), String> {
        for (number, span) in self.sub_tasks().iter().enumerate() {
            let given = self.application.flows().iter().zip(self.flows());
            let given = given.filter(|(flow, _)| flow.to == Some(number as u32));
            let given: Vec<&Span> = given.map(|(_, span)| span).collect();
            let last_ns = given.iter().map(|flow| flow.end_ns).max().unwrap_or(0);
            if span.ready_ns > last_ns {
                let all = format!("all of its data was there at {last_ns}");
                return Err(format!("sub-task {number} was ready at {}, and {all}", span.ready_ns));
            }
            // One that is told to have taken no time has an end by the clock of its giver.
            let arrived = given.iter().filter(|flow| flow.end_ns > flow.ready_ns);
            let arrived_ns = arrived.map(|flow| flow.end_ns).max().unwrap_or(0);
            if span.ready_ns.saturating_add(self.lag_ns()) < arrived_ns {
                return Err(format!("sub-task {number} was ready before its data was there"));
            }
        }
        Ok(())
    }

    /// A site is busy with others at first, and then does one sub-task at a time, in the order in which
    /// they became ready.
    fn check_sites(&self) -> Result<(), String> {
        let all: Vec<(usize, &Span)> = self.sub_tasks().iter().enumerate().collect();
        for (number, span) in &all {
            let site = self.site(*number);
            if span.start_ns.saturating_add(self.lag_ns()) < self.table.busy_ns(site) {
                return Err(format!("sub-task {number} began while its site was busy"));
            }
            let took_ns = span.end_ns - span.start_ns;
            if took_ns.saturating_add(self.lag_ns()) < self.table.computing_ns(*number, site) {
                return Err(format!("sub-task {number} took less than its work does"));
            }
            for (other, before) in &all {
                if self.site(*other) != site || (before.end_ns, other) >= (span.end_ns, number) {
                    continue;
                }
                if span.start_ns.saturating_add(self.lag_ns()) < before.end_ns {
                    return Err(format!(
                        "sub-tasks {other} and {number} ran at one time on a site"
                    ));
                }
                if span.ready_ns.saturating_add(self.lag_ns()) < before.ready_ns {
                    return Err(format!(
                        "sub-task {other} was done before {number}, which came first"
                    ));
                }
            }
        }
        Ok(())
    }

    fn check_held_up(&self) -> Result<(), String> {
        let longer = self.sub_tasks().iter().enumerate().map(|(number, span)| {
            let due = self.table.computing_ns(number, self.site(number));
            (span.end_ns - span.start_ns).saturating_sub(due)
        });
        let held_up_ns = longer.fold(0, u64::saturating_add);
        match held_up_ns == self.held_up_ns {
            true => Ok(()),
            false => Err(format!("it was held up for {held_up_ns} ns, not {}", self.held_up_ns)),
        }
    }

    fn lag_ns(&self) -> u64 {
        (LAG_NS + self.measured.delay_ns / 20).saturating_add(self.held_up_ns)
    }
}

fn spans<'s>(what: &'s str, spans: &'s [Span]) -> impl Iterator<Item = (String, &'s Span)> + Clone {
    spans.iter().enumerate().map(move |(number, span)| (format!("{what} {number}"), span))
}

#[cfg(test)]
mod tests;
