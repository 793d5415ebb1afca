//! What dense layers compute. All matrices lie row by row.
//!
//! Batches go through [`Product`]. The product for a single row, [`forward_one`], needs no packed
//! weights, and has an order of sums of its own that is the same everywhere.

use crate::product::{Left, Packed, Product, Rounding};
use crate::vector::sum_rows;

/// The shape of a dense layer at work: rows of the batch, values in a row before and after.
#[derive(Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) rows: usize,
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
}

/// `y = x W' + b` for a batch: x is `[rows, inputs]`, W' `[inputs, outputs]`, y `[rows, outputs]`.
/// The bias comes last.
pub(crate) fn forward(
    rows: usize,
    x: &[f32],
    weight: &Packed,
    bias: &[f32],
    rounding: Rounding,
    y: &mut [f32],
) {
    for row in y.chunks_exact_mut(bias.len()) {
        row.copy_from_slice(bias);
    }
    let left = Left::Rows(x);
    Product { rows, left, right: weight, result: y, added: true, rounding }.compute();
}

/// `g = s' x`: gradient of W, where s, `[rows, outputs]`, is the gradient of y.
pub(crate) fn weight_gradient(
    shape: Shape,
    slope: &[f32],
    x: &[f32],
    room: &mut Packed,
    gradient: &mut [f32],
) {
    room.pack(x, shape.rows, shape.inputs);
    let (left, rounding) = (Left::Columns(slope), Rounding::Fused);
    let rows = shape.outputs;
    Product { rows, left, right: room, result: gradient, added: false, rounding }.compute();
}

/// Gradient of b: the sum of the rows of s, in their order.
pub(crate) fn bias_gradient(slope: &[f32], gradient: &mut [f32]) {
    sum_rows(slope, gradient);
}

/// `s W`: gradient of x.
pub(crate) fn input_gradient(
    shape: Shape,
    slope: &[f32],
    weight: &[f32],
    room: &mut Packed,
    gradient: &mut [f32],
) {
    room.pack(weight, shape.outputs, shape.inputs);
    let (left, rounding) = (Left::Rows(slope), Rounding::Fused);
    let rows = shape.rows;
    Product { rows, left, right: room, result: gradient, added: false, rounding }.compute();
}

/// Sums that run side by side within a row: what one instruction of every x86_64 adds at once.
const LANES: usize = 4;
/// Rows that are summed side by side, so that no addition waits for the one before.
const ROWS: usize = 4;

/// `y = W x + b` for one row. Value i of x belongs to lane i mod 4; lanes are summed each in order,
/// then lane 0 with 2 and 1 with 3, then both; what is left of x past the last whole four is summed
/// in order by itself, and added; the bias comes last.
#[inline]
pub(crate) fn forward_one(x: &[f32], weight: &[f32], bias: &[f32], y: &mut [f32]) {
    let inputs = x.len();
    let whole = y.len() - y.len() % ROWS;
    for first in (0..whole).step_by(ROWS) {
        let rows = std::array::from_fn(|row| &weight[(first + row) * inputs..][..inputs]);
        let sums: [f32; ROWS] = dots(rows, x);
        for (row, sum) in sums.into_iter().enumerate() {
            y[first + row] = sum + bias[first + row];
        }
    }
    for row in whole..y.len() {
        let [sum] = dots([&weight[row * inputs..][..inputs]], x);
        y[row] = sum + bias[row];
    }
}

/// The products of some rows with x. A row's sum does not depend on the rows beside it.
#[inline]
fn dots<const N: usize>(rows: [&[f32]; N], x: &[f32]) -> [f32; N] {
    let mut lanes = [[0f32; LANES]; N];
    let (fours, rest) = x.as_chunks::<LANES>();
    // Cut to the length of x, so that no place needs to be checked within the loop.
    let whole = rows.map(|row| &row.as_chunks::<LANES>().0[..fours.len()]);
    for at in 0..fours.len() {
        for n in 0..N {
            for lane in 0..LANES {
                lanes[n][lane] += whole[n][at][lane] * fours[at][lane];
            }
        }
    }
    std::array::from_fn(|n| {
        let [a, b, c, d] = lanes[n];
        let tail = rows[n][fours.len() * LANES..].iter().zip(rest);
        ((a + c) + (b + d)) + tail.fold(0.0, |sum, (w, x)| sum + w * x)
    })
}
