//! What can be wrong with a topology of the problem `pipeline`.

use std::collections::BTreeSet;
use std::path::Path;

use super::alike::SHORTEST_TIMEOUT;
use super::network::{NAME_HELP, bad_name};
use super::{Check, below};
use crate::checked::Checked;
use crate::fault::Faults;
use crate::pipeline::{
    ApplicationDraws, ApplicationSource, ConditionDraws, PipelineScenario, SiteDraws, SiteSet,
    WayDraws,
};
use crate::topology::places::{Places, Step, way};
use crate::topology::{
    ApplicationMix, PipelineClock, PipelinePolicySpec, PipelineSite, PipelineTopology,
    PipelineTraining, Range, SearchMethod, SiteLink, is_node_name,
};

pub(super) const MOST_CYCLES: f64 = 1e13;
/// A GB: what a computer takes at most.
pub(super) const MOST_KB: f64 = 1e6;
/// An hour.
const LONGEST_MS: f64 = 3.6e6;
/// Round-trip times beyond this are a slip of the keyboard.
const LONGEST_RTT_MS: f64 = 60_000.0;
const MOST_MBIT_S: f64 = 1e6;
/// Sub-tasks of applications that are drawn.
const MOST_DRAWN: u32 = 12;
/// Placements that exhaustive search tries for one application: a few seconds.
const MOST_PLACEMENTS: f64 = 5e6;

/// Checks everything and fills in the defaults.
pub(crate) fn validate_pipeline(
    topology: PipelineTopology,
    places: &Places<'_>,
    path: &Path,
) -> Result<PipelineScenario, Faults> {
    let mut check = Check { places, faults: Vec::new() };
    check.length("applications", topology.applications, 1000);
    check.seeds(&topology.seeds);
    if let PipelineClock::Wall(wall) = &topology.clock {
        check.span("timeout", wall.timeout, SHORTEST_TIMEOUT, "30s");
    }
    check.sites(&topology);
    let sites = site_names(&topology);
    let ways = check.site_links(&topology, &sites);
    let given = check.graphs(&topology.graphs, &sites);
    check.application_mix(&topology);
    check.pipeline_policies(&topology, &sites, path);
    check.plain_expectations(&topology.expectations, topology.policies.keys());
    check.sweep();
    let (applications, names) = given.into_iter().unzip();
    let source = source(&topology, applications, sites.len());
    if check.faults.is_empty() {
        check.exhaustive(&topology, &source, sites.len());
    }
    if !check.faults.is_empty() {
        return Err(check.into_faults());
    }
    let conditions = ConditionDraws { sites: all_sites(&topology).map(site_draws).collect(), ways };
    let checked = Checked::new(topology, places, path);
    let label_sweep_place = places.of(&way!["label_sweep"]);
    Ok(PipelineScenario { checked, source, conditions, sites, names, label_sweep_place })
}

/// The device, then the helper nodes.
fn all_sites(topology: &PipelineTopology) -> impl Iterator<Item = &PipelineSite> {
    std::iter::once(&topology.task_node).chain(&topology.nodes)
}

fn site_names(topology: &PipelineTopology) -> Vec<String> {
    all_sites(topology).map(|site| site.name.clone()).collect()
}

fn site_draws(site: &PipelineSite) -> SiteDraws {
    SiteDraws {
        frequency_ghz: site.cpu_frequency_ghz,
        load: site.load,
        busy_ms: site.busy_ms,
        overhead_ns: (site.service_overhead_ms * 1e6).round() as u64,
    }
}

fn source(
    topology: &PipelineTopology,
    given: Vec<crate::pipeline::Application>,
    sites: usize,
) -> ApplicationSource {
    if !given.is_empty() {
        return ApplicationSource::Given(given);
    }
    let mix = topology.application.clone().unwrap_or_default();
    let bytes = Range { min: mix.data_kb.min * 1e3, max: mix.data_kb.max * 1e3 };
    ApplicationSource::Drawn(ApplicationDraws {
        shapes: mix.shapes,
        sub_tasks: [mix.sub_tasks.min, mix.sub_tasks.max],
        cycles: mix.cycles,
        bytes,
        sites: sites as u32,
    })
}

