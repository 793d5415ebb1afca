//! Which layers a model's file has: named in its metadata, or told by its tensors.

use std::collections::{BTreeMap, BTreeSet};

use crate::conv::{Conv2d, MaxPool2d, Planes};
use crate::layer::{Dense, Layer};
use crate::model::ModelFault;
use crate::safetensors::Tensor;

/// Names of weight and bias of layer `number`.
pub(crate) fn names(number: usize) -> [String; 2] {
    [format!("net.{number}.weight"), format!("net.{number}.bias")]
}

/// The layers as text.
pub(crate) fn describe(layers: &[Layer]) -> String {
    let planes = |Planes { channels, height, width }| format!("{channels}x{height}x{width}");
    let describe = |layer: &Layer| match layer {
        Layer::Dense(dense) => format!("dense {} {}", dense.inputs, dense.outputs),
        Layer::Relu => "relu".into(),
        Layer::LeakyRelu { slope } => format!("leaky-relu {slope}"),
        Layer::Conv2d(conv) => {
            let Conv2d { inputs, outputs, kernel, stride, padding, .. } = conv;
            let inputs = planes(*inputs);
            format!("conv2d {inputs} {outputs} kernel {kernel} stride {stride} padding {padding}")
        }
        Layer::MaxPool2d(pool) => format!("max-pool2d {}", planes(pool.inputs)),
        Layer::Flatten => "flatten".into(),
    };
    layers.iter().map(describe).collect::<Vec<_>>().join(", ")
}

/// The layers of a text, without their weights.
pub(crate) fn parse(text: &str) -> Result<Vec<Layer>, ModelFault> {
    let layer = |text: &str| match text.split(' ').collect::<Vec<_>>()[..] {
        ["relu"] => Some(Layer::Relu),
        ["leaky-relu", slope] => {
            let slope = slope.parse().ok().filter(|slope: &f32| slope.is_finite())?;
            Some(Layer::LeakyRelu { slope })
        }
        ["flatten"] => Some(Layer::Flatten),
        ["dense", inputs, outputs] => Some(bare(width(inputs)?, width(outputs)?)),
        ["max-pool2d", inputs] => Some(Layer::MaxPool2d(MaxPool2d { inputs: planes(inputs)? })),
        ["conv2d", inputs, outputs, "kernel", kernel, "stride", stride, "padding", padding] => {
            convolution([inputs, outputs, kernel, stride, padding])
        }
        _ => None,
    };
    text.split(", ")
        .map(|part| layer(part).ok_or_else(|| fault(&format!("\"{part}\" is no layer"))))
        .collect()
}

/// The most values that an image of a file may have: what a text says must not take memory.
const LARGEST_IMAGE: usize = 1 << 24;

fn width(text: &str) -> Option<usize> {
    text.parse().ok().filter(|width| *width > 0)
}

fn planes(text: &str) -> Option<Planes> {
    let &[channels, height, width] = &text.split('x').map(width).collect::<Vec<_>>()[..] else {
        return None;
    };
    let planes = Planes { channels: channels?, height: height?, width: width? };
    small(planes).then_some(planes)
}

fn small(planes: Planes) -> bool {
    planes.values().is_some_and(|values| values <= LARGEST_IMAGE)
}

/// A convolution whose weights are still to come.
fn convolution([inputs, outputs, kernel, stride, padding]: [&str; 5]) -> Option<Layer> {
    let conv = Conv2d {
        inputs: planes(inputs)?,
        outputs: width(outputs)?,
        kernel: width(kernel)?,
        stride: width(stride)?,
        padding: padding.parse().ok()?,
        parameters: Default::default(),
    };
    conv.result().is_some_and(small).then_some(Layer::Conv2d(conv))
}

/// The layers of a file that does not name them: a dense layer for each weight, and ReLU where a
/// number has none.
pub(crate) fn guess(tensors: &BTreeMap<String, Tensor<'_>>) -> Result<Vec<Layer>, ModelFault> {
    let number = |name: &str| name.strip_prefix("net.")?.strip_suffix(".weight")?.parse().ok();
    let numbers: BTreeSet<usize> = tensors.keys().filter_map(|name| number(name)).collect();
    let mut layers = Vec::new();
    let mut width = None;
    for number in numbers {
        match number - layers.len() {
            0 => {}
            1 => layers.push(Layer::Relu),
            _ => return Err(ModelFault::MissingTensor(names(layers.len() + 1)[0].clone())),
        }
        let name = names(number)[0].clone();
        let Some(Tensor { shape, .. }) = tensors.get(&name) else {
            return Err(ModelFault::UnexpectedTensor(name));
        };
        let &[outputs, inputs] = &shape[..] else {
            return Err(fault(&format!("{name} is {}, expected two sides", sides(shape))));
        };
        layers.push(bare(width.unwrap_or(inputs), outputs));
        width = Some(outputs);
    }
    if layers.is_empty() {
        return Err(ModelFault::MissingTensor(names(0)[0].clone()));
    }
    Ok(layers)
}

/// A dense layer whose weights are still to come: what a text says must not take memory.
fn bare(inputs: usize, outputs: usize) -> Layer {
    Layer::Dense(Dense { inputs, outputs, parameters: Default::default() })
}

/// An architecture that makes no network, and why.
pub(crate) fn fault(reason: &str) -> ModelFault {
    ModelFault::Architecture(reason.into())
}

/// A shape as one writes it.
pub(crate) fn sides(shape: &[usize]) -> String {
    shape.iter().map(usize::to_string).collect::<Vec<_>>().join("x")
}
