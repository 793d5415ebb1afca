//! What can be wrong with the helper nodes.

use super::{Check, LARGEST, MOST_NODES, below};
use crate::scenario::Helper;
use crate::topology::places::{Step, way};
use crate::topology::{
    Cqi, DrawnQueue, Drift, FifoQueue, Frequency, GivenWeights, HelperNode, IidCqi, NoParameters,
    NodeDefaults, Queue, Range, Topology, Weights,
};
use crate::trace::{NORM_TOLERANCE, Trace};

const DEFAULT_CPU_FREQUENCY: Frequency = Frequency::Drawn(Range { min: 0.0, max: 4.0 });
const DEFAULT_CQI: Cqi = Cqi::Iid(IidCqi { min: 0.0, max: 15.0 });
const NO_DRIFT: Drift = Drift::None(NoParameters {});
const DEFAULT_QUEUE: Queue = Queue::Drawn(DrawnQueue { min: 0.0, max: 1.0 });

impl Check<'_, '_> {
    /// Every helper node with nothing left to default; the defaults are written back.
    pub(super) fn helpers(&mut self, topology: &mut Topology, shape: &Shape<'_>) -> Vec<Helper> {
        let trace = shape.trace;
        let defaults = &mut topology.nodes;
        if defaults.weights.is_none() && trace.is_some_and(|t| t.weights(0).is_some()) {
            defaults.weights = Some(Weights::Trace(NoParameters {}));
        }
        if trace.is_none() {
            defaults.cpu_frequency_ghz.get_or_insert(DEFAULT_CPU_FREQUENCY);
            defaults.cqi.get_or_insert(DEFAULT_CQI);
            defaults.queue.get_or_insert(DEFAULT_QUEUE);
        }
        let Some(count) = self.count(topology, trace) else { return Vec::new() };
        let defaults = topology.nodes.clone();
        self.keys(&way!["nodes"], &defaults, shape);
        (0..count)
            .map(|index| match topology.node_list.get(index) {
                Some(listed) => self.listed(index, listed, &defaults, shape),
                None => {
                    if defaults.weights.is_none() && shape.weighted && index == 0 {
                        self.no_weights(way!["nodes"]);
                    }
                    helper(format!("h{index}"), &NodeDefaults::default(), &defaults)
                }
            })
            .collect()
    }

    /// How many helper nodes there are; where only the trace says it, it is written back.
    fn count(&mut self, topology: &mut Topology, trace: Option<&Trace>) -> Option<usize> {
        let listed = topology.node_list.len();
        let place = if listed > 0 { way!["node", 0usize] } else { way!["nodes", "count"] };
        let count = match (listed, topology.nodes.count) {
            (0, Some(count)) => count as usize,
            (0, None) => match trace {
                Some(trace) => *topology.nodes.count.insert(trace.nodes() as u32) as usize,
                None => {
                    self.fail(
                        way!["nodes"],
                        "how many helper nodes there are is not said",
                        "nodes.count = 10, or a [[node]] for each",
                    );
                    return None;
                }
            },
            (listed, None) => listed,
            (listed, Some(_)) => {
                self.fail(
                    way!["nodes", "count"],
                    format!("both nodes.count and {listed} [[node]]"),
                    "leave one of them out",
                );
                listed
            }
        };
        if count == 0 || count > MOST_NODES as usize {
            self.fail(
                place,
                format!("a topology cannot have {count} helper nodes"),
                format!("from 1 to {MOST_NODES} helper nodes"),
            );
            return None;
        }
        if let Some(trace) = trace.filter(|t| t.nodes() != count) {
            self.fail(
                place,
                format!("{count} helper nodes, but the trace has {}", trace.nodes()),
                format!("nodes.count = {0}, or {0} [[node]]", trace.nodes()),
            );
            return None;
        }
        Some(count)
    }

    fn listed(
        &mut self,
        index: usize,
        node: &HelperNode,
        defaults: &NodeDefaults,
        shape: &Shape<'_>,
    ) -> Helper {
        let own = NodeDefaults {
            count: None,
            weights: node.weights.clone(),
            drift: node.drift.clone(),
            cpu_frequency_ghz: node.cpu_frequency_ghz,
            cqi: node.cqi.clone(),
            queue: node.queue.clone(),
        };
        self.keys(&way!["node", index], &own, shape);
        if own.weights.is_none() && defaults.weights.is_none() && shape.weighted {
            self.no_weights(way!["node", index]);
        }
        helper(node.name.clone(), &own, defaults)
    }