impl Check<'_, '_> {
    fn sites(&mut self, topology: &PipelineTopology) {
        if topology.nodes.is_empty() || topology.nodes.len() >= SiteSet::MOST {
            self.fail(
                way!["node"],
                format!("a topology cannot have {} helper nodes", topology.nodes.len()),
                format!("from 1 to {} helper nodes, a [[node]] for each", SiteSet::MOST - 1),
            );
        }
        let mut seen = BTreeSet::new();
        for (index, site) in all_sites(topology).enumerate() {
            let place = match index.checked_sub(1) {
                None => way!["task-node"],
                Some(node) => way!["node", node],
            };
            let name = below(&place, "name");
            if !is_node_name(&site.name) {
                self.fail(name.clone(), bad_name(&site.name), NAME_HELP);
            }
            if !seen.insert(site.name.as_str()) {
                self.two_called(name, &site.name);
            }
            self.frequency(&place, site.cpu_frequency_ghz);
            self.load(&place, site.load);
            let busy = below(&place, "busy_ms");
            self.range_within(&busy, "busy_ms", site.busy_ms, 0.0, LONGEST_MS);
            let key = "service_overhead_ms";
            self.within(below(&place, key), key, site.service_overhead_ms, 0.0, LONGEST_MS);
        }
    }

    /// The links as they are drawn; there has to be one for each two sites.
    fn site_links(&mut self, topology: &PipelineTopology, sites: &[String]) -> Vec<WayDraws> {
        let mut linked = BTreeSet::new();
        let mut ways = Vec::new();
        for (index, link) in topology.links.iter().enumerate() {
            let place = way!["link", index];
            self.range_within(&below(&place, "mbit_s"), "mbit_s", link.mbit_s, 1e-3, MOST_MBIT_S);
            self.range_within(
                &below(&place, "rtt_ms"),
                "rtt_ms",
                link.rtt_ms,
                1e-3,
                LONGEST_RTT_MS,
            );
            let Some(between) = self.ends(&below(&place, "between"), link, sites) else { continue };
            if linked.insert(between) {
                ways.push(WayDraws { between, mbit_s: link.mbit_s, rtt_ms: link.rtt_ms });
            } else {
                let [one, other] = between.map(|site| &sites[site as usize]);
                self.fail(
                    below(&place, "between"),
                    format!("`{one}` and `{other}` are linked twice"),
                    "one link between two sites; it leads both ways",
                );
            }
        }
        self.missing_links(sites, &linked);
        ways
    }

    fn missing_links(&mut self, sites: &[String], linked: &BTreeSet<[u32; 2]>) {
        let count = sites.len().min(SiteSet::MOST) as u32;
        for one in 0..count {
            for other in one + 1..count {
                if !linked.contains(&[one, other]) {
                    let [from, to] = [one, other].map(|site| &sites[site as usize]);
                    self.fail(
                        way!["link"],
                        format!("there is no link between `{from}` and `{to}`"),
                        format!(
                            "a [[link]] with between = [\"{from}\", \"{to}\"], mbit_s and rtt_ms: data \
                             goes straight from each site to each other one"
                        ),
                    );
                }
            }
        }
    }

    /// The two sites of a link, the smaller number first.
    fn ends(&mut self, place: &[Step], link: &SiteLink, sites: &[String]) -> Option<[u32; 2]> {
        let [one, other] = link.between.as_slice() else {
            self.fail(
                place.to_vec(),
                format!("a link between {} sites", link.between.len()),
                "the names of two sites, for example between = [\"device\", \"edge\"]",
            );
            return None;
        };
        let mut found = Vec::new();
        for (index, name) in [one, other].into_iter().enumerate() {
            match sites.iter().position(|site| site == name) {
                Some(site) => found.push(site as u32),
                None => self.no_site(inside(place, index), name, sites),
            }
        }
        let [one, other] = found.as_slice() else { return None };
        if one == other {
            self.fail(
                place.to_vec(),
                format!("a link from `{}` to itself", sites[*one as usize]),
                "two different sites: within a site data costs nothing",
            );
            return None;
        }
        Some([*one.min(other), *one.max(other)])
    }

    pub(super) fn no_site(&mut self, place: Vec<Step>, name: &str, sites: &[String]) {
        let help = format!("sites here: {}", sites.join(", "));
        self.fail(place, format!("no site is called `{name}`"), help);
    }

