//! Plain loops, compiled for several instruction sets, of which the best that the processor has is
//! taken at run time. Nothing in them is fused or put in another order: the same bits everywhere.

use pulp::{Arch, Scalar128b, WithSimd};

/// Runs `work` with the widest vectors that this processor has.
#[inline]
pub(crate) fn run<Work: WithSimd>(work: Work) -> Work::Output {
    match Arch::new() {
        // What every x86_64 has are four numbers side by side, not one.
        Arch::Scalar => work.with_simd(Scalar128b),
        arch => arch.dispatch(work),
    }
}

/// `max(x, 0) + slope * min(x, 0)` in place; ReLU is a slope of 0. What is no number stays none.
pub(crate) fn rectify(values: &mut [f32], slope: f32) {
    run(
        #[inline(always)]
        || {
            for value in values {
                *value = if *value < 0.0 { slope * *value } else { *value };
            }
        },
    );
}

/// As [`rectify`], from `x` to `y`.
pub(crate) fn rectify_into(x: &[f32], slope: f32, y: &mut [f32]) {
    run(
        #[inline(always)]
        || {
            for (y, x) in y.iter_mut().zip(x) {
                *y = if *x < 0.0 { slope * *x } else { *x };
            }
        },
    );
}

/// Takes the gradient of what [`rectify_into`] gave back to x; at 0 it is `slope`, as in PyTorch.
pub(crate) fn rectify_gradient(x: &[f32], slope: f32, gradient: &mut [f32]) {
    run(
        #[inline(always)]
        || {
            for (gradient, x) in gradient.iter_mut().zip(x) {
                *gradient *= if *x > 0.0 { 1.0 } else { slope };
            }
        },
    );
}

/// Adds up rows of the width of `sums`, in their order.
pub(crate) fn sum_rows(rows: &[f32], sums: &mut [f32]) {
    sums.fill(0.0);
    run(
        #[inline(always)]
        || {
            for row in rows.chunks_exact(sums.len()) {
                for (sum, value) in sums.iter_mut().zip(row) {
                    *sum += value;
                }
            }
        },
    );
}

/// Sums that run side by side in [`square_error`].
const LANES: usize = 8;

/// Sum of the squared differences, and `factor` times each difference in `slope`. Value i belongs to
/// lane i mod 8 up to the last whole eight; lanes are summed each in order, then one after the
/// other, then what is left.
pub(crate) fn square_error(x: &[f32], target: &[f32], factor: f32, slope: &mut [f32]) -> f64 {
    run(
        #[inline(always)]
        || {
            let ((x, x_rest), (target, target_rest)) =
                (x.as_chunks::<LANES>(), target.as_chunks::<LANES>());
            let (slope, slope_rest) = slope.as_chunks_mut::<LANES>();
            let mut lanes = [0f64; LANES];
            for ((x, target), slope) in x.iter().zip(target).zip(slope) {
                for lane in 0..LANES {
                    let difference = x[lane] - target[lane];
                    lanes[lane] += f64::from(difference) * f64::from(difference);
                    slope[lane] = factor * difference;
                }
            }
            let mut sum = lanes.iter().fold(0.0, |sum, lane| sum + lane);
            for ((x, target), slope) in x_rest.iter().zip(target_rest).zip(slope_rest) {
                let difference = x - target;
                sum += f64::from(difference) * f64::from(difference);
                *slope = factor * difference;
            }
            sum
        },
    )
}