    fn no_weights(&mut self, place: Vec<Step>) {
        self.fail(
            place,
            "a helper node has no weights",
            "for example nodes.weights = { kind = \"signs\", signs = [-1, -1, -1, 1, 1] }",
        );
    }

    /// Weights, or a drift of theirs, where nodes have none.
    pub(super) fn weightless(&mut self, place: Vec<Step>) {
        self.fail(
            place,
            "with a deadline nodes have no weights",
            "delete it: a node is happy if it answers in time",
        );
    }

    /// The keys that `[nodes]` and each `[[node]]` have in common.
    fn keys(&mut self, place: &[Step], keys: &NodeDefaults, shape: &Shape<'_>) {
        if let Some(weights) = &keys.weights {
            self.weights(&below(place, "weights"), weights, shape);
        }
        if let Some(Drift::Rotate(rotate)) = &keys.drift {
            let place = below(&below(place, "drift"), "period_slots");
            self.within(place, "period_slots", rotate.period_slots, 4.0, LARGEST);
        }
        for (key, given) in [("weights", keys.weights.is_some()), ("drift", keys.drift.is_some())] {
            if given && !shape.weighted {
                self.weightless(below(place, key));
            }
        }
        let frequency = below(place, "cpu_frequency_ghz");
        match keys.cpu_frequency_ghz {
            Some(Frequency::Fixed(value)) => {
                self.within(frequency, "cpu_frequency_ghz", value, 0.0, LARGEST);
            }
            Some(Frequency::Drawn(range)) => self.range(&frequency, "cpu_frequency_ghz", range),
            None => {}
        }
        if let Some(cqi) = &keys.cqi {
            self.cqi(&below(place, "cqi"), cqi);
        }
        if let Some(queue) = &keys.queue {
            self.queue(&below(place, "queue"), queue);
        }
    }

    pub(super) fn weights(&mut self, place: &[Step], weights: &Weights, shape: &Shape<'_>) {
        match weights {
            Weights::Given(given) => self.given(below(place, "values"), given, shape.features),
            Weights::Signs(signs) => {
                let place_of_signs = below(place, "signs");
                if signs.signs.len() != shape.features {
                    self.fail(
                        place_of_signs.clone(),
                        format!("{} signs for {} features", signs.signs.len(), shape.features),
                        format!("give {} signs", shape.features),
                    );
                }
                for (index, sign) in signs.signs.iter().enumerate().filter(|(_, s)| s.abs() != 1) {
                    let place = place_of_signs.iter().cloned().chain([index.into()]).collect();
                    self.fail(place, format!("{sign} is not a sign"), "-1 or 1");
                }
                self.within(below(place, "norm"), "norm", signs.norm, 0.0, 1.0);
            }
            Weights::Sphere(sphere) => {
                self.within(below(place, "norm"), "norm", sphere.norm, 0.0, 1.0);
            }
            Weights::Trace(_) => self.traced(place, shape),
        }
    }

    fn given(&mut self, place: Vec<Step>, given: &GivenWeights, features: usize) {
        if given.values.len() != features {
            self.fail(
                place,
                format!("{} weights for {features} features", given.values.len()),
                format!("give {features} numbers"),
            );
            return;
        }
        if let Some(index) = given.values.iter().position(|value| !value.is_finite()) {
            let place = place.into_iter().chain([index.into()]).collect();
            self.fail(place, "a weight is not a finite number", "write a finite number");
            return;
        }
        let norm = given.values.iter().map(|v| v * v).sum::<f64>().sqrt();
        if norm > 1.0 + NORM_TOLERANCE {
            self.fail(
                place,
                format!("||w|| = {norm:.6} is above 1"),
                format!("divide each weight by {norm:.6} or more: nothing is clipped"),
            );
        }
    }