    fn application_mix(&mut self, topology: &PipelineTopology) {
        let place = way!["application"];
        if let (Some(_), false) = (&topology.application, topology.graphs.is_empty()) {
            self.fail(
                place,
                "applications are either drawn or given",
                "[application] or a [[graph]] for each, not both",
            );
            return;
        }
        let ApplicationMix { shapes, sub_tasks, cycles, data_kb } =
            topology.application.clone().unwrap_or_default();
        if shapes.is_empty() {
            let help = "shapes = [\"chain\", \"fork-join\", \"layered\"], or some of them";
            self.fail(below(&place, "shapes"), "graphs of no shape", help);
        }
        for (index, shape) in shapes.iter().enumerate() {
            if shapes[..index].contains(shape) {
                self.fail(
                    inside(&below(&place, "shapes"), index),
                    format!("the shape `{}` is given twice", shape.name()),
                    "each shape once: all that are given are equally likely",
                );
            }
        }
        let own = below(&place, "sub_tasks");
        for (key, value) in [("min", sub_tasks.min), ("max", sub_tasks.max)] {
            self.whole(below(&own, key), &format!("sub_tasks.{key}"), value, 2, MOST_DRAWN);
        }
        if sub_tasks.min > sub_tasks.max {
            let message =
                format!("sub_tasks: min = {} is above max = {}", sub_tasks.min, sub_tasks.max);
            self.fail(below(&own, "min"), message, "min <= max");
        }
        self.range_within(&below(&place, "cycles"), "cycles", cycles, 1.0, MOST_CYCLES);
        self.range_within(&below(&place, "data_kb"), "data_kb", data_kb, 1e-3, MOST_KB);
    }

    fn pipeline_policies(&mut self, topology: &PipelineTopology, sites: &[String], path: &Path) {
        self.policy_names(topology.policies.keys(), "greedy");
        for (name, spec) in &topology.policies {
            let place = way!["policies", name];
            match spec {
                PipelinePolicySpec::Fixed(fixed) => {
                    if !sites.contains(&fixed.site) {
                        self.no_site(below(&place, "site"), &fixed.site, sites);
                    }
                }
                PipelinePolicySpec::Imitation(imitation) => {
                    let model = imitation.model.as_ref();
                    self.model_is_there(&place, model, path, "fogbit train pipeline");
                    self.pipeline_training(&below(&place, "train"), &imitation.train);
                }
                PipelinePolicySpec::Distilled(distilled) => {
                    let model = distilled.model.as_ref();
                    self.model_is_there(&place, model, path, "fogbit train pipeline");
                    self.pipeline_training(&below(&place, "train"), &distilled.train);
                    self.pipeline_training(&below(&place, "teacher"), &distilled.teacher);
                    let key = below(&place, "temperature");
                    self.within(key, "temperature", distilled.temperature, 0.1, 100.0);
                    self.within(below(&place, "alpha"), "alpha", distilled.alpha, 0.0, 1.0);
                }
                PipelinePolicySpec::Random(_)
                | PipelinePolicySpec::Greedy(_)
                | PipelinePolicySpec::Search(_) => {}
            }
        }
    }

    fn pipeline_training(&mut self, place: &[Step], train: &PipelineTraining) {
        let counts = [
            ("labels", train.labels, 100, 100_000_000),
            ("epochs", train.epochs, 1, 10_000),
            ("batch", train.batch, 1, 1_000_000),
        ];
        for (key, value, low, high) in counts {
            self.whole(below(place, key), key, value, low, high);
        }
        if let Some(hidden) = &train.hidden {
            self.hidden_layers(&below(place, "hidden"), hidden, "2 or 3 are enough");
        }
        let rate = below(place, "learning_rate");
        self.within(rate, "learning_rate", train.learning_rate, 1e-9, 10.0);
        self.within(below(place, "cost_weight"), "cost_weight", train.cost_weight, 0.0, 1000.0);
    }

    /// Exhaustive search has an end that somebody waits for.
    fn exhaustive(
        &mut self,
        topology: &PipelineTopology,
        source: &ApplicationSource,
        sites: usize,
    ) {
        let placements = match source {
            ApplicationSource::Drawn(draws) => {
                (0..draws.sub_tasks[1]).map(|_| sites as f64).product()
            }
            ApplicationSource::Given(all) => all
                .iter()
                .map(|one| one.sub_tasks().iter().map(|own| own.sites.len() as f64).product())
                .fold(0.0, f64::max),
        };
        if placements <= MOST_PLACEMENTS {
            return;
        }
        for (name, spec) in &topology.policies {
            let PipelinePolicySpec::Search(search) = spec else { continue };
            if search.method == SearchMethod::Exhaustive {
                self.fail(
                    way!["policies", name, "method"],
                    format!(
                        "{name} would try {placements} placements of an application with {} sub-tasks, \
                         and {MOST_PLACEMENTS} are too many",
                        source.most_sub_tasks()
                    ),
                    "method = \"branch-and-bound\", which finds the same, or fewer sub-tasks",
                );
            }
        }
    }
}

/// The way to number `index` within `place`.
pub(super) fn inside(place: &[Step], index: usize) -> Vec<Step> {
    place.iter().cloned().chain([Step::from(index)]).collect()
}
