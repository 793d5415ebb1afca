//! What can be wrong with a topology of the problem `cascade`.

use std::path::Path;

use super::alike::SHORTEST_TIMEOUT;
use super::links::link_paths;
use super::network::{NAME_HELP, bad_name};
use super::{Check, SHORTEST_SPAN, below};
use crate::cascade::{CascadeScenario, EdgeNode, TokenBucket};
use crate::checked::Checked;
use crate::fault::Faults;
use crate::link::LinkPath;
use crate::topology::places::{Places, Step, way};
use crate::topology::{
    Arrivals, CascadeClock, CascadePolicySpec, CascadeTopology, DqnTraining, LinkDefaults,
    is_node_name,
};

/// Policies hold tables over the levels of the bucket.
const MOST_LEVELS: u32 = 100_000;
/// States for which a policy plans, of bucket, stream and arrivals together. Of more it would take
/// more than half a GB, and the sweeps that it does in half a minute would not be enough.
const MOST_STATES: u64 = 8_000_000;
/// A GB.
const MOST_KB: f64 = 1e6;
/// An hour.
const LONGEST_MS: f64 = 3.6e6;

/// Checks everything, fills in the defaults and reads the trace.
pub(crate) fn validate_cascade(
    topology: CascadeTopology,
    places: &Places<'_>,
    path: &Path,
) -> Result<CascadeScenario, Faults> {
    let mut check = Check { places, faults: Vec::new() };
    check.length("images", topology.images, 100_000);
    check.seeds(&topology.seeds);
    check.cascade_clock(&topology);
    check.image_stream(&topology);
    check.arrivals(&topology);
    let bucket = check.bucket(&topology);
    let edge = check.edge(&topology);
    let link = check.cascade_link(&topology);
    check.cascade_policies(&topology, path);
    if let Some(bucket) = &bucket {
        check.plans(&topology, bucket);
    }
    check.plain_expectations(&topology.expectations, topology.policies.keys());
    check.sweep();
    let tables = check.image_trace(&topology, path);
    let (Some(bucket), Some((train, test)), true) = (bucket, tables, check.faults.is_empty())
    else {
        return Err(check.into_faults());
    };
    let picture_places = ["from", "classifiers"].map(|key| places.of(&way!["pictures", key]));
    let checked = Checked::new(topology, places, path);
    Ok(CascadeScenario { checked, train, test, bucket, edge, link, picture_places })
}

impl Check<'_, '_> {
    fn cascade_clock(&mut self, topology: &CascadeTopology) {
        let CascadeClock::Wall(wall) = &topology.clock else { return };
        self.span("slot", wall.slot, SHORTEST_SPAN, "200ms");
        self.span("timeout", wall.timeout, SHORTEST_TIMEOUT, "200ms");
    }

    fn image_stream(&mut self, topology: &CascadeTopology) {
        let stream = &topology.stream;
        self.within(way!["stream", "spread"], "spread", stream.spread, 0.0, 1.0);
        self.within(way!["stream", "reset"], "reset", stream.reset, 0.0, 1.0);
    }

    fn arrivals(&mut self, topology: &CascadeTopology) {
        match &topology.arrivals {
            Arrivals::Constant(constant) => {
                self.whole(way!["arrivals", "gap"], "gap", constant.gap, 1, 1000);
            }
            Arrivals::Markov(markov) => {
                for (index, gap) in markov.gaps.into_iter().enumerate() {
                    self.whole(way!["arrivals", "gaps", index], "a gap", gap, 1, 1000);
                }
                for (index, leave) in markov.leave.into_iter().enumerate() {
                    let place = way!["arrivals", "leave", index];
                    self.within(place, "the probability of leaving a state", leave, 1e-9, 1.0);
                }
            }
        }
    }

    fn bucket(&mut self, topology: &CascadeTopology) -> Option<TokenBucket> {
        let bucket = &topology.bucket;
        let numbers = [("rate", &bucket.rate), ("depth", &bucket.depth)].map(|(key, tokens)| {
            let exact = tokens.exact();
            if exact.is_none() {
                self.fail(
                    way!["bucket", key],
                    format!("{key} = {tokens} is no number of tokens"),
                    "above 0, with at most nine digits on either side of the point: 0.1, 4, \"1/3\"",
                );
            }
            exact
        });
        let [Some(rate), Some(depth)] = numbers else { return None };
        if rate.value() > 1.0 {
            self.fail(
                way!["bucket", "rate"],
                format!("rate = {} is above 1", bucket.rate),
                "at most one token a slot: no more than one image comes in it",
            );
            return None;
        }
        if depth.value() < 1.0 {
            self.fail(
                way!["bucket", "depth"],
                format!("depth = {} is below 1", bucket.depth),
                "a bucket that never holds a token never lets an image pass",
            );
            return None;
        }
        let found = TokenBucket::new(rate, depth, MOST_LEVELS);
        if found.is_none() {
            self.fail(
                way!["bucket"],
                format!("this bucket has more than {MOST_LEVELS} levels"),
                "rounder numbers: a level is a token over the common divisor of rate and depth",
            );
        }
        found
    }

    fn edge(&mut self, topology: &CascadeTopology) -> EdgeNode {
        let edge = &topology.edge;
        self.whole(way!["edge", "workers"], "workers", edge.workers, 1, 64);
        self.whole(way!["edge", "queue_limit"], "queue_limit", edge.queue_limit, 0, 10_000);
        self.within(way!["edge", "image_kb"], "image_kb", edge.image_kb, 0.0, MOST_KB);
        self.within(way!["edge", "service_ms"], "service_ms", edge.service_ms, 0.0, LONGEST_MS);
        self.cascade_names(topology);
        EdgeNode {
            name: edge.name.clone(),
            workers: edge.workers,
            queue_limit: edge.queue_limit,
            image_bytes: (edge.image_kb * 1e3).round() as u64,
            service_ns: (edge.service_ms * 1e6).round() as u64,
        }
    }

