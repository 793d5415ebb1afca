//! Trains deep Q-networks in full on the paper's setting, rebuilt from reference data, and holds them
//! against the bars of the project. `.ci/full` runs it; the data lies in the folder that
//! `FOGBIT_REFERENCE_DATA` names.
//!
//!     cargo run --release --example dqn_full [CASE]

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use fogbit::train::dqn::{average_loss, train};
use fogbit_policy::cascade::{CascadePolicy, DqnPolicy, build};
use fogbit_scenario::TopologyFile;
use fogbit_scenario::cascade::CascadeScenario;
use fogbit_scenario::topology::{BeliefCascade, CascadePolicySpec, DqnTraining, MdpCascade};

/// Images of a trial, and trials.
const IMAGES: u64 = 2_000_000;
const SEEDS: u64 = 5;

/// A setting of the paper, and what a network has to reach in it.
struct Case {
    name: &'static str,
    stream: &'static str,
    arrivals: &'static str,
    /// Average losses that the paper has for MDP and for its network, and the share of their
    /// difference by which a network has to be below the paper's MDP, where that is asked for.
    paper: Option<([f64; 2], f64)>,
    /// The share of the way from our own MDP to the optimum with the hidden state.
    share: f64,
}

const CASES: [Case; 2] = [
    Case {
        name: "outputs",
        stream: "{ spread = 0.1, reset = 0.1 }",
        arrivals: "{ kind = \"constant\" }",
        // Our MDP is better than the paper's here, .2600: 90 % of the paper's difference below it would
        // be 99 % of the way to the optimum.
        paper: Some(([0.26154, 0.25609], 0.9)),
        share: 0.9,
    },
    Case {
        name: "arrivals",
        stream: "{ spread = 1.0, reset = 1.0 }",
        arrivals: "{ kind = \"markov\", gaps = [1, 3], leave = [0.001, 0.0005] }",
        paper: None,
        share: 0.75,
    },
];

fn main() -> ExitCode {
    let Ok(data) = std::env::var("FOGBIT_REFERENCE_DATA") else {
        println!("SKIPPED: FOGBIT_REFERENCE_DATA names no folder with the reference data");
        return ExitCode::SUCCESS;
    };
    let wanted = std::env::args().nth(1);
    let cases = CASES.iter().filter(|case| wanted.as_deref().is_none_or(|name| name == case.name));
    let mut well = true;
    for case in cases {
        well &= holds(case, &data);
    }
    if well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn scenario(case: &Case, data: &str) -> CascadeScenario {
    let text = format!(
        "problem = \"cascade\"\nimages = {IMAGES}\nseeds = {{ first = 101, count = {SEEDS} }}\n\
         stream = {}\narrivals = {}\n\
         trace = {{ file = \"{data}/imagenet_fig3_trace.csv.gz\", score = \"metric\", weak_loss = 0.2984 }}\n\
         bucket = {{ rate = 0.1, depth = 4 }}\n\
         [policies.dqn]\nkind = \"dqn\"\n",
        case.stream, case.arrivals
    );
    let file = TopologyFile::from_text(&PathBuf::from("case.toml"), text);
    CascadeScenario::from_file(&file).unwrap_or_else(|faults| panic!("{faults:?}"))
}

/// Trains and plays; says what came of it, and whether the bar is reached.
fn holds(case: &Case, data: &str) -> bool {
    let scenario = scenario(case, data);
    let setting = scenario.setting();
    let how = DqnTraining {
        iterations: number("ITERATIONS").unwrap_or(4000) as u32,
        seed: number("SEED").unwrap_or(1),
        ..DqnTraining::default()
    };
    let started = Instant::now();
    let trained = train(&setting, &how, None, |_, done| {
        if let Some(verdict) = done.verdict {
            println!(
                "{}: {} of {}, loss {:.6}, average loss {:.5}, {:.1} s",
                case.name,
                done.iteration,
                how.iterations,
                done.loss,
                verdict.average_loss,
                started.elapsed().as_secs_f64()
            );
        }
        ControlFlow::Continue(())
    });
    let trained = trained.unwrap_or_else(|error| panic!("{error}"));
    let seconds = started.elapsed().as_secs_f64();
    let mdp = CascadePolicySpec::Mdp(MdpCascade::default());
    let hidden_state = CascadePolicySpec::HiddenState(BeliefCascade::default());
    let dqn = played(&scenario, || Box::new(DqnPolicy::new(trained.model.clone())));
    let [mdp, hidden_state] = [mdp, hidden_state]
        .map(|spec| played(&scenario, || build(&spec, &setting).expect("it needs no model")));
    let gained = mdp - dqn;
    let mut well = gained >= case.share * (mdp - hidden_state);
    println!(
        "{}: dqn {dqn:.5}, mdp {mdp:.5}, hidden state {hidden_state:.5}: {gained:.5} below mdp, {:.1} % \
         of the way; trained in {seconds:.1} s",
        case.name,
        100.0 * gained / (mdp - hidden_state),
    );
    if let Some(([paper_mdp, paper_dqn], share)) = case.paper {
        let below = paper_mdp - dqn;
        println!(
            "{}: {below:.5} below the paper's mdp, {:.0} % of the paper's own difference",
            case.name,
            100.0 * below / (paper_mdp - paper_dqn)
        );
        well &= below >= share * (paper_mdp - paper_dqn);
    }
    println!("{}: {}", case.name, if well { "well" } else { "NOT REACHED" });
    well
}

/// A number of the environment, to try other trainings.
fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// The mean over all seeds.
fn played(scenario: &CascadeScenario, policy: impl Fn() -> Box<dyn CascadePolicy>) -> f64 {
    let seeds = scenario.seeds();
    let losses =
        seeds.iter().map(|seed| average_loss(&scenario.instance(*seed), policy().as_mut()));
    losses.sum::<f64>() / seeds.len() as f64
}
