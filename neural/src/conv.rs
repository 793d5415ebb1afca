//! Convolution and pooling of images, `[channels, height, width]` as in PyTorch.
//!
//! A convolution is a product: of its weights, `[outputs, channels * kernel * kernel]`, and a matrix
//! with a line for each weight (which value of the image it meets) and a column for each place of
//! the result.

use crate::layer::Parameters;
use crate::product::{Finish, Left, Packed, Product, Rounding};
use crate::vector::run;

/// The shape of an image; its values lie channel by channel, each row by row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Planes {
    /// Channels.
    pub channels: usize,
    /// Rows of a channel.
    pub height: usize,
    /// Values in a row.
    pub width: usize,
}

impl Planes {
    /// How many values that are; `None` if nobody could count them.
    pub fn values(&self) -> Option<usize> {
        self.channels.checked_mul(self.height)?.checked_mul(self.width)
    }

    /// Values of one channel.
    pub(crate) fn area(&self) -> usize {
        self.height * self.width
    }
}

/// A convolution with a square kernel, as PyTorch's `nn.Conv2d`: beyond the image there are zeros.
#[derive(Debug, Clone, PartialEq)]
pub struct Conv2d {
    /// The images that go in.
    pub inputs: Planes,
    /// Channels that come out.
    pub outputs: usize,
    /// Side of the kernel.
    pub kernel: usize,
    /// How far the kernel moves from one place to the next.
    pub stride: usize,
    /// How many zeros there are on each side.
    pub padding: usize,
    /// Weights `[outputs, channels, kernel, kernel]`, and a bias for each output.
    pub parameters: Parameters,
}

impl Conv2d {
    /// A convolution of zeros.
    pub fn zeros(
        inputs: Planes,
        outputs: usize,
        kernel: usize,
        stride: usize,
        padding: usize,
    ) -> Conv2d {
        let weight = vec![0.0; outputs * inputs.channels * kernel * kernel];
        let parameters = Parameters { weight, bias: vec![0.0; outputs] };
        Conv2d { inputs, outputs, kernel, stride, padding, parameters }
    }

    /// The images that come out, if the kernel fits on those that go in.
    pub fn result(&self) -> Option<Planes> {
        let side = |side: usize| {
            let room = side.checked_add(self.padding.checked_mul(2)?)?.checked_sub(self.kernel)?;
            Some(room.checked_div(self.stride)? + 1)
        };
        if self.kernel == 0 {
            return None;
        }
        let (height, width) = (side(self.inputs.height)?, side(self.inputs.width)?);
        Some(Planes { channels: self.outputs, height, width })
    }

    /// Weights of one output.
    pub(crate) fn fan_in(&self) -> usize {
        self.inputs.channels * self.kernel * self.kernel
    }

    fn known_result(&self) -> Planes {
        self.result().expect("a network is made of layers that fit")
    }

    /// What one image gives.
    pub(crate) fn forward(
        &self,
        image: &[f32],
        rounding: Rounding,
        room: &mut ConvRoom,
        y: &mut [f32],
    ) {
        let area = self.known_result().area();
        room.line.resize(area, 0.0);
        room.packed.reshape(self.fan_in(), area);
        for line in 0..self.fan_in() {
            self.gather(image, line, &mut room.line);
            room.packed.set_row(line, &room.line);
        }
        for (row, bias) in y.chunks_exact_mut(area).zip(&self.parameters.bias) {
            row.fill(*bias);
        }
        let left = Left::Rows(&self.parameters.weight);
        let (rows, right, finish) = (self.outputs, room.packed.right(), Finish::Add);
        Product { rows, left, right, result: y, finish, rounding }.compute();
    }