    fn cascade_names(&mut self, topology: &CascadeTopology) {
        let (task, edge) = (topology.task_node.name.as_str(), topology.edge.name.as_str());
        for (place, name) in [(way!["task-node", "name"], task), (way!["edge", "name"], edge)] {
            if !is_node_name(name) {
                self.fail(place, bad_name(name), NAME_HELP);
            }
        }
        if task == edge {
            self.two_called(way!["edge", "name"], edge);
        }
    }

    fn cascade_link(&mut self, topology: &CascadeTopology) -> Option<LinkPath> {
        let name = topology.edge.name.as_str();
        let defaults = LinkDefaults { profile: topology.links.profile.clone() };
        if let (CascadeClock::Slot(_), Some(_)) = (&topology.clock, topology.events.first()) {
            self.fail(
                way!["event", 0],
                "links change in real time only",
                "[clock] with kind = \"wall\", or no [[event]]: in virtual time no link is emulated",
            );
        }
        let first = self.links(&topology.task_node.name, &[name], Some(&defaults), &[]);
        let changes = self.link_events(&topology.events, &[name]);
        link_paths(first, &changes).pop()
    }

    fn cascade_policies(&mut self, topology: &CascadeTopology, path: &Path) {
        self.policy_names(topology.policies.keys(), "mdp");
        for (name, spec) in &topology.policies {
            self.cascade_parameters(&way!["policies", name], spec, path);
        }
    }

    /// Policies that plan over levels, places and states of the arrivals can do so for so many only.
    fn plans(&mut self, topology: &CascadeTopology, bucket: &TokenBucket) {
        let arrivals = u64::from(topology.arrivals.kind() == "markov") + 1;
        for (name, spec) in &topology.policies {
            let (CascadePolicySpec::Belief(plan) | CascadePolicySpec::HiddenState(plan)) = spec
            else {
                continue;
            };
            let each = arrivals * u64::from(plan.places.max(1));
            let (levels, most) = (u64::from(bucket.depth) + 1, MOST_STATES / each);
            if levels <= most {
                continue;
            }
            let tokens = (most - 1) / u64::from(bucket.price);
            let rounder = "a rounder rate or depth, of which a level is the common divisor";
            let help = match tokens {
                0 => format!("fewer places, or {rounder}"),
                _ => format!("depth = {tokens} at most, fewer places, or {rounder}"),
            };
            self.fail(
                way!["policies", name, "places"],
                format!(
                    "{name} would plan for {levels} levels of the bucket with {each} states each, and \
                     {MOST_STATES} are too many in all"
                ),
                help,
            );
        }
    }

    fn cascade_parameters(&mut self, place: &[Step], spec: &CascadePolicySpec, path: &Path) {
        match spec {
            CascadePolicySpec::Threshold(fixed) | CascadePolicySpec::LowerBound(fixed) => {
                if let Some(threshold) = fixed.threshold {
                    let place = below(place, "threshold");
                    self.within(place, "threshold", threshold, -1e9, 1e9);
                }
            }
            CascadePolicySpec::Mdp(mdp) => self.discount(place, mdp.discount),
            CascadePolicySpec::Belief(belief) | CascadePolicySpec::HiddenState(belief) => {
                self.discount(place, belief.discount);
                self.whole(below(place, "places"), "places", belief.places, 8, 4096);
            }
            CascadePolicySpec::Dqn(dqn) => {
                self.model_is_there(place, dqn.model.as_ref(), path, "fogbit train dqn");
                if dqn.other_setting && dqn.model.is_none() {
                    self.fail(
                        below(place, "other_setting"),
                        "other_setting without a model",
                        "model = \"...\"; what is trained at the start of the run is trained for \
                         this setting",
                    );
                }
                self.dqn_training(&below(place, "train"), &dqn.train);
            }
            CascadePolicySpec::Clairvoyant(_) => {}
        }
    }

    fn discount(&mut self, place: &[Step], discount: f64) {
        if self.within(below(place, "discount"), "discount", discount, 0.0, 0.999_999_9)
            && discount == 0.0
        {
            self.fail(below(place, "discount"), "discount = 0", "above 0, for example 0.9999");
        }
    }

    fn dqn_training(&mut self, place: &[Step], train: &DqnTraining) {
        let counts = [
            ("iterations", train.iterations, 1, 1_000_000),
            ("updates", train.updates, 1, 100_000),
            ("batch", train.batch, 1, 100_000),
            ("history", train.history, 2, 1000),
        ];
        for (key, value, low, high) in counts {
            self.whole(below(place, key), key, value, low, high);
        }
        if !(1_000..=1_000_000_000).contains(&train.images) {
            let message = format!("images = {} is out of range", train.images);
            self.fail(below(place, "images"), message, "from 1000 to 1000000000");
        }
        self.hidden_layers(&below(place, "hidden"), &train.hidden, "5 are those of the paper");
        for (key, rate) in [
            ("learning_rate", train.learning_rate),
            ("last_learning_rate", train.last_learning_rate),
        ] {
            self.within(below(place, key), key, rate, 1e-9, 10.0);
        }
        self.discount(place, train.discount);
    }
}
