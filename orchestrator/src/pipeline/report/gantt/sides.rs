//! Which policies are drawn side by side, which application, and what happens to it.

use std::collections::BTreeMap;

use fogbit_scenario::pipeline::{CostTable, PipelineInstance, Schedule, Scheduler};

use super::super::Data;
use crate::pipeline::files::PlacedApplication;
use crate::pipeline::record::placement_of;
use crate::pipeline::tally::milliseconds;
use crate::report::markup::fixed;

/// A policy whose placements are drawn.
pub(super) struct Side {
    pub(super) name: String,
    pub(super) look: String,
    /// By number of the application: the placement, and what was measured.
    pub(super) placed: BTreeMap<u64, (Vec<u8>, Option<Schedule>)>,
}

/// What happened under a placement: a block of the chart.
pub(super) struct Block<'d> {
    pub(super) title: String,
    pub(super) look: &'d str,
    pub(super) placement: &'d [u8],
    pub(super) schedule: Schedule,
    pub(super) delay_ns: u64,
}

/// The policy that reaches the optimum, and the one beside it. Where none searches for the optimum it
/// is the labels.
pub(super) fn sides(data: &Data) -> Option<(Side, Side)> {
    const KINDS: [&str; 5] = ["distilled", "imitation", "greedy", "fixed", "random"];
    let policies = &data.summary.policies;
    let place = |kind: &str| KINDS.iter().position(|known| *known == kind);
    let placed = |index: &usize| {
        data.first.policies.get(&policies[*index].name).is_some_and(|own| !own.is_empty())
    };
    let candidates = (0..policies.len()).filter(placed);
    let other =
        candidates.filter_map(|index| Some((place(&policies[index].kind)?, index))).min()?.1;
    let search = (0..policies.len()).filter(placed).find(|own| policies[*own].kind == "search");
    let best = match search {
        Some(index) => side(data, index, |own| &own.placement),
        None => Side {
            name: "the best placement".into(),
            look: "best".into(),
            placed: side(data, other, |own| &own.label)
                .placed
                .into_iter()
                .map(|(number, (placement, _))| (number, (placement, None)))
                .collect(),
        },
    };
    Some((best, side(data, other, |own| &own.placement)))
}

fn side(data: &Data, index: usize, which: impl Fn(&PlacedApplication) -> &String) -> Side {
    let (name, sites) = (&data.summary.policies[index].name, data.summary.run.sites().len());
    let own = data.first.policies.get(name).into_iter().flatten();
    let placed = own.filter_map(|own| {
        let measured = own.measured.as_ref().map(|measured| measured.schedule.clone());
        Some((own.application, (placement_of(which(own), sites)?, measured)))
    });
    Side {
        name: name.clone(),
        look: data.policies.look(index).to_owned(),
        placed: placed.collect(),
    }
}

/// What plays applications again.
pub(super) struct Bench<'i> {
    pub(super) instance: &'i PipelineInstance,
    pub(super) scheduler: Scheduler,
}

impl Bench<'_> {
    /// What happens to an application under a placement; none where it may not run so, in files that
    /// were changed.
    fn schedule(&mut self, number: u64, placement: &[u8]) -> Option<Schedule> {
        let application = self.instance.application(number);
        if !application.allows(placement) {
            return None;
        }
        let table = CostTable::new(&application, &self.instance.conditions(number));
        self.scheduler.take(&application);
        Some(self.scheduler.schedule(&table, placement))
    }

    /// The application whose modelled delays differ most, of equal ones the first, and by how much they
    /// do, in nanoseconds.
    pub(super) fn most_different(&mut self, best: &Side, other: &Side) -> Option<(u64, u64)> {
        let mut most: Option<(u64, u64)> = None;
        for (number, (placement, _)) in &other.placed {
            let Some((reference, _)) = best.placed.get(number) else { continue };
            let delays = [placement, reference]
                .map(|own| self.schedule(*number, own).map(|schedule| schedule.delay_ns()));
            let [Some(own), Some(reference)] = delays else { continue };
            let apart = own.abs_diff(reference);
            if most.is_none_or(|(_, largest)| apart > largest) {
                most = Some((*number, apart));
            }
        }
        most
    }

    /// The application as modelled, and as measured where it was.
    pub(super) fn blocks<'s>(&mut self, side: &'s Side, number: u64) -> Vec<Block<'s>> {
        let Some((placement, measured)) = side.placed.get(&number) else { return Vec::new() };
        let modelled = self.schedule(number, placement);
        let counts = |schedule: &Schedule| (schedule.sub_tasks.len(), schedule.flows.len());
        // What was measured may be told only in part.
        let measured =
            measured.clone().filter(|own| modelled.as_ref().map(counts) == Some(counts(own)));
        let suffix = if measured.is_some() { ", modelled" } else { "" };
        let block = |schedule: Schedule, suffix: &str| {
            let delay_ns = schedule.delay_ns();
            let title = format!("{}{suffix}: {} ms", side.name, fixed(milliseconds(delay_ns), 1));
            Block { title, look: &side.look, placement, schedule, delay_ns }
        };
        let modelled = modelled.map(|schedule| block(schedule, suffix));
        let measured = measured.map(|schedule| block(schedule, ", measured"));
        modelled.into_iter().chain(measured).collect()
    }
}
