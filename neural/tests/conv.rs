//! Convolutions and pooling: against NumPy in double precision (`reference/conv.py`), in files, and
//! in every geometry against the plainest way.

mod common;

use common::{assert_close, floats, infer_all, key, normals, plainly, singles, wholes};
use fogbit_neural::{
    Conv2d, CrossEntropy, Dense, Initial, Layer, Loss, MaxPool2d, Metadata, Network, Parameters,
    Planes, Tape,
};
use proptest::prelude::*;
use serde_json::Value;

fn reference() -> Value {
    serde_json::from_str(include_str!("reference/conv.json")).expect("JSON")
}

/// The network of the reference.
fn network(reference: &Value) -> Network {
    let own = |number: &str| Parameters {
        weight: singles(&reference["weight"][number]),
        bias: singles(&reference["bias"][number]),
    };
    let image = |channels, height, width| Planes { channels, height, width };
    let conv = |number, inputs, outputs, kernel, stride, padding| {
        let parameters = own(number);
        Layer::Conv2d(Conv2d { inputs, outputs, kernel, stride, padding, parameters })
    };
    let layers = vec![
        conv("0", image(2, 9, 7), 5, 3, 1, 1),
        Layer::Relu,
        Layer::MaxPool2d(MaxPool2d { inputs: image(5, 9, 7) }),
        conv("3", image(5, 4, 3), 6, 3, 2, 1),
        Layer::LeakyRelu { slope: 0.1 },
        conv("5", image(6, 2, 2), 3, 2, 1, 0),
        Layer::Flatten,
        Layer::Dense(Dense { inputs: 3, outputs: 4, parameters: own("7") }),
    ];
    Network::from_layers(126, layers).expect("a network")
}

#[test]
fn outputs_loss_and_gradients_are_those_of_double_precision() {
    let reference = reference();
    let network = network(&reference);
    let (images, labels) = (singles(&reference["images"]), wholes(&reference["labels"]));
    let want = floats(&reference["outputs"]);
    assert_close(&infer_all(&network, &images), &want, 1e-6, "output of infer");
    assert_close(network.prepare().infer_batch(&images), &want, 1e-6, "output, prepared");
    let rows: Vec<u32> = (0..labels.len() as u32).collect();
    let mut tape = Tape::new(&network, rows.len() + 2);
    // Twice: what the first round left behind must not matter.
    for _ in 0..2 {
        tape.inputs(rows.len()).copy_from_slice(&images);
        tape.forward(&network);
        assert_close(tape.outputs(), &want, 1e-6, "output");
        let (outputs, slope) = tape.outputs_and_slope();
        let loss = CrossEntropy { labels: &labels }.evaluate(&rows, outputs, slope);
        assert!((loss - reference["loss"].as_f64().unwrap()).abs() < 1e-6, "loss {loss}");
        tape.backward(&network);
        for (number, own) in tape.gradients().iter().enumerate() {
            let Some(own) = own else { continue };
            let number = number.to_string();
            let want = floats(&reference["weight_gradient"][&number]);
            assert_close(&own.weight, &want, 1e-6, &format!("weight gradient of {number}"));
            let want = floats(&reference["bias_gradient"][&number]);
            assert_close(&own.bias, &want, 1e-6, &format!("bias gradient of {number}"));
        }
    }
}

/// Names and shapes are those of PyTorch, and a file is read as it was written.
#[test]
fn a_file_has_the_shapes_of_pytorch_and_is_read_again() {
    let reference = reference();
    let network = network(&reference);
    let bytes = network.to_bytes(&Metadata::new()).unwrap();
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let header: Value = serde_json::from_slice(&bytes[8..8 + length]).expect("JSON");
    assert_eq!(header["__metadata__"]["architecture"], reference["architecture"]);
    for (number, shape) in reference["shapes"].as_object().expect("shapes") {
        assert_eq!(&header[format!("net.{number}.weight")]["shape"], shape);
    }
    assert_eq!(Network::from_bytes(&bytes).unwrap().0, network);
}

#[test]
fn layers_that_are_none_are_refused() {
    let bytes = network(&reference()).to_bytes(&Metadata::new()).unwrap();
    let fault = |from: &str, to: &str| {
        assert_eq!(from.len(), to.len(), "the header keeps its length");
        let place = bytes.windows(from.len()).position(|own| own == from.as_bytes()).unwrap();
        let mut bytes = bytes.clone();
        bytes[place..place + to.len()].copy_from_slice(to.as_bytes());
        Network::from_bytes(&bytes).unwrap_err().to_string()
    };
    let no = "its architecture is no network: ";
    for (from, to) in [
        ("leaky-relu 0.1", "leaky-relu NaN"),
        ("max-pool2d 5x9x7", "max-pool2d 5x9x0"),
        ("conv2d 5x4x3 6 kernel 3 stride 2", "conv2d 5x4x3 6 kernel 3 stride 0"),
        ("conv2d 6x2x2 3 kernel 2 stride 1", "conv2d 6x2x2 3 kernel 9 stride 1"),
    ] {
        let fault = fault(from, to);
        assert!(fault.starts_with(&format!("{no}\"")) && fault.ends_with("is no layer"), "{fault}");
    }
    let pool = fault("max-pool2d 5x9x7", "max-pool2d 5x7x7");
    assert_eq!(pool, format!("{no}layer 2 does not take the 315 values that come to it"));
    let conv = fault("conv2d 5x4x3 6 kernel 3", "conv2d 5x4x3 6 kernel 2");
    assert_eq!(conv, "net.3.weight is 6x5x3x3, expected 6x5x2x2");
}