    /// Weights from the header of the trace.
    fn traced(&mut self, place: &[Step], shape: &Shape<'_>) {
        let Some(trace) = shape.trace.filter(|t| t.weights(0).is_some()) else {
            self.fail(
                below(place, "kind"),
                "there is no trace whose header has weights",
                "w_true in the first line of a trace of JSON lines, or another kind",
            );
            return;
        };
        let norms = (0..trace.nodes())
            .filter_map(|node| trace.weights(node))
            .map(|w| w.iter().map(|v| v * v).sum::<f64>().sqrt());
        if let Some((node, norm)) = norms.enumerate().find(|(_, n)| *n > 1.0 + NORM_TOLERANCE) {
            self.fail(
                way!["features", "path"],
                format!("||w|| = {norm:.6} of node {node} in the header of the trace is above 1"),
                "scale the weights in the trace: nothing is clipped",
            );
        }
    }

    fn cqi(&mut self, place: &[Step], cqi: &Cqi) {
        match cqi {
            Cqi::Iid(iid) => self.range(place, "cqi", Range { min: iid.min, max: iid.max }),
            Cqi::Autoregressive(ar) => {
                self.range(place, "cqi", Range { min: ar.min, max: ar.max });
                if !(ar.correlation > -1.0 && ar.correlation < 1.0) {
                    self.fail(
                        below(place, "correlation"),
                        format!("correlation = {} is out of range", ar.correlation),
                        "above -1 and below 1, for example 0.9",
                    );
                }
            }
            Cqi::Link(link) => {
                let place = below(place, "bandwidth_mhz");
                self.within(place, "bandwidth_mhz", link.bandwidth_mhz, 1e-3, 1e5);
            }
        }
    }

    fn queue(&mut self, place: &[Step], queue: &Queue) {
        match queue {
            Queue::Drawn(drawn) => {
                let min = self.within(below(place, "min"), "min", drawn.min, 0.0, 1.0);
                let max = self.within(below(place, "max"), "max", drawn.max, 0.0, 1.0);
                if min && max && drawn.min > drawn.max {
                    let message = format!("min = {} is above max = {}", drawn.min, drawn.max);
                    self.fail(below(place, "min"), message, "min <= max");
                }
            }
            Queue::Fifo(FifoQueue { capacity, service_rate, own_rate }) => {
                if !(1..=1_000_000).contains(capacity) {
                    self.fail(
                        below(place, "capacity"),
                        format!("capacity = {capacity} is out of range"),
                        "from 1 to 1000000 tasks",
                    );
                }
                let rate = below(place, "service_rate");
                self.within(rate, "service_rate", *service_rate, 1e-6, 1000.0);
                self.within(below(place, "own_rate"), "own_rate", *own_rate, 0.0, 100.0);
            }
        }
    }
}

/// What weights have to fit.
pub(super) struct Shape<'t> {
    /// How many weights: features that say nothing have none.
    pub(super) features: usize,
    pub(super) trace: Option<&'t Trace>,
    /// Whether nodes have weights at all.
    pub(super) weighted: bool,
}

/// A helper node that takes from `defaults` what it does not say itself.
fn helper(name: String, own: &NodeDefaults, defaults: &NodeDefaults) -> Helper {
    let frequency = own.cpu_frequency_ghz.or(defaults.cpu_frequency_ghz);
    let cpu_frequency_ghz = match frequency.unwrap_or(DEFAULT_CPU_FREQUENCY) {
        Frequency::Fixed(value) => Range { min: value, max: value },
        Frequency::Drawn(range) => range,
    };
    let weights = own.weights.as_ref().or(defaults.weights.as_ref()).cloned();
    let cqi = own.cqi.as_ref().or(defaults.cqi.as_ref()).cloned();
    let queue = own.queue.as_ref().or(defaults.queue.as_ref()).cloned();
    Helper {
        name,
        // Only where there are none, or their lack is a fault already.
        weights: weights.unwrap_or(Weights::Given(GivenWeights { values: Vec::new() })),
        drift: own.drift.as_ref().or(defaults.drift.as_ref()).cloned().unwrap_or(NO_DRIFT),
        cpu_frequency_ghz,
        cqi: cqi.unwrap_or(DEFAULT_CQI),
        queue: queue.unwrap_or(DEFAULT_QUEUE),
    }
}
