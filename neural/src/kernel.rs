//! What dense layers compute. All matrices lie row by row.
//!
//! Batches go through [`Product`]. The product for a single row, [`forward_one`], needs no packed
//! weights, and has an order of sums of its own that is the same everywhere.

use crate::product::{Finish, Left, Packed, Product, Right, Rounding};
use crate::vector::sum_rows;

/// The shape of a dense layer at work: rows of the batch, values in a row before and after.
#[derive(Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) rows: usize,
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
}

/// `y = f(x W' + b)` for a batch: x is `[rows, inputs]`, W' `[inputs, outputs]`, y `[rows, outputs]`;
/// f is LeakyReLU with this slope, of which 1 leaves everything as it is. The bias comes last.
pub(crate) fn forward(
    rows: usize,
    x: &[f32],
    weight: &Packed,
    (bias, slope): (&[f32], f32),
    rounding: Rounding,
    y: &mut [f32],
) {
    let (left, right) = (Left::Rows(x), weight.right());
    let finish = Finish::Rectified { bias, slope };
    Product { rows, left, right, result: y, finish, rounding }.compute();
}

/// `g = s' x`: gradient of W, where s, `[rows, outputs]`, is the gradient of y.
pub(crate) fn weight_gradient(
    shape: Shape,
    slope: &[f32],
    x: &[f32],
    room: &mut Packed,
    gradient: &mut [f32],
) {
    let (left, right) = (Left::Columns(slope), Right::rows(x, shape.rows, shape.inputs, room));
    let (rows, finish, rounding) = (shape.outputs, Finish::Store, Rounding::Fused);
    Product { rows, left, right, result: gradient, finish, rounding }.compute();
}

/// Gradient of b: the sum of the rows of s, in their order.
pub(crate) fn bias_gradient(slope: &[f32], gradient: &mut [f32]) {
    sum_rows(slope, gradient);
}

/// `s W`: gradient of x, and what is done with it.
pub(crate) fn input_gradient(
    shape: Shape,
    slope: &[f32],
    weight: &[f32],
    finish: Finish<'_>,
    room: &mut Packed,
    gradient: &mut [f32],
) {
    let right = Right::rows(weight, shape.outputs, shape.inputs, room);
    let (rows, left, rounding) = (shape.rows, Left::Rows(slope), Rounding::Fused);
    Product { rows, left, right, result: gradient, finish, rounding }.compute();
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
