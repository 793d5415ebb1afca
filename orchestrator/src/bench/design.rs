//! What a suite consists of: experiments, made from one topology file.

use std::path::PathBuf;
use std::sync::Arc;

use fogbit_scenario::Faults;
use fogbit_scenario::link::LinkState;
use fogbit_scenario::placement::cost::{break_even_rtt_s, expected_latency_s};
use fogbit_scenario::placement::{CostModel, PlacementScenario, SiteSight, Task};
use fogbit_scenario::topology::{
    HelperComputer, HelperComputers, LinkEvent, LinkProfile, LinkSettings, LossSettings,
    NoParameters, OraclePlacement, PlacementClock, PlacementLinks, PlacementPolicySpec,
    PlacementTopology, PlacementWall, Range, Seeds, TransferModel,
};

use super::rate::Demand;
use super::summary::Part;
use crate::placement::summary::{mean_local, mean_remote, mean_task};

/// How long a backend of processes takes for a state of a link beside its tasks, in seconds: the
/// probe.
const PROBE_S: f64 = 2.1;
/// How long it takes to start two processes, in seconds.
const START_S: f64 = 1.0;
/// A break-even below this is not looked for, in milliseconds.
const LEAST_BREAK_EVEN_MS: f64 = 5.0;
/// Round-trip times that a link can have, in milliseconds.
const LONGEST_RTT_MS: f64 = 60_000.0;
/// Rates that a link can have, in Mbit/s.
const RATES: (f64, f64) = (0.01, 1e5);

/// How much is measured.
#[derive(Debug, Clone)]
pub struct Size {
    /// Profiles of links, by name.
    pub profiles: Vec<String>,
    /// Loads of the task node.
    pub loads: Vec<f64>,
    /// Whether only the payload in the middle of the file's range is looked at.
    pub middle_payload_only: bool,
    /// Tasks for each profile, load and payload.
    pub grid_tasks: u64,
    /// Round-trip times, as parts of the break-even by formula.
    pub round_trips: Vec<f64>,
    /// Tasks at each round-trip time.
    pub round_trip_tasks: u64,
    /// Shares of packets that are lost.
    pub losses: Vec<f64>,
    /// Tasks with each of them.
    pub loss_tasks: u64,
    /// Rates, as parts of the least one by formula.
    pub rates: Vec<f64>,
    /// Tasks at each of them.
    pub rate_tasks: u64,
}

/// Profiles of the short suite.
const QUICK: [&str; 7] = ["wifi", "5g", "lte", "slow-4g", "3g-slow", "congested", "geo"];
/// Profiles of the whole suite.
const FULL: [&str; 10] =
    ["wifi", "5g", "4g-good", "lte", "hspa", "slow-4g", "3g", "3g-slow", "congested", "geo"];

impl Size {
    /// A suite of under a minute, for tasks of a quarter of a second.
    pub fn quick() -> Size {
        Size {
            profiles: QUICK.map(str::to_owned).to_vec(),
            loads: vec![0.0, 0.5],
            middle_payload_only: true,
            grid_tasks: 3,
            round_trips: vec![0.5, 0.85, 1.15, 1.5],
            round_trip_tasks: 5,
            losses: vec![0.0, 0.02, 0.1],
            loss_tasks: 25,
            rates: vec![0.7, 1.0, 1.4],
            rate_tasks: 5,
        }
    }

    /// All of it.
    pub fn full() -> Size {
        Size {
            profiles: FULL.map(str::to_owned).to_vec(),
            loads: vec![0.0, 0.5, 0.9],
            middle_payload_only: false,
            grid_tasks: 6,
            round_trips: vec![0.4, 0.7, 1.0, 1.3, 1.6],
            round_trip_tasks: 12,
            losses: vec![0.0, 0.005, 0.01, 0.02, 0.05, 0.1],
            loss_tasks: 120,
            rates: vec![0.6, 0.8, 1.0, 1.3, 1.7],
            rate_tasks: 8,
        }
    }

    /// Tasks that are played where nobody waits for them: in virtual time there can be more.
    pub fn in_virtual_time(mut self) -> Size {
        for tasks in [&mut self.grid_tasks, &mut self.round_trip_tasks, &mut self.rate_tasks] {
            *tasks = (*tasks).max(40);
        }
        self.loss_tasks = self.loss_tasks.max(2000);
        self
    }
}

/// A stretch of slots in which nothing changes.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    /// The profile of the link, with a star where it is not the named one itself.
    pub profile: String,
    /// Mean round-trip time of the link, in milliseconds.
    pub rtt_ms: f64,
    /// Share of packets lost, the worse way.
    pub loss: f64,
    /// Rate to the helper node in Mbit/s; none where there is no limit.
    pub up_mbit_s: Option<f64>,
    /// First slot.
    pub from: u64,
    /// Last slot.
    pub to: u64,
}

