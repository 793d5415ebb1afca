//! From the file's types to a [`Scenario`]: what types alone cannot say.

mod alike;
mod cascade;
mod computers;
mod deadline;
mod events;
mod external;
mod graphs;
mod images;
mod links;
mod network;
mod nodes;
mod pipeline;
mod placement;
mod policies;

use std::path::Path;
use std::time::Duration;

pub(crate) use self::cascade::validate_cascade;
use self::links::{link_changes, link_paths};
use self::nodes::Shape;
pub(crate) use self::pipeline::validate_pipeline;
pub(crate) use self::placement::validate_placement;
use crate::fault::{Fault, Faults};
use crate::scenario::{Scenario, trace_path};
use crate::topology::places::{Places, Step, way};
use crate::topology::{
    Bound, Clock, Expect, Features, Feedback, ModelFeatures, Naming, Range, RunLength, Seeds, Task,
    TimeSpan, Topology, WallClock,
};
use crate::trace::Trace;

/// Number of features of the model: length, complexity, queue, CPU frequency, CQI.
const MODEL_FEATURES: usize = 5;
/// Features that say nothing cost as much as others.
const MOST_NOISE: u32 = 100;
/// Delays beyond this keep more contexts than a task node has room for.
const LONGEST_DELAY: u32 = 10_000;
const MOST_NODES: u32 = 10_000;
const MOST_SEEDS: u64 = 1_000_000;
const MOST_SLOTS: u64 = 1_000_000_000_000;
const SHORTEST_SPAN: TimeSpan = TimeSpan(Duration::from_millis(1));
const LONGEST_SPAN: TimeSpan = TimeSpan(Duration::from_secs(3600));
/// Raw values beyond this are a slip of the keyboard, and their squares would overflow.
const LARGEST: f64 = 1e18;

/// Checks everything and fills in the defaults.
pub(crate) fn validate(
    mut topology: Topology,
    places: &Places<'_>,
    path: &Path,
) -> Result<Scenario, Faults> {
    let mut check = Check { places, faults: Vec::new() };
    check.run_length(&topology);
    check.sweep();
    check.policies(&topology);
    check.external_policies(&topology, path);
    check.expectations(&topology);
    let trace = check.trace(&topology, path);
    if matches!((&topology.features, &trace), (Features::Trace(_), None)) {
        // Without its trace nothing more can be said about the nodes.
        return Err(check.into_faults());
    }
    let before = check.faults.len();
    check.features(&mut topology, trace.as_ref());
    let weighted = trace.as_ref().map_or(MODEL_FEATURES, |t| t.features() - t.noise());
    let features = match &topology.features {
        Features::Model(model) => MODEL_FEATURES + model.noise as usize,
        Features::Trace(_) => trace.as_ref().map_or(weighted, Trace::features),
    };
    check.priors(&topology, features);
    let has_weights = !matches!(topology.feedback, Feedback::Deadline(_));
    let shape = Shape { features: weighted, trace: trace.as_ref(), weighted: has_weights };
    let helpers = check.helpers(&mut topology, &shape);
    check.names(&topology, &helpers);
    check.feedback(&topology.feedback);
    let names: Vec<&str> = helpers.iter().map(|helper| helper.name.as_str()).collect();
    let (task, defaults) = (topology.task_node_name(), topology.link_defaults.as_ref());
    let links = check.links(task, &names, defaults, &topology.links);
    let events = check.events(&topology, &helpers, &shape);
    let links = link_paths(links, &link_changes(&events));
    check.channels(&topology, &links);
    check.deadline(&topology, &links);
    if let (Features::Model(model), true) = (&topology.features, check.faults.len() == before) {
        let task = topology.task.clone().unwrap_or_default();
        check.norms(&topology, &helpers, &task, model);
    }
    if !check.faults.is_empty() {
        return Err(check.into_faults());
    }
    if let Clock::Wall(clock) = &mut topology.clock {
        clock.timeout = Some(clock.timeout());
    }
    Ok(Scenario { topology, trace, helpers, links, events, features, path: path.to_owned() })
}

/// Checks the policies alone, whatever the number of features.
pub(crate) fn validate_policies(topology: &Topology, places: &Places<'_>) -> Result<(), Faults> {
    let mut check = Check { places, faults: Vec::new() };
    check.policies(topology);
    for (name, spec) in &topology.policies {
        if let Some(prior) = spec.prior() {
            check.prior(&way!["policies", name, "prior"], prior, prior.mean.len());
        }
    }
    if check.faults.is_empty() { Ok(()) } else { Err(check.into_faults()) }
}

/// The checks, and what they found.
struct Check<'p, 'f> {
    places: &'p Places<'f>,
    faults: Vec<Fault>,
}

/// The way to `key` within `place`.
fn below(place: &[Step], key: &str) -> Vec<Step> {
    place.iter().cloned().chain([Step::from(key)]).collect()
}

