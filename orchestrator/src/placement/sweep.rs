//! What the problem `placement` says of itself to be swept.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use fogbit_scenario::placement::PlacementScenario;
use fogbit_scenario::topology::{PlacementMetric, PlacementTopology, Problem, TransferModel};
use fogbit_scenario::{Faults, TopologyFile};

use super::backend::Placement;
use super::models::Models;
use super::plan::PlacementPlan;
use crate::exit::Failure;
use crate::harness::AccountOf;
use crate::harness::metric::{Known, names};
use crate::sweep::models::{KeptModels, trainings};
use crate::sweep::plan::{PointPlan, PolicyPlan};
use crate::sweep::point::{self, Figures, KeptTopology, PointFacts, SweptBackend};
use crate::sweep::problem::{CheckedPoint, Column, PointPlay, SweepProblem};
use crate::train::placement::check_models;

/// The problem `placement`.
#[derive(Debug, Clone, Copy)]
pub struct PlacementSweep;

const COLUMNS: [Column; 8] = [
    Column { name: "mean_latency_ms", whole: false },
    Column { name: "mean_regret_ms", whole: false },
    Column { name: "accuracy", whole: false },
    Column { name: "accuracy_outside_band", whole: false },
    Column { name: "offloaded", whole: true },
    Column { name: "deadline_missed", whole: true },
    Column { name: "timed_out", whole: true },
    Column { name: "refused", whole: true },
];

impl SweepProblem for PlacementSweep {
    fn problem(&self) -> Problem {
        Problem::Placement
    }

    fn counted(&self) -> [&'static str; 2] {
        ["slot", "slots"]
    }

    fn met(&self) -> &'static str {
        "tasks, loads, links"
    }

    fn metrics(&self) -> Vec<Known> {
        Known::all::<PlacementMetric>()
    }

    fn default_metric(&self) -> Known {
        Known::of(PlacementMetric::MeanRegretMs)
    }

    /// What somebody does who measures nothing.
    fn preferred<'p>(&self, policies: &'p [PolicyPlan]) -> Option<&'p PolicyPlan> {
        policies.iter().find(|policy| policy.kind == "always-offload")
    }

    fn columns(&self) -> &'static [Column] {
        &COLUMNS
    }

    fn tabled_differences(&self) -> Vec<&'static str> {
        names::<PlacementMetric>()
    }

    fn check(&self, file: &TopologyFile, wanted: &[String]) -> Result<CheckedPoint, Failure> {
        point::check::<Placement>(file, wanted)
    }

    fn trainings(&self, point: &PointPlan) -> Vec<String> {
        trainings(point, &["learned"])
    }

    fn load(
        &self,
        point: &PointPlan,
        path: &Path,
        text: &str,
    ) -> Result<Arc<dyn PointPlay>, Failure> {
        point::load::<Placement>(point, path, text)
    }
}

impl SweptBackend for Placement {
    type Topology = PlacementTopology;
    type Scenario = PlacementScenario;
    type Shared = ();

    fn read(file: &TopologyFile) -> Result<PlacementScenario, Faults> {
        PlacementScenario::from_file(file)
    }

    fn changed(topology: &PlacementTopology, path: &Path) -> Result<PlacementScenario, Faults> {
        PlacementScenario::from_topology(topology, path)
    }

    fn facts(scenario: &PlacementScenario) -> PointFacts {
        PointFacts {
            slots: scenario.slots(),
            nodes: scenario.helpers().len() as u64,
            slot_cost: slot_cost(scenario),
            is_wall: scenario.is_wall(),
            about: scenario.topology().about.clone(),
        }
    }

    fn check_models(scenario: &PlacementScenario) -> Result<(), Failure> {
        check_models(scenario)
    }

    fn kept(scenario: &PlacementScenario, models: &KeptModels) -> Result<KeptTopology, Failure> {
        let toml = scenario.resolved_toml_with(|policy| models.model(policy));
        Ok(KeptTopology { toml, files: Vec::new() })
    }

    fn prepare(
        scenario: PlacementScenario,
        (): &(),
        stop: &AtomicBool,
    ) -> Result<Placement, Failure> {
        let plan = Arc::new(PlacementPlan::new(scenario));
        let models = Arc::new(Models::prepare(&plan, true, stop)?);
        Ok(Placement { plan, models })
    }

    fn figures(&self, account: &AccountOf<Placement>) -> Figures {
        let told = account.whole().kpis();
        let count = |count: u64| Some(count as f64);
        Figures {
            slots: account.slots,
            values: vec![
                told.mean_latency_ms,
                told.mean_regret_ms,
                told.accuracy,
                told.accuracy_outside_band,
                count(told.counts.offloaded),
                count(told.counts.deadline_missed),
                count(told.counts.timed_out),
                count(told.counts.refused),
            ],
        }
    }
}

/// What a task costs on average, in some 20 ns: packets take longer than all decisions. Measured by
/// `fogbit run topologies/learned.toml --backend sim --no-decisions --policy NAME` as processor time over
/// tasks, on the machine of the README's figures: 0.4 to 0.7 us by policy. With `links.transfer` set to
/// `packets` it is 0.08 us for each KB of a task besides; the figure here is that of one of 500 KB.
fn slot_cost(scenario: &PlacementScenario) -> u64 {
    match scenario.topology().links.transfer {
        TransferModel::Packets => 2000,
        TransferModel::Fluid => 50,
    }
}
