//! What an application costs at each site, and from site to site.
//!
//! A sub-task of `C` cycles takes `C / (f (1 - load)) + s` at a site of frequency `f`, one sub-task
//! at a time. `b` bytes take `8 b / R` on the way from a site to another, one transfer at a time for
//! each way, and arrive `d` later: half of the round-trip time. Data takes the straight way between
//! two sites, never through a third one. At the same site it costs nothing.

use serde::{Deserialize, Serialize};

use super::application::Application;
use crate::work::ComputeSpec;

/// What a site is while an application runs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SiteState {
    /// Its computer, with the load of the moment; one worker.
    pub compute: ComputeSpec,
    /// How long it is still busy with the work of others when the application arrives, in
    /// nanoseconds.
    pub busy_ns: u64,
}

/// The way from a site to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Way {
    /// Bits of payload a second, above 0.
    pub rate_bits_s: u64,
    /// Propagation delay in nanoseconds.
    pub delay_ns: u64,
}

/// Sites and the ways between them, as an application meets them. Site 0 is the device.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Conditions {
    sites: Vec<SiteState>,
    /// `[from, to]`; those from a site to itself are of no meaning.
    ways: Vec<Way>,
}

impl Conditions {
    /// Sites, and the way from each to each by `way(from, to)`, which is not asked for a site and
    /// itself.
    pub fn new(sites: Vec<SiteState>, mut way: impl FnMut(usize, usize) -> Way) -> Conditions {
        let count = sites.len();
        let none = Way { rate_bits_s: 1, delay_ns: 0 };
        let pairs = (0..count).flat_map(|from| (0..count).map(move |to| (from, to)));
        let ways = pairs.map(|(from, to)| if from == to { none } else { way(from, to) }).collect();
        Conditions { sites, ways }
    }

    /// The sites, by number.
    pub fn sites(&self) -> &[SiteState] {
        &self.sites
    }

    /// The way from site `from` to another one.
    pub fn way(&self, from: usize, to: usize) -> &Way {
        debug_assert_ne!(from, to, "there is no way from a site to itself");
        &self.ways[from * self.sites.len() + to]
    }
}

/// All times of an application under some conditions, in nanoseconds: what schedules are made of.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CostTable {
    sites: usize,
    /// `[sub-task, site]`
    computing: Vec<u64>,
    /// How long each flow occupies a way: `[flow, from, to]`.
    sending: Vec<u64>,
    /// `[from, to]`
    delay: Vec<u64>,
    /// `[site]`
    busy: Vec<u64>,
}

impl CostTable {
    /// The times of `application` under `conditions`.
    pub fn new(application: &Application, conditions: &Conditions) -> CostTable {
        let mut table = CostTable::default();
        table.fill(application, conditions);
        table
    }

    /// As [`new`](Self::new), in memory that is there already.
    pub fn fill(&mut self, application: &Application, conditions: &Conditions) {
        let sites = conditions.sites.len();
        self.sites = sites;
        self.computing.clear();
        for own in application.sub_tasks() {
            let at = |site: &SiteState| site.compute.service_ns(own.cycles);
            self.computing.extend(conditions.sites.iter().map(at));
        }
        self.sending.clear();
        for own in application.flows() {
            for (place, way) in conditions.ways.iter().enumerate() {
                let same = place / sites == place % sites;
                self.sending.push(if same { 0 } else { sending_ns(own.bytes, way.rate_bits_s) });
            }
        }
        self.delay.clear();
        self.delay.extend(conditions.ways.iter().map(|way| way.delay_ns));
        self.busy.clear();
        self.busy.extend(conditions.sites.iter().map(|site| site.busy_ns));
    }

    /// How many sites there are.
    pub fn sites(&self) -> usize {
        self.sites
    }

    /// How long sub-task `sub_task` takes at `site`.
    #[inline]
    pub fn computing_ns(&self, sub_task: usize, site: usize) -> u64 {
        self.computing[sub_task * self.sites + site]
    }

    /// How long flow `flow` occupies the way between two sites; 0 within one.
    #[inline]
    pub fn sending_ns(&self, flow: usize, from: usize, to: usize) -> u64 {
        self.sending[(flow * self.sites + from) * self.sites + to]
    }

    /// How long after that its last byte arrives; 0 within one site.
    #[inline]
    pub fn delay_ns(&self, from: usize, to: usize) -> u64 {
        self.delay[from * self.sites + to]
    }

    /// How long `site` is still busy with the work of others.
    #[inline]
    pub fn busy_ns(&self, site: usize) -> u64 {
        self.busy[site]
    }
}

/// Size over rate, to the nearest nanosecond.
fn sending_ns(bytes: u64, rate_bits_s: u64) -> u64 {
    let work = u128::from(bytes) * 8_000_000_000;
    let rate = u128::from(rate_bits_s.max(1));
    u64::try_from((work + rate / 2) / rate).unwrap_or(u64::MAX)
}