impl Check<'_, '_> {
    /// The points of `[sweep]` as far as they can be told apart from what they play.
    fn sweep(&mut self) {
        if let Err(faults) = self.places.sweep() {
            self.faults.extend(faults.0);
        }
    }

    fn fail(&mut self, way: Vec<Step>, message: impl Into<String>, help: impl Into<String>) {
        let mut fault = Fault::new(message).help(help);
        fault.place = Some(Box::new(self.places.of(&way)));
        self.faults.push(fault);
    }

    /// What was found, in the order of the file.
    fn into_faults(mut self) -> Faults {
        self.faults.sort_by_key(|fault| {
            fault.place.as_ref().map(|place| (place.source.name.clone(), place.span.start))
        });
        Faults(self.faults)
    }

    /// Fails unless `value` is finite and between `low` and `high`; says whether it is.
    fn within(&mut self, way: Vec<Step>, what: &str, value: f64, low: f64, high: f64) -> bool {
        if !value.is_finite() {
            self.fail(way, format!("{what} is not a finite number"), "write a finite number");
            return false;
        }
        if value < low || value > high {
            self.fail(
                way,
                format!("{what} = {} is out of range", plain(value)),
                format!("a value from {} to {}", plain(low), plain(high)),
            );
            return false;
        }
        true
    }

    /// Fails unless `0 <= min <= max`, both of them finite.
    fn range(&mut self, place: &[Step], what: &str, range: Range) {
        let mut fine = true;
        for (key, value) in [("min", range.min), ("max", range.max)] {
            fine &= self.within(below(place, key), &format!("{what}.{key}"), value, 0.0, LARGEST);
        }
        if fine && range.min > range.max {
            self.fail(
                below(place, "min"),
                format!("{what}: min = {} is above max = {}", range.min, range.max),
                "min <= max",
            );
        }
    }

    fn run_length(&mut self, topology: &Topology) {
        if let RunLength::Slots(slots) = topology.slots
            && !(1..=MOST_SLOTS).contains(&slots)
        {
            self.fail(
                way!["slots"],
                format!("a trial cannot have {slots} slots"),
                format!("from 1 to {MOST_SLOTS} slots, for example slots = 10000"),
            );
        }
        self.clock(topology);
        let count = topology.seeds.count();
        if count > 1 && topology.slots == RunLength::Endless {
            self.fail(
                way!["seeds"],
                format!("{count} seeds, but an endless run never gets to the second"),
                "one seed, for example seeds = [7], or a number of slots",
            );
        }
        self.seeds(&topology.seeds);
    }

    fn seeds(&mut self, seeds: &Seeds) {
        let count = seeds.count();
        if count == 0 || count > MOST_SEEDS {
            let place = match seeds {
                Seeds::Block(_) => way!["seeds", "count"],
                Seeds::Count(_) | Seeds::List(_) => way!["seeds"],
            };
            self.fail(
                place,
                format!("a run cannot have {count} seeds"),
                format!("from 1 to {MOST_SEEDS} seeds"),
            );
        } else if let Seeds::Block(block) = seeds
            && block.first.checked_add(block.count).is_none()
        {
            self.fail(
                way!["seeds", "first"],
                format!("{count} seeds from {} on go beyond the largest number", block.first),
                format!("at most first = {}", u64::MAX - block.count),
            );
        } else if let Seeds::List(list) = seeds {
            let mut seen = std::collections::BTreeSet::new();
            for (index, seed) in list.iter().enumerate() {
                if !seen.insert(seed) {
                    self.fail(
                        way!["seeds", index],
                        format!("the seed {seed} is given twice"),
                        "each seed once: the same seed gives the same trial",
                    );
                }
            }
        }
    }

    fn clock(&mut self, topology: &Topology) {
        match &topology.clock {
            Clock::Slot(clock) => {
                if !(1..=4096).contains(&clock.lookahead) {
                    self.fail(
                        way!["clock", "lookahead"],
                        format!("lookahead = {} is out of range", clock.lookahead),
                        "from 1 to 4096 slots; 1024 is a good value",
                    );
                }
            }
            Clock::Wall(clock) => self.wall_clock(clock, topology),
        }
    }

    fn wall_clock(&mut self, clock: &WallClock, topology: &Topology) {
        let before = self.faults.len();
        let given = clock.timeout.map(|timeout| ("timeout", timeout));
        for (key, span) in [("slot", clock.slot)].into_iter().chain(given) {
            self.span(key, span, SHORTEST_SPAN, "20ms");
        }
        if clock.timeout() < clock.slot && self.faults.len() == before {
            self.fail(
                way!["clock", "timeout"],
                format!("timeout = \"{}\" is less than a slot of {}", clock.timeout(), clock.slot),
                "helper nodes tell their state once a slot: several slots",
            );
        }
        self.policies_in_real_time(topology);
        if let Features::Trace(_) = &topology.features {
            self.fail(
                way!["clock", "kind"],
                "features from a trace are told slot by slot, not in real time",
                "clock.kind = \"slot\", or delete [features]",
            );
        }
    }

