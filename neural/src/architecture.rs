//! Which layers a model's file has: named in its metadata, or told by its tensors.

use std::collections::{BTreeMap, BTreeSet};

use crate::layer::{Dense, Layer};
use crate::model::ModelFault;
use crate::safetensors::Tensor;

/// Names of weight and bias of layer `number`.
pub(crate) fn names(number: usize) -> [String; 2] {
    [format!("net.{number}.weight"), format!("net.{number}.bias")]
}

/// The layers as text.
pub(crate) fn describe(layers: &[Layer]) -> String {
    let describe = |layer: &Layer| match layer {
        Layer::Dense(dense) => format!("dense {} {}", dense.inputs, dense.outputs),
        Layer::Relu => "relu".into(),
    };
    layers.iter().map(describe).collect::<Vec<_>>().join(", ")
}

/// The layers of a text, without their weights.
pub(crate) fn parse(text: &str) -> Result<Vec<Layer>, ModelFault> {
    let width = |text: &str| text.parse::<usize>().ok().filter(|width| *width > 0);
    let layer = |text: &str| match text.split(' ').collect::<Vec<_>>()[..] {
        ["relu"] => Some(Layer::Relu),
        ["dense", inputs, outputs] => Some(bare(width(inputs)?, width(outputs)?)),
        _ => None,
    };
    text.split(", ")
        .map(|part| layer(part).ok_or_else(|| fault(&format!("\"{part}\" is no layer"))))
        .collect()
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
