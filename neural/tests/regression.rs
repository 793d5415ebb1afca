//! Steps towards targets that change: against NumPy in double precision
//! (`reference/regression.py`), and interrupted against uninterrupted.

mod common;

use common::{assert_close, floats, key, normals, singles, wholes};
use fogbit_neural::{
    Adam, AdamState, Checkpoint, Dense, Initial, Layer, Metadata, Network, Parameters, Regression,
};
use serde_json::Value;

fn reference() -> Value {
    serde_json::from_str(include_str!("reference/regression.json")).expect("JSON")
}

fn network(reference: &Value) -> Network {
    let widths: Vec<_> = wholes(&reference["widths"]).iter().map(|own| *own as usize).collect();
    let slope = reference["slope"].as_f64().expect("a number") as f32;
    let mut layers = Vec::new();
    for (own, pair) in
        reference["parameters"].as_array().expect("layers").iter().zip(widths.windows(2))
    {
        if !layers.is_empty() {
            layers.push(Layer::LeakyRelu { slope });
        }
        let parameters =
            Parameters { weight: singles(&own["weight"]), bias: singles(&own["bias"]) };
        layers.push(Layer::Dense(Dense { inputs: pair[0], outputs: pair[1], parameters }));
    }
    Network::from_layers(widths[0], layers).expect("a network")
}

#[test]
fn steps_with_changing_rates_are_those_of_double_precision() {
    let reference = reference();
    let mut network = network(&reference);
    // More room than rows: what lies beyond them must not matter.
    let mut regression = Regression::new(&network, 20);
    for (number, step) in reference["steps"].as_array().expect("steps").iter().enumerate() {
        let (inputs, targets) = (singles(&step["inputs"]), singles(&step["targets"]));
        let outputs = network.prepare().infer_batch(&inputs).to_vec();
        assert_close(
            &outputs,
            &floats(&step["outputs"]),
            2e-6,
            &format!("output of step {number}"),
        );
        let rate = step["rate"].as_f64().expect("a number");
        let loss =
            regression.step(&mut network, &Adam { rate, ..Adam::default() }, &inputs, &targets);
        let want = step["loss"].as_f64().expect("a number");
        assert!((loss - want).abs() < 1e-6 * want, "loss {loss}, expected {want}");
        let layers = network.layers().iter().filter_map(Layer::parameters);
        for (own, want) in layers.zip(step["parameters"].as_array().expect("layers")) {
            assert_close(&own.weight, &floats(&want["weight"]), 2e-6, "weight");
            assert_close(&own.bias, &floats(&want["bias"]), 2e-6, "bias");
        }
    }
    assert_eq!(regression.state().steps(), 4);
}

fn start() -> Network {
    let leaky = Layer::LeakyRelu { slope: 0.2 };
    Network::dense(&[10, 24, 24, 7], &leaky, Initial::HeUniform, &key(1))
}

/// Steps `from` to `to`, each with rows, targets and a rate of its own.
fn train(network: &mut Network, regression: &mut Regression, from: u64, to: u64) -> Vec<f64> {
    let step = |number: u64| {
        let adam = Adam { rate: 1e-2 / (1 + number) as f64, ..Adam::default() };
        regression.step(network, &adam, &normals(number, 160), &normals(100 + number, 112))
    };
    (from..to).map(step).collect()
}

#[test]
fn who_is_interrupted_goes_on_bit_by_bit_as_who_is_not() {
    let mut whole = start();
    let mut regression = Regression::new(&whole, 16);
    let losses = train(&mut whole, &mut regression, 0, 20);

    let mut network = start();
    let mut first = Regression::new(&network, 16);
    let mut again = train(&mut network, &mut first, 0, 9);
    let metadata: Metadata = [("rate".to_owned(), "0.001".to_owned())].into();
    let checkpoint = Checkpoint { network, state: first.state().clone(), metadata };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoint.safetensors");
    checkpoint.save(&path).unwrap();
    let read = Checkpoint::load(&path).unwrap();
    assert_eq!(read, checkpoint);

    let Checkpoint { mut network, state, .. } = read;
    assert_eq!(state.steps(), 9);
    let mut second = Regression::resume(&network, 16, state);
    again.extend(train(&mut network, &mut second, 9, 20));
    assert_eq!(again, losses);
    assert_eq!(network, whole);
    assert_eq!(second.state(), regression.state());
    // And it is the moments that make it so.
    let mut forgetful = checkpoint.network;
    let mut third = Regression::new(&forgetful, 16);
    train(&mut forgetful, &mut third, 9, 20);
    assert_ne!(forgetful, whole);
}

#[test]
fn files_that_are_no_checkpoints_say_so() {
    let network = start();
    let model = network.to_bytes(&Metadata::new()).unwrap();
    let fault = Checkpoint::from_bytes(&model).unwrap_err().to_string();
    assert_eq!(fault, "the entry \"adam.steps\" of its metadata is missing or no whole number");
    let metadata = [("adam.steps".to_owned(), "3".to_owned())].into();
    let fault = Checkpoint::from_bytes(&network.to_bytes(&metadata).unwrap()).unwrap_err();
    assert_eq!(fault.to_string(), "adam.first.0.weight is missing");
    let state = AdamState::new(&network);
    let checkpoint = Checkpoint { network, state, metadata: Metadata::new() };
    let bytes = checkpoint.to_bytes().unwrap();
    let fault = Network::from_bytes(&bytes).unwrap_err().to_string();
    assert_eq!(fault, "adam.first.0.bias belongs to no layer");
    assert!(Checkpoint::from_bytes(&bytes[..bytes.len() - 1]).is_err());
}

#[test]
#[should_panic(expected = "targets of 2 rows")]
fn targets_of_other_rows_are_refused() {
    let mut network = start();
    let mut regression = Regression::new(&network, 4);
    regression.step(&mut network, &Adam::default(), &[0.0; 20], &[0.0; 7]);
}

/// The activation and its slope are part of the file.
#[test]
fn a_leaky_network_is_read_as_it_was_written() {
    let network = start();
    let bytes = network.to_bytes(&Metadata::new()).unwrap();
    let text = "\"dense 10 24, leaky-relu 0.2, dense 24 24, leaky-relu 0.2, dense 24 7\"";
    assert!(String::from_utf8_lossy(&bytes).contains(text));
    assert_eq!(Network::from_bytes(&bytes).unwrap().0, network);
}
