//! How far a part is: a state machine without clock and I/O.

use fogbit_transport::pipeline::{FlowEnd, Part};

use super::part::{flow_place, place};

/// What is to be done next. Numbers are places in the part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    /// A sub-task has all of its data.
    Ready(usize),
    /// A flow goes to another site.
    Send(usize),
}

/// How far a part is.
#[derive(Debug, Clone)]
pub(super) struct Progress {
    /// How many flows each sub-task still waits for.
    missing: Vec<u32>,
    /// The flows that each sub-task gives, in their order.
    given: Vec<Vec<usize>>,
    /// The flows that come from other sites and have not yet.
    due: Vec<bool>,
    flows_due: usize,
    sub_tasks_due: usize,
}

impl Progress {
    /// Of a part that has been checked.
    pub(super) fn new(part: &Part) -> Progress {
        let mut progress = Progress {
            missing: vec![0; part.sub_tasks.len()],
            given: vec![Vec::new(); part.sub_tasks.len()],
            due: vec![false; part.flows.len()],
            flows_due: 0,
            sub_tasks_due: part.sub_tasks.len(),
        };
        for (at, flow) in part.flows.iter().enumerate() {
            if let Some(taker) = sub_task(part, flow.to) {
                progress.missing[taker] += 1;
            }
            match flow.from {
                FlowEnd::SubTask(number) => {
                    progress.given[place(part, number).expect("it was checked")].push(at);
                }
                FlowEnd::Site(_) => {
                    progress.due[at] = true;
                    progress.flows_due += 1;
                }
                FlowEnd::Device => {}
            }
        }
        progress
    }

    /// What can be done as soon as the application arrives.
    pub(super) fn begin(&mut self, part: &Part) -> Vec<Act> {
        let waits_for_nothing = |(at, missing): (usize, &u32)| (*missing == 0).then_some(at);
        let free = self.missing.iter().enumerate().filter_map(waits_for_nothing);
        let mut acts: Vec<Act> = free.map(Act::Ready).collect();
        for (at, flow) in part.flows.iter().enumerate() {
            if flow.from == FlowEnd::Device {
                self.hand_on(part, at, &mut acts);
            }
        }
        // What is ready at the same moment goes by its number, as in the model.
        acts.sort_by_key(|act| match act {
            Act::Ready(at) => (0, *at),
            Act::Send(at) => (1, *at),
        });
        acts
    }

    /// What can be done once the sub-task at `at` is.
    pub(super) fn done(&mut self, part: &Part, at: usize) -> Vec<Act> {
        self.sub_tasks_due -= 1;
        let mut acts = Vec::new();
        for flow in std::mem::take(&mut self.given[at]) {
            self.hand_on(part, flow, &mut acts);
        }
        acts
    }

    /// Where the flow is that came from `site`, and what can be done since; none if nobody waits for
    /// it, or for another one.
    pub(super) fn arrived(
        &mut self,
        part: &Part,
        (site, flow, bytes): (u32, u32, u64),
    ) -> Option<(usize, Option<Act>)> {
        let at = flow_place(part, flow).filter(|at| self.due[*at])?;
        let awaited = &part.flows[at];
        if awaited.from != FlowEnd::Site(site) || awaited.bytes != bytes {
            return None;
        }
        self.due[at] = false;
        self.flows_due -= 1;
        Some((at, self.take(part, at)))
    }

    /// Whether everything is done that is to be done or awaited here.
    pub(super) fn is_over(&self) -> bool {
        self.flows_due == 0 && self.sub_tasks_due == 0
    }

    fn hand_on(&mut self, part: &Part, at: usize, acts: &mut Vec<Act>) {
        match part.flows[at].to {
            FlowEnd::Site(_) => acts.push(Act::Send(at)),
            FlowEnd::SubTask(_) | FlowEnd::Device => acts.extend(self.take(part, at)),
        }
    }

    /// Flow `at` is there.
    fn take(&mut self, part: &Part, at: usize) -> Option<Act> {
        let taker = sub_task(part, part.flows[at].to)?;
        self.missing[taker] -= 1;
        (self.missing[taker] == 0).then_some(Act::Ready(taker))
    }
}

/// The place of the sub-task at an end of a flow, if there is one here.
fn sub_task(part: &Part, end: FlowEnd) -> Option<usize> {
    match end {
        FlowEnd::SubTask(number) => place(part, number),
        FlowEnd::Device | FlowEnd::Site(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use fogbit_transport::pipeline::{PartFlow, PartTask};

    use super::*;

    fn flow(flow: u32, from: FlowEnd, to: FlowEnd) -> PartFlow {
        PartFlow { flow, from, to, bytes: 10 }
    }

    /// Site 1 has sub-tasks 1 and 3: 1 takes flow 2 from the device and gives to 3 and to site 2; 3
    /// takes from there too, and gives to the device.
    fn part() -> Part {
        use FlowEnd::{Site, SubTask};
        Part {
            application: 1,
            state: None,
            ways: vec![],
            sub_tasks: [1, 3].map(|number| PartTask { number, cycles: 1 }).to_vec(),
            flows: vec![
                flow(2, Site(0), SubTask(1)),
                flow(4, SubTask(1), Site(2)),
                flow(5, SubTask(1), SubTask(3)),
                flow(7, Site(2), SubTask(3)),
                flow(9, SubTask(3), Site(0)),
            ],
        }
    }

    #[test]
    fn sub_tasks_wait_for_all_of_their_flows_and_hand_them_on_in_order() {
        let part = part();
        let mut progress = Progress::new(&part);
        assert_eq!(progress.begin(&part), []);
        assert_eq!(progress.arrived(&part, (0, 2, 10)), Some((0, Some(Act::Ready(0)))));
        assert_eq!(progress.done(&part, 0), [Act::Send(1)]);
        assert!(!progress.is_over());
        assert_eq!(progress.arrived(&part, (2, 7, 10)), Some((3, Some(Act::Ready(1)))));
        assert_eq!(progress.done(&part, 1), [Act::Send(4)]);
        assert!(progress.is_over());
    }

    #[test]
    fn what_nobody_waits_for_is_not_taken() {
        let part = part();
        let mut progress = Progress::new(&part);
        let odd = [(0, 1, 10), (0, 2, 9), (2, 2, 10), (0, 4, 10), (0, 9, 10), (2, 7, 0)];
        for flow in odd {
            assert_eq!(progress.arrived(&part, flow), None, "{flow:?}");
        }
        assert!(progress.arrived(&part, (0, 2, 10)).is_some());
        assert_eq!(progress.arrived(&part, (0, 2, 10)), None, "it came already");
    }

    #[test]
    fn on_the_device_input_is_there_at_once() {
        use FlowEnd::{Device, Site, SubTask};
        let part = Part {
            sub_tasks: [0, 1].map(|number| PartTask { number, cycles: 1 }).to_vec(),
            flows: vec![
                flow(0, Device, SubTask(0)),
                flow(1, Device, Site(1)),
                flow(2, SubTask(0), Device),
            ],
            ..part()
        };
        let mut progress = Progress::new(&part);
        assert_eq!(progress.begin(&part), [Act::Ready(0), Act::Ready(1), Act::Send(1)]);
        assert_eq!(progress.done(&part, 1), []);
        assert_eq!(progress.done(&part, 0), []);
        assert!(progress.is_over());
    }
}
