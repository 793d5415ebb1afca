//! What the problem `cascade` says of itself to be swept.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use fogbit_scenario::cascade::CascadeScenario;
use fogbit_scenario::topology::{CascadeMetric, CascadePolicySpec, CascadeTopology, Problem};
use fogbit_scenario::{Faults, TopologyFile};

use super::backend::Cascade;
use super::collect::kpis;
use super::metric;
use super::plan::CascadePlan;
use super::policies::Policies;
use super::tally::Tally;
use crate::exit::Failure;
use crate::harness::metric::{Known, names};
use crate::sweep::models::{KeptModels, content, trainings};
use crate::sweep::plan::{PointPlan, PolicyPlan};
use crate::sweep::point::{self, Figures, KeptTopology, PointFacts, SweptBackend};
use crate::sweep::problem::{CheckedPoint, Column, PointPlay, SweepProblem};
use crate::train::dqn::check_models;

/// The problem `cascade`.
#[derive(Debug, Clone, Copy)]
pub struct CascadeSweep;

const COLUMNS: [Column; 7] = [
    Column { name: "average_loss", whole: false },
    Column { name: "offloaded_share", whole: false },
    Column { name: "wasted_share", whole: false },
    Column { name: "offloaded", whole: true },
    Column { name: "wanted", whole: true },
    Column { name: "tokens_came", whole: false },
    Column { name: "tokens_wasted", whole: false },
];

impl SweepProblem for CascadeSweep {
    fn problem(&self) -> Problem {
        Problem::Cascade
    }

    fn counted(&self) -> [&'static str; 2] {
        ["image", "images"]
    }

    fn met(&self) -> &'static str {
        "images, arrivals"
    }

    fn metrics(&self) -> Vec<Known> {
        Known::all::<CascadeMetric>()
    }

    fn default_metric(&self) -> Known {
        Known::of(CascadeMetric::AverageLoss)
    }

    /// The baseline of the paper.
    fn preferred<'p>(&self, policies: &'p [PolicyPlan]) -> Option<&'p PolicyPlan> {
        policies.iter().find(|policy| policy.kind == "threshold")
    }

    fn columns(&self) -> &'static [Column] {
        &COLUMNS
    }

    fn tabled_differences(&self) -> Vec<&'static str> {
        names::<CascadeMetric>()
    }

    fn check(&self, file: &TopologyFile, wanted: &[String]) -> Result<CheckedPoint, Failure> {
        point::check::<Cascade>(file, wanted)
    }

    fn trainings(&self, point: &PointPlan) -> Vec<String> {
        trainings(point, &["dqn"])
    }

    fn load(
        &self,
        point: &PointPlan,
        path: &Path,
        text: &str,
    ) -> Result<Arc<dyn PointPlay>, Failure> {
        point::load::<Cascade>(point, path, text)
    }
}

impl SweptBackend for Cascade {
    type Topology = CascadeTopology;
    type Scenario = CascadeScenario;
    type Shared = ();

    fn read(file: &TopologyFile) -> Result<CascadeScenario, Faults> {
        CascadeScenario::from_file(file)
    }

    fn changed(topology: &CascadeTopology, path: &Path) -> Result<CascadeScenario, Faults> {
        CascadeScenario::from_topology(topology, path)
    }

    fn facts(scenario: &CascadeScenario) -> PointFacts {
        PointFacts {
            slots: scenario.images(),
            nodes: 1,
            slot_cost: slot_cost(scenario),
            is_wall: scenario.is_wall(),
            about: scenario.topology().about.clone(),
        }
    }

    fn check_models(scenario: &CascadeScenario) -> Result<(), Failure> {
        check_models(scenario)
    }

    fn kept(scenario: &CascadeScenario, models: &KeptModels) -> Result<KeptTopology, Failure> {
        let ending = scenario.kept_trace().trim_start_matches("trace");
        let trace = format!("trace-{}{ending}", content(&scenario.trace_file())?);
        Ok(KeptTopology {
            toml: scenario.resolved_toml_for_sim(&trace, |policy| models.model(policy)),
            files: vec![(scenario.trace_file(), trace)],
        })
    }

    fn prepare(scenario: CascadeScenario, (): &(), stop: &AtomicBool) -> Result<Cascade, Failure> {
        let policies = Policies::prepare(&scenario, true, stop)?;
        Ok(Cascade { plan: Arc::new(CascadePlan::new(scenario)), policies, pictures: None })
    }

    fn figures(&self, account: &Tally) -> Figures {
        let told = kpis(&self.plan, 0, account);
        let metrics = CascadeMetric::ALL.map(|own| metric::value(own, &told));
        let counts = [
            Some(told.counts.offloaded as f64),
            Some(told.counts.wanted as f64),
            Some(told.tokens_came),
            told.tokens_wasted,
        ];
        Figures { slots: account.images, values: [&metrics[..], &counts[..]].concat() }
    }
}

/// What an image of a policy costs on average, in some 20 ns. Measured by `fogbit run
/// topologies/cascade.toml --backend sim --no-decisions --policy NAME` as processor time over images, on
/// the machine of the README's figures: 42 to 47 ns for those that look their answer up, 0.2 us for
/// `clairvoyant`, 1.4 us for `belief` with 400 places, which it goes through one by one, and 1.3 us for
/// `dqn`.
fn slot_cost(scenario: &CascadeScenario) -> u64 {
    let cost = |spec: &CascadePolicySpec| match spec {
        CascadePolicySpec::Threshold(_)
        | CascadePolicySpec::LowerBound(_)
        | CascadePolicySpec::Mdp(_)
        | CascadePolicySpec::HiddenState(_) => 3,
        CascadePolicySpec::Clairvoyant(_) => 10,
        CascadePolicySpec::Belief(belief) => u64::from(belief.places) / 8,
        CascadePolicySpec::Dqn(_) => 80,
    };
    let (sum, count) = scenario.policies().fold((0, 0), |(sum, n), (_, s)| (sum + cost(s), n + 1));
    sum / u64::max(count, 1) + 1
}
