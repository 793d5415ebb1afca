//! Applications: graphs of sub-tasks.

use serde::{Deserialize, Serialize};

/// A set of sites, by number: site `s` is bit `s`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SiteSet(u32);

impl SiteSet {
    /// The most sites there can be.
    pub const MOST: usize = 32;

    /// The first `count` sites.
    pub fn all(count: usize) -> SiteSet {
        debug_assert!(count <= SiteSet::MOST, "{count} sites");
        SiteSet(u32::MAX.checked_shr((SiteSet::MOST - count) as u32).unwrap_or(0))
    }

    /// No site.
    pub fn none() -> SiteSet {
        SiteSet(0)
    }

    /// These, and site `site`.
    #[must_use]
    pub fn with(self, site: usize) -> SiteSet {
        SiteSet(self.0 | 1 << site)
    }

    /// Site `site` and no other.
    pub fn only(site: usize) -> SiteSet {
        SiteSet(1 << site)
    }

    /// Whether site `site` is among them.
    pub fn has(self, site: usize) -> bool {
        site < SiteSet::MOST && self.0 >> site & 1 == 1
    }

    /// How many there are.
    pub fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Their numbers, in order.
    pub fn iter(self) -> impl Iterator<Item = usize> {
        let mut left = self.0;
        std::iter::from_fn(move || {
            let site = (left != 0).then(|| left.trailing_zeros() as usize)?;
            left &= left - 1;
            Some(site)
        })
    }
}

/// A part of an application that runs at one site.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubTask {
    /// CPU cycles it takes.
    pub cycles: u64,
    /// Where it may run; at least one site.
    pub sites: SiteSet,
}

/// Data that flows into, within or out of an application.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flow {
    /// The sub-task that gives it, by number; none where it is input, which is on the device when the
    /// application arrives.
    pub from: Option<u32>,
    /// The sub-task that needs it, one with a larger number; none where it is output, which is to
    /// come to the device.
    pub to: Option<u32>,
    /// How much it is. It travels where its two ends are at different sites.
    pub bytes: u64,
}

/// An application: sub-tasks with a direction.
///
/// Every flow leads from a sub-task to one with a larger number, so that the numbers are a
/// topological order; there is one flow at most between two sub-tasks, one input for each, and one
/// output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Application {
    sub_tasks: Vec<SubTask>,
    /// Inputs first, then by `from`; of each the output last.
    flows: Vec<Flow>,
}

impl Application {
    /// An application. Flows may come in any order.
    ///
    /// # Panics
    /// If there is no sub-task, one that may run nowhere, or a flow that leads to no later sub-task,
    /// from the device to the device, or is there twice: whoever reads one from outside has checked
    /// it.
    pub fn new(sub_tasks: Vec<SubTask>, mut flows: Vec<Flow>) -> Application {
        assert!(!sub_tasks.is_empty(), "an application has sub-tasks");
        assert!(sub_tasks.iter().all(|own| !own.sites.is_empty()), "each sub-task runs somewhere");
        let count = sub_tasks.len() as u32;
        let leads_on = |flow: &Flow| match (flow.from, flow.to) {
            (None, None) => false,
            (None, Some(end)) | (Some(end), None) => end < count,
            (Some(from), Some(to)) => from < to && to < count,
        };
        assert!(flows.iter().all(leads_on), "flows lead to later sub-tasks");
        let ends = |flow: &Flow| (flow.from, flow.to.unwrap_or(u32::MAX));
        flows.sort_unstable_by_key(ends);
        let twice = flows.windows(2).any(|two| ends(&two[0]) == ends(&two[1]));
        assert!(!twice, "one flow between two ends");
        Application { sub_tasks, flows }
    }

    /// The sub-tasks, by number.
    pub fn sub_tasks(&self) -> &[SubTask] {
        &self.sub_tasks
    }

    /// The flows: inputs by the sub-task that takes them, then all others by the giving and the
    /// taking one, outputs after those to sub-tasks.
    pub fn flows(&self) -> &[Flow] {
        &self.flows
    }

    /// Whether `placement` says for each sub-task a site at which it may run.
    pub fn allows(&self, placement: &[u8]) -> bool {
        placement.len() == self.sub_tasks.len()
            && self.sub_tasks.iter().zip(placement).all(|(own, site)| own.sites.has(*site as usize))
    }
}
