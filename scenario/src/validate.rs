//! From the file's types to a [`Scenario`]: what types alone cannot say.

use std::path::Path;

use crate::problem::{Problem, Problems};
use crate::scenario::{Helper, Scenario, trace_path};
use crate::topology::document::{Places, Step, way};
use crate::topology::{
    Bound, Clock, Cqi, DrawnQueue, ExplorationWidth, Features, FifoQueue, Frequency, FullScale,
    HelperNode, IidCqi, ModelFeatures, NoParameters, PolicySpec, Queue, Range, SequentialMle, Task,
    Topology, Weights,
};
use crate::trace::{NORM_TOLERANCE, Trace};

/// Number of features of the model: length, complexity, queue, CPU frequency, CQI.
const MODEL_FEATURES: usize = 5;
const MOST_NODES: u32 = 10_000;
const MOST_SEEDS: u64 = 1_000_000;
const MOST_SLOTS: u64 = 1_000_000_000_000;

/// Checks everything and fills in the defaults.
pub(crate) fn validate(
    mut topology: Topology,
    places: &Places<'_>,
    path: &Path,
) -> Result<Scenario, Problems> {
    let mut check = Check { places, problems: Vec::new() };
    check.run_length(&topology);
    check.policies(&topology);
    check.expectations(&topology);
    let trace = check.trace(&topology, path);
    if matches!((&topology.features, &trace), (Features::Trace(_), None)) {
        // Without its trace nothing more can be said about the nodes.
        return Err(Problems(check.problems));
    }
    check.features(&mut topology, trace.as_ref());
    let features = trace.as_ref().map_or(MODEL_FEATURES, Trace::features);
    let helpers = check.helpers(&mut topology, trace.as_ref(), features);
    check.names_and_links(&topology, &helpers);
    if let Features::Model(model) = &topology.features {
        let task = topology.task.clone().unwrap_or_default();
        check.norms(&helpers, &task, &model.full_scale);
    }
    if !check.problems.is_empty() {
        return Err(Problems(check.problems));
    }
    Ok(Scenario { topology, trace, helpers, features, path: path.to_owned() })
}

/// The checks, and what they found.
struct Check<'p, 'f> {
    places: &'p Places<'f>,
    problems: Vec<Problem>,
}

impl Check<'_, '_> {
    fn fail(&mut self, way: Vec<Step>, message: impl Into<String>, help: impl Into<String>) {
        let mut problem = Problem::new(message).help(help);
        problem.place = Some(self.places.of(&way));
        self.problems.push(problem);
    }

    /// Fails unless `value` is finite and between `low` and `high`.
    fn within(&mut self, way: Vec<Step>, what: &str, value: f64, low: f64, high: f64) {
        if !value.is_finite() {
            self.fail(way, format!("{what} is not a finite number"), "write a finite number");
        } else if value < low || value > high {
            self.fail(
                way,
                format!("{what} = {value} is out of range"),
                format!("a value from {low} to {high}"),
            );
        }
    }