/// One topology of a suite.
#[derive(Debug, Clone)]
pub struct Experiment {
    /// Its name: that of its folder.
    pub name: String,
    /// What it is for.
    pub part: Part,
    /// The profile that the links of its states are made from; empty where they differ.
    pub base: String,
    /// Load of the task node.
    pub load: f64,
    /// The topology.
    pub scenario: Arc<PlacementScenario>,
    /// The states of its link, one after the other.
    pub states: Vec<State>,
    /// The break-even round trip by formula, for each state, in milliseconds.
    pub break_even_ms: Vec<f64>,
    /// The same where no packet is lost, for the first state.
    pub lossless_ms: f64,
    /// A task that takes longer has failed, in milliseconds.
    pub deadline_ms: f64,
    /// What is asked of its rates.
    pub demand: Option<Demand>,
    /// How long it takes over processes, in seconds.
    pub expected_s: f64,
}

impl Experiment {
    /// Its task.
    pub fn task(&self) -> Task {
        mean_task(&self.scenario)
    }
}

/// What all experiments are made from.
#[derive(Debug)]
pub struct Design {
    topology: PlacementTopology,
    path: PathBuf,
    seed: u64,
    size: Size,
}

/// A break-even that is not measured, because there is none.
#[derive(Debug, Clone, PartialEq)]
pub struct NoBreakEven {
    /// Name of the profile.
    pub profile: String,
    /// What the formula gives, in milliseconds.
    pub formula_ms: f64,
}

/// All experiments of a suite.
#[derive(Debug)]
pub struct Suite {
    /// What is played.
    pub experiments: Vec<Experiment>,
    /// Profiles whose rates alone forbid offloading.
    pub without: Vec<NoBreakEven>,
}

impl Design {
    /// Of the task node, the first helper node and the work of `file`.
    pub fn new(file: &PlacementScenario, seed: u64, size: Size) -> Design {
        let mut topology = file.topology().clone();
        let helper = &file.helpers()[0];
        topology.node_list = vec![HelperComputer {
            name: helper.name.clone(),
            cpu_frequency_ghz: Some(helper.frequency_hz / 1e9),
            load: Some(fixed((helper.load.min + helper.load.max) / 2.0)),
            workers: Some(helper.workers),
            queue_limit: Some(helper.queue_limit),
            service_overhead_ms: Some(helper.overhead_ns as f64 / 1e6),
        }];
        topology.nodes = HelperComputers::default();
        topology.link_list.clear();
        topology.expectations.clear();
        topology.seeds = Seeds::List(vec![seed]);
        topology.task.complexity_cycles = fixed(mean_task(file).cycles as f64);
        if let PlacementClock::Slot(_) = topology.clock {
            topology.clock = PlacementClock::Wall(PlacementWall::default());
        }
        Design { topology, path: file.folder(), seed, size }
    }

    /// The seed of all experiments.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Everything that is to be played.
    ///
    /// # Errors
    /// If a topology cannot be: the file asks for what a link or a node cannot have.
    pub fn suite(&self) -> Result<Suite, Faults> {
        let mut suite = Suite { experiments: self.grid()?, without: Vec::new() };
        for profile in &self.size.profiles {
            let formula_ms = self.break_even_ms(profile)?;
            if formula_ms < LEAST_BREAK_EVEN_MS {
                suite.without.push(NoBreakEven { profile: profile.clone(), formula_ms });
            } else {
                suite.experiments.push(self.break_even(profile, formula_ms)?);
            }
        }
        suite.experiments.push(self.loss()?);
        suite.experiments.extend(self.rates()?);
        Ok(suite)
    }

    /// Payloads in KB, by name: the ends and the middle of the file's range.
    fn payloads(&self) -> Vec<(&'static str, f64)> {
        let Range { min, max } = self.topology.task.input_kb;
        let middle = ("medium", (min + max) / 2.0);
        if self.size.middle_payload_only || min == max {
            return vec![middle];
        }
        vec![("small", min), middle, ("large", max)]
    }

    fn middle_payload(&self) -> f64 {
        let Range { min, max } = self.topology.task.input_kb;
        (min + max) / 2.0
    }

    fn mean_load(&self) -> f64 {
        (self.topology.task_node.load.min + self.topology.task_node.load.max) / 2.0
    }

    /// The profile that loss and rates are tried on.
    fn common(&self) -> &str {
        let lte = self.size.profiles.iter().find(|name| *name == "lte");
        lte.unwrap_or(&self.size.profiles[0])
    }