/// An image that would take all memory is no layer: the text alone must not ask for it.
#[test]
fn images_that_are_too_large_are_refused() {
    let conv = Conv2d::zeros(Planes { channels: 1, height: 4096, width: 4097 }, 1, 1, 1, 0);
    let network = Network::from_layers(4096 * 4097, vec![Layer::Conv2d(conv)]).unwrap();
    let fault = Network::from_bytes(&network.to_bytes(&Metadata::new()).unwrap()).unwrap_err();
    assert!(fault.to_string().ends_with("is no layer"), "{fault}");
}

#[test]
fn of_equal_ones_the_first_has_the_gradient() {
    let pool = MaxPool2d { inputs: Planes { channels: 1, height: 2, width: 4 } };
    let layers = vec![
        Layer::Dense(Dense {
            inputs: 1,
            outputs: 8,
            parameters: Parameters { weight: vec![0.0; 8], bias: vec![1.0; 8] },
        }),
        Layer::MaxPool2d(pool),
    ];
    let network = Network::from_layers(1, layers).unwrap();
    let mut tape = Tape::new(&network, 1);
    tape.inputs(1)[0] = 1.0;
    tape.forward(&network);
    tape.outputs_and_slope().1.copy_from_slice(&[3.0, 5.0]);
    tape.backward(&network);
    let own = tape.gradients()[0].as_ref().unwrap();
    assert_eq!(own.bias, [3.0, 0.0, 5.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
}

#[test]
fn a_small_network_of_images_learns_where_something_is() {
    // A bright spot in one of the four quarters, amid noise.
    let mut rows: Vec<f32> = normals(3, 400 * 64).iter().map(|value| 0.3 * value).collect();
    let labels: Vec<u32> = (0..400).map(|row| (row * 7 % 4) as u32).collect();
    for (image, (row, label)) in rows.chunks_exact_mut(64).zip(labels.iter().enumerate()) {
        let (y, x) = (label / 2 * 4 + row as u32 % 3, label % 2 * 4 + row as u32 % 4);
        image[(y * 8 + x) as usize] += 3.0;
    }
    let image = Planes { channels: 1, height: 8, width: 8 };
    let half = Planes { channels: 6, height: 4, width: 4 };
    let layers = vec![
        Layer::Conv2d(Conv2d::zeros(image, 6, 3, 1, 1)),
        Layer::Relu,
        Layer::MaxPool2d(MaxPool2d { inputs: Planes { channels: 6, ..image } }),
        Layer::Conv2d(Conv2d::zeros(half, 8, 3, 2, 1)),
        Layer::Relu,
        Layer::Flatten,
        Layer::Dense(Dense::zeros(32, 4)),
    ];
    let mut network = Network::from_layers(64, layers).unwrap();
    network.draw(Initial::HeUniform, &key(1));
    let loss = CrossEntropy { labels: &labels };
    let setting = fogbit_neural::Fit {
        epochs: 12,
        batch: 20,
        adam: fogbit_neural::Adam { rate: 5e-3, ..Default::default() },
    };
    let on = |_: &_, _: &_| std::ops::ControlFlow::Continue(());
    let epochs = fogbit_neural::fit(&mut network, &rows, &loss, &setting, &key(9), on).unwrap();
    assert!(epochs[11].accuracy.unwrap() > 0.97, "{epochs:?}");
}

proptest! {
    /// All that is left over at edges, in lanes and in tiles is computed too, and a convolution is
    /// the same alone, prepared and in a batch.
    #[test]
    fn every_geometry_gives_what_the_plain_sums_give(
        (channels, height, width) in (1..4usize, 1..9usize, 1..20usize),
        (outputs, kernel, stride, padding) in (1..9usize, 1..5usize, 1..4usize, 0..4usize),
        seed: u64,
    ) {
        let inputs = Planes { channels, height, width };
        let conv = Conv2d::zeros(inputs, outputs, kernel, stride, padding);
        prop_assume!(conv.result().is_some());
        let count = channels * height * width;
        let mut network = Network::from_layers(count, vec![Layer::Conv2d(conv)]).unwrap();
        network.draw(Initial::PyTorch, &key(seed));
        let images = normals(seed, 2 * count);
        let want: Vec<f64> = images
            .chunks_exact(count)
            .flat_map(|image| plainly(network.layers(), image))
            .collect();
        let alone = infer_all(&network, &images);
        assert_close(&alone, &want, 2e-6, "output of infer");
        let mut prepared = network.prepare();
        prop_assert_eq!(&prepared.infer_batch(&images), &alone);
        let mut tape = Tape::new(&network, 2);
        tape.inputs(2).copy_from_slice(&images);
        tape.forward(&network);
        assert_close(tape.outputs(), &want, 2e-6, "output");
    }
}
