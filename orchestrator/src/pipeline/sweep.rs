//! What the problem `pipeline` says of itself to be swept.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use fogbit_scenario::pipeline::PipelineScenario;
use fogbit_scenario::topology::{
    PipelineMetric, PipelinePolicySpec, PipelineTopology, Problem, SearchMethod,
};
use fogbit_scenario::{Faults, TopologyFile};

use super::backend::Pipeline;
use super::labels::Labels;
use super::metric;
use super::plan::PipelinePlan;
use super::policies::Policies;
use super::timing::RunTimes;
use crate::exit::Failure;
use crate::harness::AccountOf;
use crate::harness::metric::{Known, names};
use crate::sweep::models::{KeptModels, trainings};
use crate::sweep::plan::{PointPlan, PolicyPlan};
use crate::sweep::point::{self, Figures, KeptTopology, PointFacts, SweptBackend};
use crate::sweep::problem::{CheckedPoint, Column, PointPlay, SweepProblem};
use crate::train::pipeline::check_models;

/// The problem `pipeline`.
#[derive(Debug, Clone, Copy)]
pub struct PipelineSweep;

const COLUMNS: [Column; 9] = [
    Column { name: "delay_ratio", whole: false },
    Column { name: "mean_delay_ms", whole: false },
    Column { name: "label_accuracy", whole: false },
    Column { name: "exact_match", whole: false },
    Column { name: "optimal_share", whole: false },
    Column { name: "sub_tasks", whole: true },
    Column { name: "as_label", whole: true },
    Column { name: "exact", whole: true },
    Column { name: "optimal", whole: true },
];

impl SweepProblem for PipelineSweep {
    fn problem(&self) -> Problem {
        Problem::Pipeline
    }

    fn counted(&self) -> [&'static str; 2] {
        ["application", "applications"]
    }

    fn met(&self) -> &'static str {
        "applications, sites, links"
    }

    fn metrics(&self) -> Vec<Known> {
        Known::all::<PipelineMetric>()
    }

    fn default_metric(&self) -> Known {
        Known::of(PipelineMetric::DelayRatio)
    }

    /// The heuristic that needs neither search nor training.
    fn preferred<'p>(&self, policies: &'p [PolicyPlan]) -> Option<&'p PolicyPlan> {
        policies.iter().find(|policy| policy.kind == "greedy")
    }

    fn columns(&self) -> &'static [Column] {
        &COLUMNS
    }

    fn tabled_differences(&self) -> Vec<&'static str> {
        names::<PipelineMetric>()
    }

    fn check(&self, file: &TopologyFile, wanted: &[String]) -> Result<CheckedPoint, Failure> {
        point::check::<Pipeline>(file, wanted)
    }

    fn trainings(&self, point: &PointPlan) -> Vec<String> {
        trainings(point, &["imitation", "distilled"])
    }

    fn load(
        &self,
        point: &PointPlan,
        path: &Path,
        text: &str,
    ) -> Result<Arc<dyn PointPlay>, Failure> {
        point::load::<Pipeline>(point, path, text)
    }
}

impl SweptBackend for Pipeline {
    type Topology = PipelineTopology;
    type Scenario = PipelineScenario;
    /// The best placements, which all policies are held against.
    type Shared = Labels;

    fn read(file: &TopologyFile) -> Result<PipelineScenario, Faults> {
        PipelineScenario::from_file(file)
    }

    fn changed(topology: &PipelineTopology, path: &Path) -> Result<PipelineScenario, Faults> {
        PipelineScenario::from_topology(topology, path)
    }

    fn facts(scenario: &PipelineScenario) -> PointFacts {
        PointFacts {
            slots: scenario.applications(),
            nodes: scenario.sites().len() as u64 - 1,
            slot_cost: slot_cost(scenario),
            is_wall: scenario.is_wall(),
            about: scenario.topology().about.clone(),
        }
    }

    fn check_models(scenario: &PipelineScenario) -> Result<(), Failure> {
        check_models(scenario)
    }

    fn kept(scenario: &PipelineScenario, models: &KeptModels) -> Result<KeptTopology, Failure> {
        let toml = scenario.resolved_toml_with(|policy| models.model(policy));
        Ok(KeptTopology { toml, files: Vec::new() })
    }

    fn prepare(
        scenario: PipelineScenario,
        labels: &Labels,
        stop: &AtomicBool,
    ) -> Result<Pipeline, Failure> {
        let plan = Arc::new(PipelinePlan::new(scenario));
        let policies = Policies::prepare(&plan, true, stop)?;
        // Sweeps do not tell how long decisions take: many are played at once.
        let times = RunTimes { policies: Vec::new(), exhaustive: None, placements: 0.0 };
        Ok(Pipeline { plan, policies, times: Arc::new(times), labels: labels.clone() })
    }

    fn figures(&self, account: &AccountOf<Pipeline>) -> Figures {
        let told = account.kpis(self.plan.scenario.sites().len());
        let metrics = PipelineMetric::ALL.map(|own| metric::value(own, &told));
        let counts =
            [told.counts.sub_tasks, told.counts.as_label, told.counts.exact, told.counts.optimal]
                .map(|count| Some(count as f64));
        let values = [&metrics[..], &counts[..]].concat();
        Figures { slots: told.counts.applications, values }
    }
}

/// What an application costs on average, in some 20 ns, its label included. Measured by `fogbit run
/// topologies/pipeline.toml --backend sim --no-decisions --policy NAME` as processor time over
/// applications, on the machine of the README's figures, where decisions are timed for 0.4 s besides: with
/// a fixed rule 12 us, most of it for the label; above that 4 us for branch and bound, 13 us for the
/// network of `teacher`, little for a small one, and 1.7 ms for exhaustive search over 6,561 placements.
/// Applications that are harder to label than these are why the figures here are up to twice that.
fn slot_cost(scenario: &PipelineScenario) -> u64 {
    const LABEL: u64 = 1000;
    let cost = |spec: &PipelinePolicySpec| match spec {
        PipelinePolicySpec::Search(search) if search.method == SearchMethod::Exhaustive => 160_000,
        PipelinePolicySpec::Search(_) => LABEL,
        PipelinePolicySpec::Imitation(_) => 1000,
        PipelinePolicySpec::Distilled(_) => 50,
        _ => 20,
    };
    let (sum, count) = scenario.policies().fold((0, 0), |(sum, n), (_, s)| (sum + cost(s), n + 1));
    LABEL + sum / u64::max(count, 1)
}