    fn expectations(&mut self, topology: &Topology) {
        let known: Vec<&str> = topology.policies.keys().map(String::as_str).collect();
        for (index, expect) in topology.expectations.iter().enumerate() {
            self.expectation(index, expect, &known);
        }
    }

    fn expectation(&mut self, index: usize, expect: &Expect, known: &[&str]) {
        self.bounds(index, expect, known);
        let place = |key: &str| way!["expect", index, key];
        if expect.slot == 0 {
            self.fail(place("slot"), "slots count from 1", "for example slot = 10000");
        }
        if expect.seeds == 0 {
            self.fail(place("seeds"), "no seed shows nothing", "50 or more: seeds differ much");
        }
    }

    /// The policy and the bounds of an expectation.
    fn bounds(&mut self, index: usize, expect: &impl Naming, known: &[&str]) {
        let place = |key: &str| way!["expect", index, key];
        let policy = expect.policy();
        let [under, over] = expect.bounds();
        let bounds = [("below", under), ("above", over)];
        let named =
            bounds.iter().filter_map(|(key, bound)| Some((*key, bound.as_ref()?.policy()?)));
        for (key, name) in [("policy", policy)].into_iter().chain(named) {
            if !known.contains(&name) {
                self.fail(
                    place(key),
                    format!("no policy is called `{name}`"),
                    format!("policies here: {}", known.join(", ")),
                );
            } else if key != "policy" && name == policy {
                self.fail(
                    place(key),
                    format!("`{name}` is compared with itself"),
                    "the name of another policy, or a number",
                );
            }
        }
        for (key, bound) in bounds {
            if let Some(Bound::Number(number)) = bound {
                self.within(place(key), key, *number, -LARGEST, LARGEST);
            }
        }
        if bounds[0].1.is_some() == bounds[1].1.is_some() {
            // With both, the second is the one too many; with none, the expectation itself.
            self.fail(
                place("above"),
                "an expectation needs either `below` or `above`",
                "for example below = \"greedy\"",
            );
        }
    }

    fn trace(&mut self, topology: &Topology, path: &Path) -> Option<Trace> {
        let Features::Trace(features) = &topology.features else { return None };
        let trace = match Trace::read(&trace_path(path, &features.path)) {
            Ok(trace) => trace,
            Err(mut fault) => {
                fault.place =
                    fault.place.or_else(|| Some(self.places.of(&way!["features", "path"]).into()));
                self.faults.push(fault);
                return None;
            }
        };
        if topology.slots.last_slot() > trace.slots() {
            self.fail(
                way!["slots"],
                format!("{}, but the trace has {} slots", topology.slots, trace.slots()),
                format!("at most slots = {}", trace.slots()),
            );
            return None;
        }
        Some(trace)
    }

    /// What belongs to a model is an error beside a trace, and the other way round.
    fn features(&mut self, topology: &mut Topology, trace: Option<&Trace>) {
        match &topology.features {
            Features::Trace(_) => {
                debug_assert!(trace.is_some(), "without its trace nothing is checked");
                self.ignored(way!["task"]);
                for place in std::iter::once(way!["nodes"])
                    .chain((0..topology.node_list.len()).map(|index| way!["node", index]))
                {
                    for key in ["cpu_frequency_ghz", "cqi", "queue"] {
                        self.ignored(below(&place, key));
                    }
                }
            }
            Features::Model(ModelFeatures { full_scale, noise }) => {
                if *noise > MOST_NOISE {
                    self.fail(
                        way!["features", "noise"],
                        format!("noise = {noise} is out of range"),
                        format!("from 0 to {MOST_NOISE} features that say nothing"),
                    );
                }
                for (key, value) in [
                    ("length_kb", full_scale.length_kb),
                    ("complexity_cycles", full_scale.complexity_cycles),
                    ("cpu_frequency_ghz", full_scale.cpu_frequency_ghz),
                    ("cqi", full_scale.cqi),
                ] {
                    self.within(way!["features", "full_scale", key], key, value, 1e-9, LARGEST);
                }
                let task = topology.task.get_or_insert_with(Task::default).clone();
                for (key, range) in
                    [("length_kb", task.length_kb), ("complexity_cycles", task.complexity_cycles)]
                {
                    self.range(&way!["task", key], key, range);
                }
            }
        }
    }

    /// Fails if there is something at `way` although the features come from a trace.
    fn ignored(&mut self, way: Vec<Step>) {
        if self.places.has(&way) {
            self.fail(
                way,
                "this would be ignored: the features come from a trace",
                "delete it, or delete [features]",
            );
        }
    }
}

/// A number as somebody would write it: without hundreds of digits.
fn plain(value: f64) -> String {
    match value.abs() {
        0.0 | 1e-9..1e15 => format!("{value}"),
        _ => format!("{value:e}"),
    }
}
