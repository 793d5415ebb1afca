//! What a shortened training reaches. The full one is held against its bars by the example `dqn_full`.

use std::ops::ControlFlow;

use fogbit::train::dqn::{average_loss, train};
use fogbit_policy::cascade::{CascadePolicy, DqnPolicy, build};
use fogbit_scenario::TopologyFile;
use fogbit_scenario::cascade::CascadeScenario;
use fogbit_scenario::topology::{CascadePolicySpec, DqnTraining, ThresholdCascade};

use crate::common::skip;

/// The paper's setting with correlated outputs, rebuilt from the reference data. A sixteenth of the
/// training is enough to be clearly below MDP (.2615 in the paper), whose author is told nothing of
/// the correlation.
#[test]
fn a_shortened_training_is_below_mdp() {
    let Ok(data) = std::env::var("FOGBIT_REFERENCE_DATA") else {
        return skip("a_shortened_training_is_below_mdp", "FOGBIT_REFERENCE_DATA is not set");
    };
    let text = format!(
        "problem = \"cascade\"\nimages = 1000000\nseeds = [101]\n\
         stream = {{ spread = 0.1, reset = 0.1 }}\n\
         trace = {{ file = \"{data}/imagenet_fig3_trace.csv.gz\", score = \"metric\", weak_loss = 0.2984 }}\n\
         bucket = {{ rate = 0.1, depth = 4 }}\n\
         [policies.dqn]\nkind = \"dqn\"\n"
    );
    let file = TopologyFile::from_text("case.toml".as_ref(), text);
    let scenario = CascadeScenario::from_file(&file).unwrap_or_else(|faults| panic!("{faults:?}"));
    let setting = scenario.setting();
    let how = DqnTraining { iterations: 250, images: 1_000_000, ..DqnTraining::default() };
    let trained = train(&setting, &how, None, |_, _| ControlFlow::Continue(())).unwrap();
    let instance = scenario.instance(101);
    let played = |policy: &mut dyn CascadePolicy| average_loss(&instance, policy);
    let dqn = played(&mut DqnPolicy::new(trained.model));
    let threshold = CascadePolicySpec::Threshold(ThresholdCascade::default());
    let threshold = played(build(&threshold, &setting).unwrap().as_mut());
    println!("dqn {dqn:.5}, threshold {threshold:.5}");
    assert!(dqn < 0.2600, "{dqn}");
    assert!(threshold - dqn > 0.010, "{threshold} {dqn}");
}
