//! Tiles: some rows of a product by some panels, summed in registers.

use pulp::Simd;

use super::{Finish, Left, PANEL, Product, Right};

/// A function that computes so many rows of Q panels, with V vectors to a panel.
///
/// The sums of each row have a name: sums in one array, with a loop over the rows, are kept in
/// memory by the compiler as soon as there are many, and that is half as fast.
macro_rules! tile {
    ($name:ident, $count:literal, $($sum:ident $row:literal)*) => {
        #[inline(always)]
        pub(super) fn $name<S: Simd, const V: usize, const Q: usize, const FUSED: bool>(
            &mut self,
            simd: S,
            panel: usize,
            row: usize,
        ) {
            let Right { inner, step, .. } = self.right;
            let panels = self.panels::<S, V, Q>(panel);
            let zeros = [[simd.splat_f32s(0.0); V]; Q];
            $(let mut $sum = zeros;)*
            match self.left {
                Left::Rows(left) => {
                    let left = &left[row * inner..][..$count * inner];
                    for at in 0..inner {
                        let mut right = zeros;
                        for q in 0..Q {
                            right[q] = panels[q][at * step];
                        }
                        $(add::<S, V, Q, FUSED>(
                            simd, &mut $sum, left[$row * inner + at], &right,
                        );)*
                    }
                }
                Left::Columns(left) => {
                    for at in 0..inner {
                        let own = &left[at * self.rows + row..][..$count];
                        let mut right = zeros;
                        for q in 0..Q {
                            right[q] = panels[q][at * step];
                        }
                        $(add::<S, V, Q, FUSED>(simd, &mut $sum, own[$row], &right);)*
                    }
                }
            }
            $(self.finish::<S, V, Q>(simd, &$sum, row + $row, panel);)*
        }
    };
}

impl Product<'_> {
    tile!(eight, 8, a 0 b 1 c 2 d 3 e 4 f 5 g 6 h 7);
    tile!(six, 6, a 0 b 1 c 2 d 3 e 4 f 5);
    tile!(four, 4, a 0 b 1 c 2 d 3);
    tile!(one, 1, a 0);

    /// Q panels from `panel` on, as vectors; row `at` of a panel is in place `at * step`.
    #[inline(always)]
    fn panels<S: Simd, const V: usize, const Q: usize>(
        &self,
        panel: usize,
    ) -> [&[[S::f32s; V]]; Q] {
        let Right { inner, begin, step, values, .. } = self.right;
        let values = S::as_simd_f32s(values).0.as_chunks::<V>().0;
        let reach = inner.checked_sub(1).map_or(0, |last| last * step + 1);
        let mut panels: [&[[S::f32s; V]]; Q] = [&[]; Q];
        // In a loop, since not every closure is compiled into what is around it.
        for (q, own) in panels.iter_mut().enumerate() {
            *own = &values[(panel + q) * begin..][..reach];
        }
        panels
    }

    /// Brings the sums of a row into the result, from panel `panel` on.
    #[inline(always)]
    fn finish<S: Simd, const V: usize, const Q: usize>(
        &mut self,
        simd: S,
        sums: &[[S::f32s; V]; Q],
        row: usize,
        panel: usize,
    ) {
        let columns = self.right.columns;
        for (q, sums) in sums.iter().enumerate() {
            let first = (panel + q) * PANEL;
            let start = row * columns + first;
            let other = match self.finish {
                Finish::Store => None,
                Finish::Add => Some(&self.result[start..]),
                Finish::Rectified { bias, .. } => Some(&bias[first..]),
                Finish::Gated { values, .. } => Some(&values[start..]),
            };
            let width = PANEL.min(columns - first);
            let mut vectors = [simd.splat_f32s(0.0); V];
            if let Some(other) = other {
                match other.first_chunk::<PANEL>() {
                    Some(whole) if width == PANEL => {
                        vectors.copy_from_slice(S::as_simd_f32s(whole).0);
                    }
                    _ => {
                        let parts = other[..width].chunks(S::F32_LANES);
                        for (vector, part) in vectors.iter_mut().zip(parts) {
                            *vector = simd.partial_load_f32s(part);
                        }
                    }
                }
            }
            for (vector, sum) in vectors.iter_mut().zip(sums) {
                *vector = finished(simd, self.finish, *sum, *vector);
            }
            let place = &mut self.result[start..];
            match place.first_chunk_mut::<PANEL>() {
                Some(whole) if width == PANEL => {
                    S::as_mut_simd_f32s(whole).0.copy_from_slice(&vectors);
                }
                _ => {
                    let parts = place[..width].chunks_mut(S::F32_LANES);
                    for (vector, part) in vectors.iter().zip(parts) {
                        simd.partial_store_f32s(part, *vector);
                    }
                }
            }
        }
    }
}

/// What becomes of a sum, where `other` is what [`Finish`] says.
#[inline(always)]
fn finished<S: Simd>(simd: S, finish: Finish<'_>, sum: S::f32s, other: S::f32s) -> S::f32s {
    let zero = simd.splat_f32s(0.0);
    match finish {
        Finish::Store => sum,
        Finish::Add => simd.add_f32s(other, sum),
        Finish::Rectified { slope, .. } => {
            let sum = simd.add_f32s(other, sum);
            let lower = simd.mul_f32s(simd.splat_f32s(slope), sum);
            simd.select_f32s(simd.less_than_f32s(sum, zero), lower, sum)
        }
        Finish::Gated { slope, .. } => {
            let lower = simd.mul_f32s(simd.splat_f32s(slope), sum);
            simd.select_f32s(simd.greater_than_f32s(other, zero), sum, lower)
        }
    }
}

/// One term more for each sum of a row. Where there is no instruction for it, nothing is fused: what
/// would be computed in its stead is slow.
#[inline(always)]
fn add<S: Simd, const V: usize, const Q: usize, const FUSED: bool>(
    simd: S,
    sums: &mut [[S::f32s; V]; Q],
    left: f32,
    right: &[[S::f32s; V]; Q],
) {
    let left = simd.splat_f32s(left);
    for q in 0..Q {
        for v in 0..V {
            let (sum, right) = (sums[q][v], right[q][v]);
            sums[q][v] = if FUSED && S::F32_LANES >= 8 {
                simd.mul_add_f32s(left, right, sum)
            } else {
                simd.add_f32s(sum, simd.mul_f32s(left, right))
            };
        }
    }
}