    /// Profiles, loads and payloads: each with each.
    fn grid(&self) -> Result<Vec<Experiment>, Faults> {
        let links: Vec<LinkProfile> =
            self.size.profiles.iter().cloned().map(LinkProfile::Named).collect();
        let mut all = Vec::new();
        for load in &self.size.loads {
            for (size, kb) in self.payloads() {
                let name = format!("grid-load{:02}-{size}", (load * 100.0).round());
                let asked = Asked {
                    part: Part::Grid,
                    base: "",
                    load: *load,
                    payload_kb: kb,
                    tasks: self.size.grid_tasks,
                };
                all.push(self.experiment(name, &asked, &links)?);
            }
        }
        Ok(all)
    }

    /// By formula, for the file's mean task, in milliseconds.
    fn break_even_ms(&self, profile: &str) -> Result<f64, Faults> {
        let asked = self.middle(Part::BreakEven, profile, 1);
        let links = [LinkProfile::Named(profile.to_owned())];
        let one = self.experiment("break-even".into(), &asked, &links)?;
        Ok(one.break_even_ms[0])
    }

    /// A profile with round-trip times around its break-even.
    fn break_even(&self, profile: &str, formula_ms: f64) -> Result<Experiment, Faults> {
        let jitter = settings_of(profile).jitter_ms;
        let link = |part: &f64| {
            let rtt = ((formula_ms * part * 1e3).round() / 1e3).min(LONGEST_RTT_MS);
            // No packet arrives before it is sent.
            let jitter_ms = jitter.filter(|jitter| *jitter > rtt).map(|_| rtt);
            own(profile, |own| LinkSettings { rtt_ms: Some(rtt), jitter_ms, ..own })
        };
        let links: Vec<LinkProfile> = self.size.round_trips.iter().map(link).collect();
        let asked = self.middle(Part::BreakEven, profile, self.size.round_trip_tasks);
        self.experiment(format!("break-even-{profile}"), &asked, &links)
    }

    fn loss(&self) -> Result<Experiment, Faults> {
        let base = self.common();
        let link = |loss: &f64| {
            let loss = Some(LossSettings::Share(*loss));
            own(base, |own| LinkSettings { loss, ..own })
        };
        let links: Vec<LinkProfile> = self.size.losses.iter().map(link).collect();
        let asked = self.middle(Part::Loss, base, self.size.loss_tasks);
        self.experiment(format!("loss-{base}"), &asked, &links)
    }

    /// For each payload, rates around the least that sustains it, from the fastest down.
    fn rates(&self) -> Result<Vec<Experiment>, Faults> {
        let base = self.common();
        let steady = |rate: Option<f64>| {
            own(base, |own| LinkSettings {
                jitter_ms: Some(0.0),
                loss: Some(LossSettings::Share(0.0)),
                up_mbit_s: rate,
                ..own
            })
        };
        let mut all = Vec::new();
        for (size, kb) in self.payloads() {
            if kb <= 0.0 {
                continue;
            }
            let tasks = self.size.rate_tasks;
            let asked = Asked { payload_kb: kb, ..self.middle(Part::Rate, base, tasks) };
            let name = format!("rate-{size}");
            let one = self.experiment(name.clone(), &asked, &[steady(None)])?;
            let demand = Demand::new(&one.scenario);
            let mut rates: Vec<f64> = self.size.rates.iter().map(|r| r * demand.around()).collect();
            rates.sort_by(|a, b| b.total_cmp(a));
            let rounded = |rate: &f64| ((rate * 1e3).round() / 1e3).clamp(RATES.0, RATES.1);
            // The fastest tells what does not depend on the rate.
            let fast = 8.0 * demand.around();
            let ladder =
                std::iter::once(&fast).chain(&rates).map(|rate| steady(Some(rounded(rate))));
            let mut experiment = self.experiment(name, &asked, &ladder.collect::<Vec<_>>())?;
            experiment.demand = Some(demand);
            all.push(experiment);
        }
        Ok(all)
    }

