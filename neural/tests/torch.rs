//! Against PyTorch: `reference/torch.json` was printed by `reference/torch_reference.py`, in double
//! precision.

mod common;

use std::path::Path;

use common::{assert_close, floats, infer_all, singles, wholes};
use fogbit_neural::{
    Adam, AdamState, CrossEntropy, Dense, Distillation, Layer, Loss, MeanSquare, Network,
    Parameters, Tape,
};
use serde_json::Value;

fn reference() -> Value {
    serde_json::from_str(include_str!("reference/torch.json")).expect("JSON")
}

/// The network of the reference.
fn network(reference: &Value) -> Network {
    let widths = wholes(&reference["widths"]);
    let mut layers = Vec::new();
    for pair in widths.windows(2) {
        if !layers.is_empty() {
            layers.push(Layer::Relu);
        }
        let parameters = Parameters {
            weight: singles(&reference["parameters"][format!("net.{}.weight", layers.len())]),
            bias: singles(&reference["parameters"][format!("net.{}.bias", layers.len())]),
        };
        let (inputs, outputs) = (pair[0] as usize, pair[1] as usize);
        layers.push(Layer::Dense(Dense { inputs, outputs, parameters }));
    }
    Network::from_layers(widths[0] as usize, layers).expect("a network")
}

/// A tape on which the rows of the reference have gone forward.
fn forward(network: &Network, reference: &Value) -> (Tape, Vec<u32>) {
    let features = singles(&reference["features"]);
    let rows = features.len() / network.inputs();
    // More room than rows: what lies beyond them must not matter.
    let mut tape = Tape::new(network, rows + 3);
    tape.inputs(rows).copy_from_slice(&features);
    tape.forward(network);
    (tape, (0..rows as u32).collect())
}

#[test]
fn outputs_are_those_of_pytorch() {
    let reference = reference();
    let network = network(&reference);
    let want = floats(&reference["outputs"]);
    assert_close(forward(&network, &reference).0.outputs(), &want, 1e-6, "output");
    let one_by_one = infer_all(&network, &singles(&reference["features"]));
    assert_close(&one_by_one, &want, 1e-6, "output of infer");
}

/// Loss and gradients of the reference under `name`.
fn check_loss(name: &str, loss: &dyn Loss, reference: &Value) {
    let network = network(reference);
    let (mut tape, rows) = forward(&network, reference);
    let (outputs, slope) = tape.outputs_and_slope();
    loss.check(rows.len(), network.outputs()).expect("targets fit");
    let value = loss.evaluate(&rows, outputs, slope);
    let want = reference[name]["loss"].as_f64().expect("a number");
    assert!((value - want).abs() < 1e-6 * want.max(1.0), "{name}: {value}, expected {want}");
    tape.backward(&network);
    for (layer, gradients) in tape.gradients().iter().enumerate() {
        let Some(gradients) = gradients else { continue };
        let want = &reference[name]["gradients"];
        for (part, got) in [("weight", &gradients.weight), ("bias", &gradients.bias)] {
            let part = format!("net.{layer}.{part}");
            assert_close(got, &floats(&want[&part]), 1e-6, &format!("{name} {part}"));
        }
    }
}

#[test]
fn cross_entropy_and_its_gradients_are_those_of_pytorch() {
    let reference = reference();
    let labels = wholes(&reference["labels"]);
    check_loss("cross_entropy", &CrossEntropy { labels: &labels }, &reference);
}

#[test]
fn mean_square_and_its_gradients_are_those_of_pytorch() {
    let reference = reference();
    let targets = singles(&reference["targets"]);
    check_loss("mean_square", &MeanSquare { targets: &targets }, &reference);
}

#[test]
fn distillation_and_its_gradients_are_those_of_pytorch() {
    let reference = reference();
    let number = |name: &str| reference[name].as_f64().expect("a number") as f32;
    let loss = Distillation {
        labels: &wholes(&reference["labels"]),
        teacher: &singles(&reference["teacher"]),
        temperature: number("temperature"),
        soft: number("soft"),
        hard: number("hard"),
    };
    check_loss("distillation", &loss, &reference);
}

#[test]
fn three_steps_of_adam_are_those_of_pytorch() {
    let reference = reference();
    let mut network = network(&reference);
    let labels = wholes(&reference["labels"]);
    let loss = CrossEntropy { labels: &labels };
    let want = &reference["adam"];
    let adam = Adam { rate: want["rate"].as_f64().expect("a number"), ..Adam::default() };
    let mut state = AdamState::new(&network);
    for want in floats(&want["losses"]) {
        let (mut tape, rows) = forward(&network, &reference);
        let (outputs, slope) = tape.outputs_and_slope();
        let value = loss.evaluate(&rows, outputs, slope);
        assert!((value - want).abs() < 1e-6, "loss {value}, expected {want}");
        tape.backward(&network);
        adam.step(&mut network, tape.gradients(), &mut state);
    }
    for (layer, own) in network.layers().iter().enumerate() {
        let Some(own) = own.parameters() else { continue };
        for (part, got) in [("weight", &own.weight), ("bias", &own.bias)] {
            let part = format!("net.{layer}.{part}");
            assert_close(got, &floats(&want["parameters"][&part]), 3e-7, &part);
        }
    }
}

#[test]
fn a_model_that_pytorch_wrote_is_read() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference/torch.safetensors");
    let (network, metadata) = Network::load(&path).expect("a model");
    assert_eq!(network.layers().len(), 3);
    network.expect_ends(3, 2).expect("3 inputs and 2 outputs");
    assert_eq!(metadata.into_iter().collect::<Vec<_>>(), [("features".into(), "a,b,c".into())]);
    let file = &reference()["file"];
    let outputs = infer_all(&network, &singles(&file["row"]));
    assert_close(&outputs, &floats(&file["outputs"]), 1e-6, "output");
}
