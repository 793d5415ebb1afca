//! What can be wrong with applications that a topology gives.

use std::collections::BTreeSet;

use super::pipeline::{MOST_CYCLES, MOST_KB, inside};
use super::{Check, below};
use crate::pipeline::{Application, Flow, SiteSet, SubTask};
use crate::topology::places::{Step, way};
use crate::topology::{Graph, GraphTask};

/// Branch and bound finds the best placement of so many sub-tasks.
const MOST_SUB_TASKS: usize = 16;

/// An application, its name, and the names of its sub-tasks by number.
pub(super) type Named = (Application, (String, Vec<String>));

impl Check<'_, '_> {
    /// The given applications, as far as nothing is wrong with them.
    pub(super) fn graphs(&mut self, graphs: &[Graph], sites: &[String]) -> Vec<Named> {
        let mut seen = BTreeSet::new();
        for (index, graph) in graphs.iter().enumerate() {
            self.readable(way!["graph", index, "name"], "an application", &graph.name);
            if !seen.insert(graph.name.as_str()) {
                let message = format!("two graphs are called `{}`", graph.name);
                self.fail(way!["graph", index, "name"], message, "a name of its own for each");
            }
        }
        let numbered = graphs.iter().enumerate();
        numbered.filter_map(|(index, graph)| self.graph(index, graph, sites)).collect()
    }

    /// Reports show the names of graphs and sub-tasks, so there has to be something to be seen. Unlike
    /// names of nodes and policies they stand in no certificate and name no file.
    fn readable(&mut self, place: Vec<Step>, what: &str, name: &str) {
        if name.trim().is_empty() || name.chars().any(char::is_control) {
            self.fail(
                place,
                format!("{name:?} cannot be the name of {what}"),
                "something that can be read in one line: no control characters, not only spaces",
            );
        }
    }

    fn graph(&mut self, index: usize, graph: &Graph, sites: &[String]) -> Option<Named> {
        let before = self.faults.len();
        let place = way!["graph", index];
        let count = graph.sub_tasks.len();
        if !(1..=MOST_SUB_TASKS).contains(&count) {
            self.fail(
                below(&place, "sub-task"),
                format!("an application of {count} sub-tasks"),
                format!("from 1 to {MOST_SUB_TASKS} sub-tasks"),
            );
            return None;
        }
        let ends = self.flows(&place, graph);
        self.sub_tasks(&place, graph);
        if self.faults.len() > before {
            return None;
        }
        let order = self.order(&place, graph, &ends)?;
        self.connected(&place, graph, &ends);
        let allowed = self.allowed(&place, graph, &ends, sites);
        if self.faults.len() > before {
            return None;
        }
        Some(named(graph, &ends, &order, &allowed))
    }

    /// The two ends of each flow.
    fn flows(&mut self, place: &[Step], graph: &Graph) -> Vec<[usize; 2]> {
        let names: Vec<&str> = graph.sub_tasks.iter().map(|own| own.name.as_str()).collect();
        let mut ends = Vec::new();
        for (index, flow) in graph.flows.iter().enumerate() {
            let place = inside(&below(place, "flow"), index);
            self.within(below(&place, "kb"), "kb", flow.kb, 0.0, MOST_KB);
            let mut found = Vec::new();
            for (key, name) in [("from", &flow.from), ("to", &flow.to)] {
                match names.iter().position(|own| own == name) {
                    Some(number) => found.push(number),
                    None => self.fail(
                        below(&place, key),
                        format!("no sub-task of `{}` is called `{name}`", graph.name),
                        format!("sub-tasks here: {}", names.join(", ")),
                    ),
                }
            }
            let [from, to] = found.as_slice() else { continue };
            if from == to {
                let message = format!("`{}` gives to itself", flow.from);
                self.fail(below(&place, "to"), message, "another sub-task");
            } else if ends.contains(&[*from, *to]) {
                let message = format!("two flows from `{}` to `{}`", flow.from, flow.to);
                self.fail(below(&place, "to"), message, "one flow of all that data");
            }
            ends.push([*from, *to]);
        }
        ends
    }

    fn sub_tasks(&mut self, place: &[Step], graph: &Graph) {
        let mut seen = BTreeSet::new();
        for (number, own) in graph.sub_tasks.iter().enumerate() {
            let place = inside(&below(place, "sub-task"), number);
            self.readable(below(&place, "name"), "a sub-task", &own.name);
            if !seen.insert(own.name.as_str()) {
                let message =
                    format!("two sub-tasks of `{}` are called `{}`", graph.name, own.name);
                self.fail(below(&place, "name"), message, "a name of its own for each");
            }
            self.within(below(&place, "cycles"), "cycles", own.cycles, 1.0, MOST_CYCLES);
            for (key, kb) in [("input_kb", own.input_kb), ("output_kb", own.output_kb)] {
                if let Some(kb) = kb {
                    self.within(below(&place, key), key, kb, 0.0, MOST_KB);
                }
            }
        }
    }

    /// The sub-tasks in an order in which each comes after those that give to it, and otherwise in that
    /// of the file.
    fn order(&mut self, place: &[Step], graph: &Graph, ends: &[[usize; 2]]) -> Option<Vec<usize>> {
        let count = graph.sub_tasks.len();
        let mut order: Vec<usize> = Vec::new();
        while order.len() < count {
            let ready = |own: &usize| {
                let placed = |[from, to]: &[usize; 2]| to != own || order.contains(from);
                !order.contains(own) && ends.iter().all(placed)
            };
            let Some(next) = (0..count).find(ready) else {
                self.cycle(place, graph, ends, &order);
                return None;
            };
            order.push(next);
        }
        Some(order)
    }