    fn middle<'b>(&self, part: Part, base: &'b str, tasks: u64) -> Asked<'b> {
        Asked { part, base, load: self.mean_load(), payload_kb: self.middle_payload(), tasks }
    }

    fn experiment(
        &self,
        name: String,
        asked: &Asked<'_>,
        links: &[LinkProfile],
    ) -> Result<Experiment, Faults> {
        let topology = self.topology_of(&name, asked, links);
        let path = self.path.join(format!("{name}.toml"));
        let scenario = PlacementScenario::from_topology(&topology, &path)?;
        let states = states(&scenario, asked.tasks, links.len() as u64);
        let (task, local) = (mean_task(&scenario), mean_local(&scenario));
        let cost = scenario.cost_model();
        let edge = |state: &State| mean_remote(&scenario, 0, state.from);
        let break_even =
            states.iter().map(|s| break_even_rtt_s(&task, &local, &edge(s), &cost) * 1e3);
        let lossless = SiteSight { loss: 0.0, ..edge(&states[0]) };
        let lossless_ms = break_even_rtt_s(&task, &local, &lossless, &cost) * 1e3;
        let here = expected_latency_s(&task, &local, &cost);
        let expected_s = START_S
            + states
                .iter()
                .map(|state| state_s(&task, &edge(state), &cost, asked, here))
                .sum::<f64>();
        Ok(Experiment {
            part: asked.part,
            base: asked.base.to_owned(),
            load: asked.load,
            break_even_ms: break_even.collect(),
            lossless_ms,
            deadline_ms: topology.task.deadline_ms.unwrap_or(here * 1e3),
            demand: None,
            expected_s,
            scenario: Arc::new(scenario),
            states,
            name,
        })
    }

    fn topology_of(
        &self,
        name: &str,
        asked: &Asked<'_>,
        links: &[LinkProfile],
    ) -> PlacementTopology {
        let mut topology = self.topology.clone();
        topology.about = Some(format!("Experiment {name} of `fogbit bench network`"));
        topology.slots = asked.tasks * links.len() as u64;
        topology.task.input_kb = fixed(asked.payload_kb);
        topology.task_node.load = fixed(asked.load);
        topology.links = PlacementLinks {
            profile: links.first().cloned(),
            drawn_rtt_ms: None,
            transfer: TransferModel::Packets,
        };
        let event = |(index, profile): (usize, &LinkProfile)| LinkEvent {
            at: 1 + index as u64 * asked.tasks,
            link: None,
            profile: profile.clone(),
        };
        topology.events = links.iter().enumerate().skip(1).map(event).collect();
        topology.policies = std::iter::once(asked.part.player()).collect();
        topology
    }
}

/// What an experiment is to be.
#[derive(Debug, Clone, Copy)]
struct Asked<'b> {
    part: Part,
    base: &'b str,
    load: f64,
    payload_kb: f64,
    /// Tasks in each state.
    tasks: u64,
}

impl Part {
    /// Who plays: an oracle that has every task done on both sides, or where only the way to the
    /// helper node matters, always that.
    fn player(self) -> (String, PlacementPolicySpec) {
        match self {
            Part::Grid | Part::BreakEven => {
                let both = OraclePlacement { shadow: true, shadow_share: 1.0 };
                ("both".into(), PlacementPolicySpec::Oracle(both))
            }
            Part::Loss | Part::Rate => {
                ("offload".into(), PlacementPolicySpec::AlwaysOffload(NoParameters {}))
            }
        }
    }
}

fn fixed(value: f64) -> Range {
    Range { min: value, max: value }
}

/// `base` with changes.
fn own(base: &str, change: impl FnOnce(LinkSettings) -> LinkSettings) -> LinkProfile {
    let settings = LinkSettings { base: Some(base.to_owned()), ..LinkSettings::default() };
    LinkProfile::Own(change(settings))
}

fn settings_of(profile: &str) -> LinkSettings {
    let known = fogbit_scenario::link::profile(profile);
    known.map_or_else(LinkSettings::default, |profile| profile.settings.clone())
}

/// Equal links that follow one another make one path but stay states of their own.
fn states(scenario: &PlacementScenario, tasks: u64, count: u64) -> Vec<State> {
    let mbit_s = |rate: Option<u64>| rate.map(|rate| rate as f64 / 1e6);
    let state = |index: u64| {
        let (from, to) = (1 + index * tasks, (index + 1) * tasks);
        let LinkState { profile, spec } = scenario.links()[0].at(from);
        State {
            profile: profile.clone(),
            rtt_ms: spec.round_trip_ns() as f64 / 1e6,
            loss: spec.up.loss.mean().max(spec.down.loss.mean()),
            up_mbit_s: mbit_s(spec.up.rate_bits_s),
            from,
            to,
        }
    };
    (0..count).map(state).collect()
}

/// How long a state takes over processes, in seconds; a task takes `here` on the task node.
fn state_s(task: &Task, edge: &SiteSight, cost: &CostModel, asked: &Asked<'_>, here: f64) -> f64 {
    let there = expected_latency_s(task, edge, cost) + edge.rtt_s;
    let both = match asked.part {
        Part::Grid | Part::BreakEven => there + here,
        Part::Loss | Part::Rate => there,
    };
    PROBE_S + asked.tasks as f64 * both
}