    /// Adds the gradients that one image leaves, where `slope` is that of what it gave.
    pub(crate) fn add_gradient(
        &self,
        image: &[f32],
        slope: &[f32],
        room: &mut ConvRoom,
        gradient: &mut Parameters,
    ) {
        let area = self.known_result().area();
        room.line.resize(area, 0.0);
        room.packed.reshape(area, self.fan_in());
        for line in 0..self.fan_in() {
            self.gather(image, line, &mut room.line);
            room.packed.set_column(line, &room.line);
        }
        let (left, right, rounding) = (Left::Rows(slope), room.packed.right(), Rounding::Fused);
        let (result, finish) = (&mut gradient.weight[..], Finish::Add);
        Product { rows: self.outputs, left, right, result, finish, rounding }.compute();
        for (row, sum) in slope.chunks_exact(area).zip(&mut gradient.bias) {
            *sum += sum_lanes(row);
        }
    }

    /// The gradient of the image itself.
    pub(crate) fn input_gradient(&self, slope: &[f32], room: &mut ConvRoom, before: &mut [f32]) {
        let area = self.known_result().area();
        room.packed.pack(slope, self.outputs, area);
        room.lines.resize(self.fan_in() * area, 0.0);
        let left = Left::Columns(&self.parameters.weight);
        let (right, result) = (room.packed.right(), &mut room.lines[..]);
        let (finish, rounding) = (Finish::Store, Rounding::Fused);
        Product { rows: self.fan_in(), left, right, result, finish, rounding }.compute();
        before.fill(0.0);
        for (line, values) in room.lines.chunks_exact(area).enumerate() {
            self.scatter(values, line, before);
        }
    }

    /// Writes for each place of the result which value of the image weight `line` of an output meets.
    fn gather(&self, image: &[f32], line: usize, values: &mut [f32]) {
        let reach = Reach::new(self, line);
        for (y, row) in values.chunks_exact_mut(reach.result.width).enumerate() {
            let Some(own) = reach.row(y).map(|place| &image[place..][..self.inputs.width]) else {
                row.fill(0.0);
                continue;
            };
            row[..reach.begin].fill(0.0);
            row[reach.end..].fill(0.0);
            let row = &mut row[reach.begin..reach.end];
            if row.is_empty() {
                continue;
            }
            let own = &own[reach.first..];
            if self.stride == 1 {
                row.copy_from_slice(&own[..row.len()]);
            } else {
                for (value, own) in row.iter_mut().zip(own.iter().step_by(self.stride)) {
                    *value = *own;
                }
            }
        }
    }

    /// Adds the values of a line to the places of the image that [`Conv2d::gather`] took them from.
    fn scatter(&self, values: &[f32], line: usize, image: &mut [f32]) {
        let reach = Reach::new(self, line);
        for (y, row) in values.chunks_exact(reach.result.width).enumerate() {
            let row = &row[reach.begin..reach.end];
            let Some(place) = reach.row(y).filter(|_| !row.is_empty()) else { continue };
            let own = &mut image[place..][..self.inputs.width][reach.first..];
            if self.stride == 1 {
                for (own, value) in own.iter_mut().zip(row) {
                    *own += value;
                }
            } else {
                for (own, value) in own.iter_mut().step_by(self.stride).zip(row) {
                    *own += value;
                }
            }
        }
    }
}

/// Which places of an image one weight of a kernel meets.
struct Reach<'a> {
    conv: &'a Conv2d,
    result: Planes,
    channel: usize,
    /// Row of the weight in the kernel.
    row: usize,
    /// In a row of the result, the first place that meets the image, and the one after the last.
    begin: usize,
    end: usize,
    /// The column of the image that the first of them meets.
    first: usize,
}

