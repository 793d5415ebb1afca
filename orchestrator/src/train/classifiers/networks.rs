//! The layers of the two classifiers.

use fogbit_neural::{
    CLASSES, Conv2d, Dense, Initial, Layer, MaxPool2d, Network, PIXELS, Planes, SIDE,
};
use fogbit_scenario::draw::Key;

/// Side of the squares whose means the weak classifier sees.
pub(super) const WEAK_POOL: usize = 7;

/// Channels of the convolutions of the strong classifier.
const CHANNELS: [usize; 3] = [16, 32, 64];

/// The weak classifier: a softmax of 4 x 4 means, each of 7 x 7 pixels.
pub(super) fn weak(key: &Key) -> Network {
    let side = SIDE / WEAK_POOL;
    Network::new(&[side * side, CLASSES], key)
}

/// The strong classifier: three convolutions of 3 x 3, each followed by a ReLU and the maxima of 2 x
/// 2, and a softmax.
pub(super) fn strong(key: &Key) -> Network {
    let mut planes = Planes { channels: 1, height: SIDE, width: SIDE };
    let mut layers = Vec::new();
    for channels in CHANNELS {
        let conv = Conv2d::zeros(planes, channels, 3, 1, 1);
        let pool = MaxPool2d { inputs: Planes { channels, ..planes } };
        planes = pool.result();
        layers.extend([Layer::Conv2d(conv), Layer::Relu, Layer::MaxPool2d(pool)]);
    }
    let width = planes.channels * planes.height * planes.width;
    layers.extend([Layer::Flatten, Layer::Dense(Dense::zeros(width, CLASSES))]);
    let mut network = Network::from_layers(PIXELS, layers).expect("layers that fit");
    network.draw(Initial::HeUniform, key);
    network
}

/// Multiplications, each with an addition, that one classification takes.
pub fn multiply_adds(network: &Network) -> usize {
    let of = |layer: &Layer| match layer {
        Layer::Dense(dense) => dense.inputs * dense.outputs,
        Layer::Conv2d(conv) => {
            let places = conv.result().map_or(0, |planes| planes.height * planes.width);
            places * conv.parameters.weight.len()
        }
        _ => 0,
    };
    network.layers().iter().map(of).sum()
}