    /// Says which sub-tasks wait for each other. `done` are those that do not.
    fn cycle(&mut self, place: &[Step], graph: &Graph, ends: &[[usize; 2]], done: &[usize]) {
        let giver = |own: usize| {
            let waits = ends.iter().enumerate();
            waits.rev().find(|(_, [from, to])| *to == own && !done.contains(from))
        };
        // Whoever is left waits for somebody who is left: going back, one comes round at last.
        let mut way: Vec<(usize, usize)> = Vec::new();
        let mut at = (0..graph.sub_tasks.len()).find(|own| !done.contains(own)).unwrap_or(0);
        while !way.iter().any(|(own, _)| *own == at) {
            let Some((flow, [from, _])) = giver(at) else { return };
            way.push((at, flow));
            at = *from;
        }
        let round: Vec<(usize, usize)> =
            way.into_iter().skip_while(|(own, _)| *own != at).collect();
        let name = |own: usize| graph.sub_tasks[own].name.as_str();
        // Found from the end to the beginning.
        let told: Vec<&str> = round.iter().rev().map(|(own, _)| name(*own)).collect();
        let first = told.first().copied().unwrap_or_default();
        let flow = round.first().map_or(0, |(_, flow)| *flow);
        self.fail(
            inside(&below(place, "flow"), flow),
            format!("a cycle: {} -> {first}", told.join(" -> ")),
            "each sub-task waits for the one before it, so none would ever begin: one flow fewer",
        );
    }

    /// A sub-task that neither gives nor takes is one whose flow was forgotten.
    fn connected(&mut self, place: &[Step], graph: &Graph, ends: &[[usize; 2]]) {
        let count = graph.sub_tasks.len();
        let mut reached = vec![0];
        let mut looked = 0;
        while looked < reached.len() {
            let at = reached[looked];
            looked += 1;
            for [from, to] in ends {
                for (own, other) in [(from, to), (to, from)] {
                    if *own == at && !reached.contains(other) {
                        reached.push(*other);
                    }
                }
            }
        }
        for number in (0..count).filter(|own| !reached.contains(own)) {
            let own = &graph.sub_tasks[number];
            self.fail(
                inside(&below(place, "sub-task"), number),
                format!(
                    "an edge is missing: nothing connects `{}` with `{}`",
                    own.name, graph.sub_tasks[0].name
                ),
                "a [[graph.flow]] from it or to it, or a [[graph]] of its own",
            );
        }
    }

    /// Where each sub-task may run.
    fn allowed(
        &mut self,
        place: &[Step],
        graph: &Graph,
        ends: &[[usize; 2]],
        sites: &[String],
    ) -> Vec<SiteSet> {
        let mut allowed = Vec::new();
        for (number, own) in graph.sub_tasks.iter().enumerate() {
            let place = inside(&below(place, "sub-task"), number);
            let takes = own.input_kb.is_some() || ends.iter().any(|[_, to]| *to == number);
            let named = self.named_sites(&below(&place, "sites"), own, sites);
            let device = SiteSet::only(0);
            match (takes, named) {
                (true, named) => allowed.push(named.unwrap_or(SiteSet::all(sites.len()))),
                (false, None) => allowed.push(device),
                (false, Some(named)) if named == device => allowed.push(device),
                (false, Some(_)) => {
                    self.fail(
                        below(&place, "sites"),
                        format!("`{}` is a source that may not leave the device", own.name),
                        format!(
                            "it takes no input, so it reads what the device senses: sites = \
                             [\"{}\"], or input_kb, if its input can be sent elsewhere",
                            sites[0]
                        ),
                    );
                    allowed.push(device);
                }
            }
        }
        allowed
    }

    fn named_sites(
        &mut self,
        place: &[Step],
        own: &GraphTask,
        sites: &[String],
    ) -> Option<SiteSet> {
        let names = own.sites.as_ref()?;
        if names.is_empty() {
            let message = format!("`{}` may run nowhere", own.name);
            self.fail(place.to_vec(), message, "leave it out: then it may run anywhere");
            return None;
        }
        let mut found = SiteSet::none();
        for (index, name) in names.iter().enumerate() {
            match sites.iter().position(|site| site == name) {
                Some(site) if found.has(site) => self.fail(
                    inside(place, index),
                    format!("`{name}` is given twice"),
                    "each site once: the sub-task may run there, or it may not",
                ),
                Some(site) => found = found.with(site),
                None => self.no_site(inside(place, index), name, sites),
            }
        }
        Some(found)
    }
}

/// The application, with its sub-tasks numbered in `order`.
fn named(graph: &Graph, ends: &[[usize; 2]], order: &[usize], allowed: &[SiteSet]) -> Named {
    let bytes = |kb: f64| (kb * 1e3).round() as u64;
    let number = |own: usize| order.iter().position(|at| *at == own).map(|at| at as u32);
    let sub_tasks = order.iter().map(|own| SubTask {
        cycles: graph.sub_tasks[*own].cycles.round() as u64,
        sites: allowed[*own],
    });
    let between = ends.iter().zip(&graph.flows).map(|([from, to], flow)| Flow {
        from: number(*from),
        to: number(*to),
        bytes: bytes(flow.kb),
    });
    let outside = graph.sub_tasks.iter().enumerate().flat_map(|(own, told)| {
        let input = told.input_kb.map(|kb| Flow { from: None, to: number(own), bytes: bytes(kb) });
        let output =
            told.output_kb.map(|kb| Flow { from: number(own), to: None, bytes: bytes(kb) });
        input.into_iter().chain(output)
    });
    let names = order.iter().map(|own| graph.sub_tasks[*own].name.clone()).collect();
    let application = Application::new(sub_tasks.collect(), between.chain(outside).collect());
    (application, (graph.name.clone(), names))
}