    fn run_length(&mut self, topology: &Topology) {
        if topology.slots == 0 || topology.slots > MOST_SLOTS {
            self.fail(
                way!["slots"],
                format!("a trial cannot have {} slots", topology.slots),
                format!("from 1 to {MOST_SLOTS} slots, for example slots = 10000"),
            );
        }
        let Clock::Slot(clock) = &topology.clock;
        if !(1..=4096).contains(&clock.lookahead) {
            self.fail(
                way!["clock", "lookahead"],
                format!("lookahead = {} is out of range", clock.lookahead),
                "from 1 to 4096 slots; 64 is a good value",
            );
        }
        let count = topology.seeds.count();
        if count == 0 || count > MOST_SEEDS {
            self.fail(
                way!["seeds"],
                format!("a run cannot have {count} seeds"),
                format!("from 1 to {MOST_SEEDS} seeds"),
            );
            return;
        }
        let mut sorted = topology.seeds.to_vec();
        sorted.sort_unstable();
        if let Some(twice) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
            self.fail(
                way!["seeds"],
                format!("the seed {} is given twice", twice[0]),
                "each seed once: the same seed gives the same trial",
            );
        }
    }

    fn policies(&mut self, topology: &Topology) {
        if topology.policies.is_empty() {
            self.fail(
                way!["policies"],
                "no policy",
                "add at least one, for example [policies.toof] with kind = \"toof\"",
            );
        }
        for (name, spec) in &topology.policies {
            let place = || way!["policies", name];
            if !is_file_name(name) {
                self.fail(
                    place(),
                    format!("`{name}` cannot be the name of a policy"),
                    "1 to 63 lower-case letters, digits, hyphens, dots and underscores: it names files",
                );
            }
            match spec {
                PolicySpec::Toof(parameters) | PolicySpec::Greedy(parameters) => {
                    self.sequential_mle(&place, parameters);
                }
                PolicySpec::RoundRobin(_) | PolicySpec::Random(_) | PolicySpec::Optimal(_) => {}
            }
        }
    }

    fn sequential_mle(&mut self, place: &impl Fn() -> Vec<Step>, parameters: &SequentialMle) {
        let at = |keys: &[&str]| {
            place().into_iter().chain(keys.iter().map(|k| Step::from(*k))).collect::<Vec<_>>()
        };
        self.within(at(&["lambda"]), "lambda", parameters.lambda, 1e-9, 1e9);
        match &parameters.gamma {
            ExplorationWidth::Tuned(tuned) => {
                self.within(at(&["gamma", "c"]), "c", tuned.c, 0.0, 1e9);
            }
            ExplorationWidth::PaperEq15(paper) => {
                self.within(at(&["gamma", "delta"]), "delta", paper.delta, 1e-300, 1.0 - 1e-15);
            }
        }
    }

    fn expectations(&mut self, topology: &Topology) {
        let known: Vec<&str> = topology.policies.keys().map(String::as_str).collect();
        for (index, expect) in topology.expectations.iter().enumerate() {
            let mut named = vec![("policy", &expect.policy)];
            if let Some(Bound::Policy(name)) = &expect.below {
                named.push(("below", name));
            }
            if let Some(Bound::Policy(name)) = &expect.above {
                named.push(("above", name));
            }
            for (key, name) in named {
                if !known.contains(&name.as_str()) {
                    self.fail(
                        way!["expect", index, key],
                        format!("no policy is called `{name}`"),
                        format!("policies here: {}", known.join(", ")),
                    );
                }
            }
            for (key, bound) in [("below", &expect.below), ("above", &expect.above)] {
                if let Some(Bound::Number(number)) = bound {
                    self.within(way!["expect", index, key], key, *number, -1e18, 1e18);
                }
            }
            if expect.below.is_some() == expect.above.is_some() {
                self.fail(
                    way!["expect", index],
                    "an expectation needs either `below` or `above`",
                    "for example below = \"greedy\"",
                );
            }
            if expect.slot == 0 {
                self.fail(way!["expect", index, "slot"], "slots count from 1", "slot = 10000");
            }
        }
    }

    fn trace(&mut self, topology: &Topology, path: &Path) -> Option<Trace> {
        let Features::Trace(features) = &topology.features else { return None };
        let trace = match Trace::read(&trace_path(path, &features.path)) {
            Ok(trace) => trace,
            Err(mut problem) => {
                problem.place = problem
                    .place
                    .or_else(|| Some(self.places.of(&way!["features", "path"])));
                self.problems.push(problem);
                return None;
            }
        };
        if topology.slots > trace.slots() {
            self.fail(
                way!["slots"],
                format!("{} slots, but the trace has {}", topology.slots, trace.slots()),
                format!("at most slots = {}", trace.slots()),
            );
            return None;
        }
        Some(trace)
    }

    /// What belongs to a model is an error beside a trace, and the other way round.
    fn features(&mut self, topology: &mut Topology, trace: Option<&Trace>) {
        match (&mut topology.features, trace) {
            (Features::Trace(_), Some(_)) => {
                let nodes = &topology.nodes;
                let given = [
                    (way!["task"], topology.task.is_some()),
                    (way!["nodes", "cpu_frequency_ghz"], nodes.cpu_frequency_ghz.is_some()),
                    (way!["nodes", "cqi"], nodes.cqi.is_some()),
                    (way!["nodes", "queue"], nodes.queue.is_some()),
                ];
                for (place, given) in given {
                    if given {
                        self.fail(
                            place,
                            "this would be ignored: the features come from a trace",
                            "delete it, or delete [features]",
                        );
                    }
                }
            }
            (Features::Trace(_), None) => {}
            (Features::Model(ModelFeatures { full_scale }), _) => {
                for (key, value) in [
                    ("length_kb", full_scale.length_kb),
                    ("complexity_cycles", full_scale.complexity_cycles),
                    ("cpu_frequency_ghz", full_scale.cpu_frequency_ghz),
                    ("cqi", full_scale.cqi),
                ] {
                    self.within(way!["features", "full_scale", key], key, value, 1e-9, 1e18);
                }
                let task = topology.task.get_or_insert_with(Task::default).clone();
                self.range(way!["task", "length_kb"], "length_kb", task.length_kb);
                self.range(
                    way!["task", "complexity_cycles"],
                    "complexity_cycles",
                    task.complexity_cycles,
                );
            }
        }
    }

    fn range(&mut self, place: Vec<Step>, what: &str, range: Range) {
        for (key, value) in [("min", range.min), ("max", range.max)] {
            let way = place.iter().cloned().chain([Step::from(key)]).collect();
            self.within(way, &format!("{what}.{key}"), value, 0.0, 1e18);
        }
        if range.min > range.max {
            self.fail(
                place,
                format!("{what}: min = {} is above max = {}", range.min, range.max),
                "min <= max",
            );
        }
    }

    /// Every helper node with nothing left to default; the defaults are written back.
    fn helpers(
        &mut self,
        topology: &mut Topology,
        trace: Option<&Trace>,
        features: usize,
    ) -> Vec<Helper> {
        let from_trace = trace.is_some_and(|t| t.weights(0).is_some());
        let defaults = &mut topology.nodes;
        if topology.node_list.is_empty() && defaults.count.is_none() {
            match trace {
                Some(trace) => defaults.count = Some(trace.nodes() as u32),
                None => self.fail(
                    way!["nodes"],
                    "how many helper nodes there are is not said",
                    "nodes.count = 10, or a [[node]] for each",
                ),
            }
        }
        if defaults.weights.is_none() && from_trace {
            defaults.weights = Some(Weights::Trace(NoParameters {}));
        }
        if trace.is_none() {
            defaults.cpu_frequency_ghz.get_or_insert(DEFAULT_CPU_FREQUENCY);
            defaults.cqi.get_or_insert(DEFAULT_CQI);
            defaults.queue.get_or_insert(Queue::Drawn(DrawnQueue::default()));
        }
        let defaults = defaults.clone();
        if let (Some(_), false) = (defaults.count, topology.node_list.is_empty()) {
            self.fail(
                way!["nodes", "count"],
                "both nodes.count and a list of [[node]]",
                "leave one of them out",
            );
        }
        let count = match (topology.node_list.len(), defaults.count) {
            (0, count) => count.unwrap_or(1) as usize,
            (listed, _) => listed,
        };
        if count == 0 || count > MOST_NODES as usize {
            self.fail(
                way!["nodes", "count"],
                format!("a topology cannot have {count} helper nodes"),
                format!("from 1 to {MOST_NODES} helper nodes"),
            );
            return Vec::new();
        }
        if let Some(trace) = trace.filter(|t| t.nodes() != count) {
            self.fail(
                way!["nodes", "count"],
                format!("{count} helper nodes, but the trace has {}", trace.nodes()),
                format!("nodes.count = {}", trace.nodes()),
            );
            return Vec::new();
        }
        (0..count)
            .filter_map(|index| {
                let listed = topology.node_list.get(index);
                self.helper(index, listed, &defaults, trace, features)
            })
            .collect()
    }

    fn helper(
        &mut self,
        index: usize,
        listed: Option<&HelperNode>,
        defaults: &crate::topology::NodeDefaults,
        trace: Option<&Trace>,
        features: usize,
    ) -> Option<Helper> {
        // The place of a key: the node's own, or else the one in [nodes].
        let place = |key: &'static str, own: bool| {
            if own { way!["node", index, key] } else { way!["nodes", key] }
        };
        // A problem in [nodes] is told once, not once a node.
        let speak = |own: bool| own || index == 0;

        let own = listed.is_some_and(|n| n.weights.is_some());
        let weights = listed.and_then(|n| n.weights.clone()).or_else(|| defaults.weights.clone());
        let Some(weights) = weights else {
            if speak(false) {
                self.fail(
                    way!["nodes"],
                    "the helper nodes have no weights",
                    "nodes.weights = { kind = \"signs\", signs = [-1, -1, -1, 1, 1] }",
                );
            }
            return None;
        };
        if speak(own) {
            self.weights(place("weights", own), &weights, features, trace);
        }

        let own = listed.is_some_and(|n| n.cpu_frequency_ghz.is_some());
        let frequency = listed.and_then(|n| n.cpu_frequency_ghz).or(defaults.cpu_frequency_ghz);
        let cpu_frequency_ghz = match frequency.unwrap_or(DEFAULT_CPU_FREQUENCY) {
            Frequency::Fixed(value) => Range { min: value, max: value },
            Frequency::Drawn(range) => range,
        };
        if speak(own) {
            self.range(place("cpu_frequency_ghz", own), "cpu_frequency_ghz", cpu_frequency_ghz);
        }

        let own = listed.is_some_and(|n| n.cqi.is_some());
        let cqi = listed.and_then(|n| n.cqi.clone()).or_else(|| defaults.cqi.clone());
        let cqi = cqi.unwrap_or(DEFAULT_CQI);
        if speak(own) {
            self.cqi(place("cqi", own), &cqi);
        }

        let own = listed.is_some_and(|n| n.queue.is_some());
        let queue = listed.and_then(|n| n.queue.clone()).or_else(|| defaults.queue.clone());
        let queue = queue.unwrap_or(Queue::Drawn(DrawnQueue::default()));
        if speak(own) {
            self.queue(place("queue", own), &queue);
        }
        if let (Some(_), Some(node)) = (trace, listed) {
            if node.cpu_frequency_ghz.is_some() || node.cqi.is_some() || node.queue.is_some() {
                self.fail(
                    way!["node", index],
                    "only name and weights can be given: the features come from a trace",
                    "delete the other keys, or delete [features]",
                );
            }
        }
        let name = listed.map_or_else(|| format!("h{index}"), |n| n.name.clone());
        Some(Helper { name, weights, cpu_frequency_ghz, cqi, queue })
    }

    fn weights(
        &mut self,
        place: Vec<Step>,
        weights: &Weights,
        features: usize,
        trace: Option<&Trace>,
    ) {
        let at = |key: &str| place.iter().cloned().chain([Step::from(key)]).collect::<Vec<_>>();
        match weights {
            Weights::Given(given) => {
                let norm = given.values.iter().map(|v| v * v).sum::<f64>().sqrt();
                if given.values.len() != features {
                    self.fail(
                        at("values"),
                        format!("{} weights for {features} features", given.values.len()),
                        format!("give {features} numbers"),
                    );
                } else if !norm.is_finite() {
                    self.fail(at("values"), "a weight is not a finite number", "finite numbers");
                } else if norm > 1.0 + NORM_TOLERANCE {
                    self.fail(
                        at("values"),
                        format!("||w|| = {norm:.6} is above 1"),
                        format!("divide each weight by {norm:.6} or more: nothing is clipped"),
                    );
                }
            }
            Weights::Signs(signs) => {
                if signs.signs.len() != features {
                    self.fail(
                        at("signs"),
                        format!("{} signs for {features} features", signs.signs.len()),
                        format!("give {features} signs"),
                    );
                }
                if let Some(bad) = signs.signs.iter().find(|s| s.abs() != 1) {
                    self.fail(at("signs"), format!("{bad} is not a sign"), "-1 or 1");
                }
                self.within(at("norm"), "norm", signs.norm, 0.0, 1.0);
            }
            Weights::Sphere(sphere) => self.within(at("norm"), "norm", sphere.norm, 0.0, 1.0),
            Weights::Trace(_) => {
                let Some(trace) = trace.filter(|t| t.weights(0).is_some()) else {
                    self.fail(
                        place,
                        "there is no trace whose header has weights",
                        "w_true in the first line of a trace of JSON lines, or another kind",
                    );
                    return;
                };
                let worst = (0..trace.nodes())
                    .filter_map(|node| trace.weights(node))
                    .map(|w| w.iter().map(|v| v * v).sum::<f64>().sqrt())
                    .find(|norm| !norm.is_finite() || *norm > 1.0 + NORM_TOLERANCE);
                if let Some(norm) = worst {
                    self.fail(
                        place,
                        format!("||w|| = {norm:.6} in the trace's header is above 1"),
                        "scale the weights in the trace: nothing is clipped",
                    );
                }
            }
        }
    }

    fn cqi(&mut self, place: Vec<Step>, cqi: &Cqi) {
        match cqi {
            Cqi::Iid(iid) => self.range(place, "cqi", Range { min: iid.min, max: iid.max }),
            Cqi::Autoregressive(ar) => {
                self.range(place.clone(), "cqi", Range { min: ar.min, max: ar.max });
                if !(ar.correlation > -1.0 && ar.correlation < 1.0) {
                    self.fail(
                        place.into_iter().chain([Step::from("correlation")]).collect(),
                        format!("correlation = {} is out of range", ar.correlation),
                        "above -1 and below 1, for example 0.9",
                    );
                }
            }
        }
    }

    fn queue(&mut self, place: Vec<Step>, queue: &Queue) {
        let at = |key: &str| place.iter().cloned().chain([Step::from(key)]).collect::<Vec<_>>();
        match queue {
            Queue::Drawn(drawn) => {
                self.within(at("min"), "min", drawn.min, 0.0, 1.0);
                self.within(at("max"), "max", drawn.max, 0.0, 1.0);
                if drawn.min > drawn.max {
                    self.fail(place, "min is above max", "min <= max");
                }
            }
            Queue::Fifo(FifoQueue { capacity, service_rate, own_rate }) => {
                if !(1..=1_000_000).contains(capacity) {
                    self.fail(
                        at("capacity"),
                        format!("capacity = {capacity} is out of range"),
                        "from 1 to 1000000 tasks",
                    );
                }
                self.within(at("service_rate"), "service_rate", *service_rate, 1e-6, 1000.0);
                self.within(at("own_rate"), "own_rate", *own_rate, 0.0, 100.0);
            }
        }
    }

    fn names_and_links(&mut self, topology: &Topology, helpers: &[Helper]) {
        if topology.task_nodes.len() > 1 {
            self.fail(
                way!["task-node", 1usize],
                format!("{} task nodes", topology.task_nodes.len()),
                "exactly one task node is accepted so far",
            );
        }
        let task = topology.task_node_name();
        let listed = !topology.node_list.is_empty();
        let place = |index: usize| {
            if listed { way!["node", index, "name"] } else { way!["nodes", "count"] }
        };
        if !is_label(task) {
            self.fail(way!["task-node", 0usize, "name"], bad_name(task), NAME_HELP);
        }
        let mut seen = std::collections::BTreeSet::from([task]);
        for (index, helper) in helpers.iter().enumerate() {
            if !is_label(&helper.name) {
                self.fail(place(index), bad_name(&helper.name), NAME_HELP);
            }
            if !seen.insert(&helper.name) {
                self.fail(
                    place(index),
                    format!("two nodes are called `{}`", helper.name),
                    "every node needs a name of its own",
                );
            }
        }
        self.links(topology, helpers);
    }

    fn links(&mut self, topology: &Topology, helpers: &[Helper]) {
        if topology.links.is_empty() {
            return;
        }
        let task = topology.task_node_name();
        let mut linked = std::collections::BTreeSet::new();
        for (index, link) in topology.links.iter().enumerate() {
            if link.from != task {
                self.fail(
                    way!["link", index, "from"],
                    format!("`{}` is not the task node", link.from),
                    format!("from = \"{task}\""),
                );
            }
            if !helpers.iter().any(|h| h.name == link.to) {
                self.fail(
                    way!["link", index, "to"],
                    format!("no helper node is called `{}`", link.to),
                    "the name of a [[node]]; with nodes.count they are h0, h1, ...",
                );
            }
            if !linked.insert(link.to.as_str()) {
                self.fail(
                    way!["link", index, "to"],
                    format!("`{}` is linked twice", link.to),
                    "one link for each helper node",
                );
            }
        }
        if let Some(alone) = helpers.iter().find(|h| !linked.contains(h.name.as_str())) {
            self.fail(
                way!["link", 0usize],
                format!("the helper node `{}` has no link", alone.name),
                "link every helper node, or leave out all links",
            );
        }
    }

    /// `||x|| <= 1` for the largest values the models can give.
    fn norms(&mut self, helpers: &[Helper], task: &Task, full: &FullScale) {
        let length = task.length_kb.max / full.length_kb;
        let complexity = task.complexity_cycles.max / full.complexity_cycles;
        for helper in helpers {
            let (queue, cqi) = (largest_queue(&helper.queue), largest_cqi(&helper.cqi) / full.cqi);
            let cpu = helper.cpu_frequency_ghz.max / full.cpu_frequency_ghz;
            let parts = [
                (way!["task", "length_kb"], length),
                (way!["task", "complexity_cycles"], complexity),
                (way!["nodes", "queue"], queue),
                (way!["nodes", "cpu_frequency_ghz"], cpu),
                (way!["nodes", "cqi"], cqi),
            ];
            let square = parts.iter().map(|(_, v)| v * v).sum::<f64>() / MODEL_FEATURES as f64;
            if square.sqrt() > 1.0 + NORM_TOLERANCE {
                let [first, rest @ ..] = parts;
                let (place, _) =
                    rest.into_iter().fold(first, |most, p| if p.1 > most.1 { p } else { most });
                self.fail(
                    place,
                    format!("||x|| of node `{}` can reach {:.6}, above 1", helper.name, square.sqrt()),
                    "raise features.full_scale or lower the range: nothing is clipped",
                );
                return;
            }
        }
    }
}

const DEFAULT_CPU_FREQUENCY: Frequency = Frequency::Drawn(Range { min: 0.0, max: 4.0 });
const DEFAULT_CQI: Cqi = Cqi::Iid(IidCqi { min: 0.0, max: 15.0 });
const NAME_HELP: &str = "1 to 63 lower-case letters, digits and hyphens, no hyphen at the ends";

fn bad_name(name: &str) -> String {
    format!("`{name}` cannot be the name of a node")
}

fn largest_queue(queue: &Queue) -> f64 {
    match queue {
        Queue::Drawn(drawn) => drawn.max,
        Queue::Fifo(_) => 1.0,
    }
}

fn largest_cqi(cqi: &Cqi) -> f64 {
    match cqi {
        Cqi::Iid(iid) => iid.max,
        Cqi::Autoregressive(ar) => ar.max,
    }
}

/// A label of a DNS name: node names stand in certificates.
fn is_label(name: &str) -> bool {
    (1..=63).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !name.starts_with('-')
        && !name.ends_with('-')
}

/// The name of a policy stands in names of files.
fn is_file_name(name: &str) -> bool {
    (1..=63).contains(&name.len())
        && name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-._".contains(&b))
        && !name.starts_with('.')
        && !name.starts_with('-')
}