impl Reach<'_> {
    fn new(conv: &Conv2d, line: usize) -> Reach<'_> {
        let side = conv.kernel;
        let (channel, row, column) = (line / (side * side), line / side % side, line % side);
        let result = conv.known_result();
        let begin = conv.padding.saturating_sub(column).div_ceil(conv.stride);
        // The last column of the image, seen from where the kernel of place 0 has this weight.
        let last = (conv.inputs.width - 1 + conv.padding).checked_sub(column);
        let end = last.map_or(0, |last| last / conv.stride + 1).min(result.width);
        let begin = begin.min(end);
        let first = (begin * conv.stride + column).saturating_sub(conv.padding);
        Reach { conv, result, channel, row, begin, end, first }
    }

    /// Where the row of the image begins that row `y` of the result meets, if it is in the image.
    fn row(&self, y: usize) -> Option<usize> {
        let Planes { height, width, .. } = self.conv.inputs;
        let row = (y * self.conv.stride + self.row).checked_sub(self.conv.padding)?;
        (row < height).then(|| (self.channel * height + row) * width)
    }
}

/// Room for what a convolution puts aside.
#[derive(Debug, Clone, Default)]
pub(crate) struct ConvRoom {
    packed: Packed,
    line: Vec<f32>,
    lines: Vec<f32>,
}

/// A sum in eight lanes; value i belongs to lane i mod 8.
fn sum_lanes(values: &[f32]) -> f32 {
    run(
        #[inline(always)]
        || {
            let (eights, rest) = values.as_chunks::<8>();
            let mut lanes = [0f32; 8];
            for eight in eights {
                for lane in 0..8 {
                    lanes[lane] += eight[lane];
                }
            }
            let sum = lanes.iter().fold(0.0, |sum, lane| sum + lane);
            rest.iter().fold(sum, |sum, value| sum + value)
        },
    )
}

/// The largest of each 2 x 2 values, as PyTorch's `nn.MaxPool2d(2)`: an odd last row or column is
/// left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MaxPool2d {
    /// The images that go in.
    pub inputs: Planes,
}

impl MaxPool2d {
    /// The images that come out.
    pub fn result(&self) -> Planes {
        let Planes { channels, height, width } = self.inputs;
        Planes { channels, height: height / 2, width: width / 2 }
    }

    /// For each place of one channel of the result: its number, and where its four values are.
    fn places(&self) -> impl Iterator<Item = [usize; 4]> + use<> {
        let Planes { height, width, .. } = self.result();
        let line = self.inputs.width;
        (0..height).flat_map(move |y| {
            (0..width).map(move |x| {
                let first = 2 * y * line + 2 * x;
                [first, first + 1, first + line, first + line + 1]
            })
        })
    }

    /// What one image gives.
    pub(crate) fn forward(&self, image: &[f32], y: &mut [f32]) {
        let line = self.inputs.width;
        let width = self.result().width;
        let planes = image.chunks_exact(self.inputs.area());
        for (plane, y) in planes.zip(y.chunks_exact_mut(self.result().area())) {
            for (pair, y) in plane.chunks_exact(2 * line).zip(y.chunks_exact_mut(width)) {
                let (above, below) = pair.split_at(line);
                let (above, below) = (above.as_chunks::<2>().0, below.as_chunks::<2>().0);
                for ((y, [a, b]), [c, d]) in y.iter_mut().zip(above).zip(below) {
                    *y = larger(larger(*a, *b), larger(*c, *d));
                }
            }
        }
    }

    /// The gradient of one image: it goes to the first of the largest.
    pub(crate) fn backward(&self, image: &[f32], slope: &[f32], before: &mut [f32]) {
        before.fill(0.0);
        let area = self.inputs.area();
        let planes = image.chunks_exact(area).zip(before.chunks_exact_mut(area));
        for ((plane, before), slope) in planes.zip(slope.chunks_exact(self.result().area())) {
            for (places, slope) in self.places().zip(slope) {
                let [mut best, others @ ..] = places;
                for other in others {
                    if plane[other] > plane[best] || plane[other].is_nan() {
                        best = other;
                    }
                }
                before[best] = *slope;
            }
        }
    }
}

/// The larger of two; what is no number is larger than any.
fn larger(a: f32, b: f32) -> f32 {
    if a >= b || a.is_nan() { a } else { b }
}
