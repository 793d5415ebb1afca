//! Backends `process` and `join`: one operating-system process a node, over QUIC. They differ only
//! in who starts the nodes.

mod children;
mod cores;
mod fleet;
mod hub;
mod live;
mod play;
mod seed;
mod targets;
mod trial;
mod trials;

use std::path::PathBuf;
use std::sync::Arc;

use fogbit_scenario::topology::PolicySpec;
use fogbit_transport::Role;
use fogbit_transport::token::Tokens;
use quinn::Endpoint;
use tokio::sync::watch;

pub(crate) use self::fleet::{Crew, CrewPlayer, Early, Fleet};
pub(crate) use self::hub::MemberHandle;
pub use self::targets::Targets;
use super::{Context, Outcome};
use crate::harness::failed_trials;
use crate::links::MeasuredLinks;
use crate::plan::{Collector, Plan, PlannedPolicy};

/// Who starts the nodes.
#[derive(Debug, Clone)]
pub enum Nodes {
    /// This process does.
    Children {
        /// Keep each process on one core.
        pin: bool,
    },
    /// Somebody else does.
    Others {
        /// How many task nodes to wait for.
        task_nodes: usize,
        /// What to tell the user while waiting.
        hint: String,
    },
}

/// What these backends need besides the context.
#[derive(Debug)]
pub struct Options {
    /// Where nodes join.
    pub endpoint: Endpoint,
    /// Authority and tokens.
    pub tokens: Tokens,
    /// Who starts the nodes.
    pub nodes: Nodes,
    /// Folder for the processes' logs.
    pub logs: PathBuf,
    /// Turns true when the run is to stop.
    pub stopped: watch::Receiver<bool>,
    /// Where the nodes' metrics are, for whoever asks.
    pub targets: Targets,
}

/// Plays all trials of the plan, and has `then` make something of the outcome while the nodes are
/// still there.
pub async fn run<T>(context: Context, options: Options, then: impl AsyncFnOnce(Outcome) -> T) -> T {
    let mut collector = Collector::new(&context.plan);
    let fleet = match Fleet::start(&crew(&context.plan), options).await {
        Ok(fleet) => fleet,
        Err(failure) => {
            let links = MeasuredLinks::default();
            return then(Outcome { collector, failure: Some(failure), links }).await;
        }
    };
    let mut run = Run { context, fleet, links: MeasuredLinks::default() };
    let played = run.play(&mut collector).await;
    let failure = match played {
        Ok(()) | Err(Early::Stopped) => failed_trials(&collector, &run.context.plan),
        Err(Early::Failed(failure)) => Some(failure),
    };
    let code = run.fleet.code(failure.as_ref());
    let made = then(Outcome { collector, failure, links: run.links }).await;
    run.fleet.end(code).await;
    made
}

/// The nodes that a plan needs.
fn crew(plan: &Plan) -> Crew {
    let player = |policy: &PlannedPolicy| CrewPlayer {
        policy: policy.name.clone(),
        external: external_folder(plan, policy),
    };
    Crew {
        run: plan.scenario.name(),
        helpers: plan.scenario.helpers().iter().map(|helper| helper.name.clone()).collect(),
        players: plan.policies.iter().map(player).collect(),
    }
}

struct Run {
    context: Context,
    fleet: Fleet,
    links: MeasuredLinks,
}

impl Run {
    async fn play(&mut self, collector: &mut Collector) -> Result<(), Early> {
        let board = Arc::clone(&self.context.board);
        self.fleet.wait_for_nodes(|stage| board.stage(stage)).await?;
        self.show_members();
        let plan = Arc::clone(&self.context.plan);
        let seeds = plan.seeds.len();
        for (number, seed) in plan.seeds.iter().enumerate() {
            let stage =
                if seeds > 1 { format!("seed {} of {seeds}", number + 1) } else { String::new() };
            self.context.board.stage(stage);
            let instance = Arc::new(plan.scenario.instance(*seed));
            self.play_seed(number as u64, instance, collector).await?;
        }
        Ok(())
    }

    /// Shows who is there.
    fn show_members(&self) {
        let board = &self.context.board;
        let hub = &self.fleet.hub;
        for (place, helper) in hub.helpers().iter().zip(self.context.plan.scenario.helpers()) {
            board.node_present(&helper.name, place.is_some());
        }
        let (helpers, task_nodes) = self.fleet.count();
        board.run().members(Role::Helper, helpers);
        board.run().members(Role::TaskNode, task_nodes);
    }
}

/// Where the task node of a policy may run programs: only where the policy is one.
fn external_folder(plan: &Plan, policy: &PlannedPolicy) -> Option<PathBuf> {
    let external = matches!(policy.spec, PolicySpec::External(_));
    // Joined with `.` an empty path is one as well.
    external.then(|| plan.scenario.folder().join("."))
}
