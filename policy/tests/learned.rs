//! `learned`: what its model sees, whom it chooses, and which files are no model of it.

use std::sync::Arc;

use fogbit_neural::{Dense, Layer, Metadata, Network, Parameters, Standardiser};
use fogbit_policy::placement::{DecisionModel, DecisionModelError, LearnedPolicy, PlacementPolicy};
use fogbit_scenario::placement::{Site, SiteSight, Task};
use fogbit_scenario::topology::{PlacementFeatures, PlacementUnits};

const TASK: Task = Task { cycles: 5, input_bytes: 3000, output_bytes: 0 };

/// One layer whose "offload" is `weights` times the row plus `bias`, and whose "local" is 0.
fn network(weights: [f32; 4], bias: f32) -> Network {
    let weight = [[0.0; 4], weights].concat();
    let parameters = Parameters { weight, bias: vec![0.0, bias] };
    Network::from_layers(4, vec![Layer::Dense(Dense { inputs: 4, outputs: 2, parameters })])
        .expect("a network")
}

fn raw(weights: [f32; 4], bias: f32) -> DecisionModel {
    let network = network(weights, bias);
    let (features, units) = (PlacementFeatures::Raw, PlacementUnits::Fixed);
    DecisionModel::new(network, features, units, None, Metadata::new()).expect("a model")
}

fn sights(load: f64, rtts: &[f64]) -> Vec<SiteSight> {
    let mut sights = vec![SiteSight::local(1e9, load)];
    sights.extend(rtts.iter().map(|rtt| SiteSight { rtt_s: *rtt, ..SiteSight::local(1e10, 0.0) }));
    sights
}

fn choice(model: DecisionModel, sights: &[SiteSight]) -> (Site, Vec<f64>) {
    let mut policy = LearnedPolicy::new(Arc::new(model), sights.len());
    (policy.decide(1, &TASK, sights), policy.predictions().to_vec())
}

/// The rows of the documentation: input in KB, cycles, round trip in seconds, load.
#[test]
fn rows_are_as_documented() {
    let sights = sights(0.75, &[0.5]);
    let row = |kind| DecisionModel::row(kind, &TASK, &sights[0], &sights[1]);
    assert_eq!(row(PlacementFeatures::Raw), [3.0, 5.0, 0.5, 0.75]);
    assert_eq!(row(PlacementFeatures::Standardised), [3.0, 5.0, 0.5, 0.75]);
    // ln 5 and ln 0.25, from tables.
    let known = [3.0, 1.609_437_912_434_100_3, 0.5, -1.386_294_361_119_890_6];
    for (found, known) in row(PlacementFeatures::Logarithmic).into_iter().zip(known) {
        assert!((found - known).abs() < 1e-15, "{found} {known}");
    }
}

/// With "offload" = 1 - 10 rtt: from 0.1 s on a task stays.
#[test]
fn the_helper_node_with_the_largest_margin_is_chosen() {
    let model = || raw([0.0, 0.0, -10.0, 0.0], 1.0);
    let (site, against) = choice(model(), &sights(0.0, &[0.05, 0.025, 0.5]));
    assert_eq!(site, Site::Helper(1));
    for (found, known) in against.iter().zip([0.0, -0.5, -0.75, 4.0]) {
        assert!((found - known).abs() < 1e-6, "{against:?}");
    }
    assert_eq!(choice(model(), &sights(0.0, &[0.2, 0.3])).0, Site::Local);
    // Who cannot tell keeps the task, and of equal helper nodes the first is taken.
    assert_eq!(choice(raw([0.0; 4], 0.0), &sights(0.0, &[0.1])).0, Site::Local);
    assert_eq!(choice(raw([0.0; 4], 1.0), &sights(0.0, &[0.1, 0.1])).0, Site::Helper(0));
}

/// (0.75 - 0.5) / 0.125 = 2 by the load alone: mean and deviation of 3/8, 5/8, and of 0 otherwise.
#[test]
fn features_are_on_the_scale_of_the_training() {
    let rows = [0.0, 0.0, 0.0, 0.375, 0.0, 0.0, 0.0, 0.625];
    let standardiser = Some(Standardiser::fit(&rows, 4));
    let (features, units) = (PlacementFeatures::Standardised, PlacementUnits::Fixed);
    let network = network([0.0, 0.0, 0.0, 1.0], 0.0);
    let model = DecisionModel::new(network, features, units, standardiser, Metadata::new());
    let bytes = model.expect("a model").to_bytes().expect("finite weights");
    let model = DecisionModel::from_bytes(&bytes).expect("the same model");
    assert_eq!(model.to_bytes().expect("finite weights"), bytes);
    let (site, against) = choice(model, &sights(0.75, &[0.1]));
    assert_eq!((site, against), (Site::Helper(0), vec![0.0, -2.0]));
}

#[test]
fn other_models_are_refused() {
    let fault = |metadata: &[(&str, &str)], network: Network| {
        let own = metadata.iter().map(|(entry, text)| ((*entry).into(), (*text).into()));
        let bytes = network.to_bytes(&own.collect()).expect("bytes");
        DecisionModel::from_bytes(&bytes).expect_err("no model").to_string()
    };
    let network = || network([0.0; 4], 0.0);
    let own = [("problem", "placement"), ("units", "fixed")];
    let with = |kind| [own[0], own[1], ("features", kind)];
    assert!(fault(&[], network()).contains("\"problem\""));
    assert!(fault(&[("problem", "cascade")], network()).contains("\"cascade\", expected"));
    assert!(fault(&own, network()).contains("\"features\""));
    let told = fault(&with("polynomial"), network());
    assert!(told.contains("polynomial") && told.contains("\"logarithmic\""), "{told}");
    assert!(fault(&with("standardised"), network()).contains("standardiser"));
    let three = Dense::zeros(3, 2);
    let three = Network::from_layers(3, vec![Layer::Dense(three)]).expect("a network");
    let told = fault(&with("raw"), three);
    assert!(told.contains("takes 3 values and gives 2, expected 4 and 2"), "{told}");
    let cut = raw([0.0; 4], 0.0).to_bytes().expect("bytes");
    let error = DecisionModel::from_bytes(&cut[..cut.len() - 1]).expect_err("cut off");
    assert!(matches!(error, DecisionModelError::Network(_)), "{error}");
}
