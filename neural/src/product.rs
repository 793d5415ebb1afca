//! Products of matrices.
//!
//! The right matrix is packed into panels of 16 columns, the left one is read where it lies. A tile
//! of the result, some rows by one or two panels, stays in registers while it is summed.
//!
//! Each number of the result is one sum in the order of the inner side, from 0, whatever the width
//! of the vectors: multiplied and added apart ([`Rounding::Each`]) it has the same bits on every
//! host. Fused ([`Rounding::Fused`]) it is rounded once a term where the processor can do that, and
//! so the last digits may differ between hosts.

use pulp::{Simd, WithSimd};

use crate::vector::run;

/// Columns of a panel.
pub(crate) const PANEL: usize = 16;

/// The right matrix of a product, `[inner, columns]`: panel after panel, within a panel row after
/// row. Beyond the last column there are zeros.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Packed {
    inner: usize,
    columns: usize,
    values: Vec<f32>,
}

impl Packed {
    /// Takes on this shape, and clears what lies beyond the last column; other values are as they
    /// may be. Memory is asked for only where it has never had as much.
    pub(crate) fn reshape(&mut self, inner: usize, columns: usize) {
        (self.inner, self.columns) = (inner, columns);
        let panels = columns.div_ceil(PANEL);
        self.values.resize(panels * PANEL * inner, 0.0);
        if !columns.is_multiple_of(PANEL) {
            self.values[(panels - 1) * PANEL * inner..].fill(0.0);
        }
    }

    /// Takes a matrix that lies row by row, `[inner, columns]`.
    pub(crate) fn pack(&mut self, matrix: &[f32], inner: usize, columns: usize) {
        self.reshape(inner, columns);
        let panels = self.values.chunks_exact_mut(PANEL * inner);
        for (panel, first) in panels.zip((0..columns).step_by(PANEL)) {
            let width = PANEL.min(columns - first);
            let places = panel.as_chunks_mut::<PANEL>().0;
            for (place, row) in places.iter_mut().zip(matrix.chunks_exact(columns)) {
                let own = &row[first..first + width];
                match <&[f32; PANEL]>::try_from(own) {
                    Ok(whole) => *place = *whole,
                    Err(_) => place[..width].copy_from_slice(own),
                }
            }
        }
    }

    /// Takes the transpose of a matrix that lies row by row, `[columns, inner]`.
    pub(crate) fn pack_transposed(&mut self, matrix: &[f32], inner: usize, columns: usize) {
        self.reshape(inner, columns);
        let panels = self.values.chunks_exact_mut(PANEL * inner);
        for (panel, rows) in panels.zip(matrix.chunks(PANEL * inner)) {
            let places = panel.as_chunks_mut::<PANEL>().0;
            if rows.len() == PANEL * inner {
                let rows: [&[f32]; PANEL] =
                    std::array::from_fn(|row| &rows[row * inner..][..inner]);
                for (at, place) in places[..inner].iter_mut().enumerate() {
                    for column in 0..PANEL {
                        place[column] = rows[column][at];
                    }
                }
            } else {
                for (column, row) in rows.chunks_exact(inner).enumerate() {
                    for (place, value) in places.iter_mut().zip(row) {
                        place[column] = *value;
                    }
                }
            }
        }
    }

    /// Writes row `row`, which is as long as there are columns.
    pub(crate) fn set_row(&mut self, row: usize, values: &[f32]) {
        let panels = self.values.chunks_exact_mut(PANEL * self.inner);
        for (panel, values) in panels.zip(values.chunks(PANEL)) {
            panel[row * PANEL..][..values.len()].copy_from_slice(values);
        }
    }

    /// Writes column `column`, which is as long as the inner side.
    pub(crate) fn set_column(&mut self, column: usize, values: &[f32]) {
        let panel = &mut self.values[column / PANEL * PANEL * self.inner..][..PANEL * self.inner];
        for (place, value) in panel.as_chunks_mut::<PANEL>().0.iter_mut().zip(values) {
            place[column % PANEL] = *value;
        }
    }
}

/// The left matrix of a product, `[rows, inner]`.
#[derive(Clone, Copy)]
pub(crate) enum Left<'a> {
    /// It lies row by row.
    Rows(&'a [f32]),
    /// It lies column by column.
    Columns(&'a [f32]),
}

/// How a term is added to a sum.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rounding {
    /// The product is rounded, then the sum.
    Each,
    /// Rounded once, where the processor can; this is faster on many.
    Fused,
}

/// `result = left * right`, or `result = result + left * right` where it is added. The result is
/// `[rows, columns]`, row by row.
pub(crate) struct Product<'a> {
    pub(crate) rows: usize,
    pub(crate) left: Left<'a>,
    pub(crate) right: &'a Packed,
    pub(crate) result: &'a mut [f32],
    pub(crate) added: bool,
    pub(crate) rounding: Rounding,
}

impl Product<'_> {
    /// Computes it.
    pub(crate) fn compute(self) {
        assert_eq!(self.result.len(), self.rows * self.right.columns, "size of a product");
        run(self);
    }

    /// All of it, with V vectors to a panel and up to Q panels in a tile; FUSED is the rounding.
    #[inline(always)]
    fn all<S: Simd, const V: usize, const Q: usize, const FUSED: bool>(&mut self, simd: S) {
        let panels = self.right.columns.div_ceil(PANEL);
        let mut panel = 0;
        if self.rows == 1 {
            // One row has few sums: more panels side by side, so that no addition waits.
            while panel + 4 <= panels {
                self.tile::<S, V, 4, 1, FUSED>(simd, panel, 0);
                panel += 4;
            }
        }
        while panel + Q <= panels {
            self.strip::<S, V, Q, FUSED>(simd, panel);
            panel += Q;
        }
        while panel < panels {
            self.strip::<S, V, 1, FUSED>(simd, panel);
            panel += 1;
        }
    }

    /// All rows of Q panels.
    #[inline(always)]
    fn strip<S: Simd, const V: usize, const Q: usize, const FUSED: bool>(
        &mut self,
        simd: S,
        panel: usize,
    ) {
        let mut row = 0;
        while row + 6 <= self.rows {
            self.tile::<S, V, Q, 6, FUSED>(simd, panel, row);
            row += 6;
        }
        if row + 4 <= self.rows {
            self.tile::<S, V, Q, 4, FUSED>(simd, panel, row);
            row += 4;
        }
        while row < self.rows {
            self.tile::<S, V, Q, 1, FUSED>(simd, panel, row);
            row += 1;
        }
    }

    /// R rows of Q panels.
    #[inline(always)]
    fn tile<S: Simd, const V: usize, const Q: usize, const R: usize, const FUSED: bool>(
        &mut self,
        simd: S,
        panel: usize,
        row: usize,
    ) {
        let inner = self.right.inner;
        // All slices are cut to the inner side, so that no place needs to be checked within the loop;
        // and they are made in loops, since not every closure is compiled into what is around it.
        let mut panels: [&[[S::f32s; V]]; Q] = [&[]; Q];
        for (q, own) in panels.iter_mut().enumerate() {
            let values = &self.right.values[(panel + q) * PANEL * inner..][..PANEL * inner];
            *own = &S::as_simd_f32s(values).0.as_chunks::<V>().0[..inner];
        }
        let mut sums = [[[simd.splat_f32s(0.0); V]; Q]; R];
        match self.left {
            Left::Rows(left) => {
                let mut rows: [&[f32]; R] = [&[]; R];
                for (r, own) in rows.iter_mut().enumerate() {
                    *own = &left[(row + r) * inner..][..inner];
                }
                for at in 0..inner {
                    for r in 0..R {
                        let x = simd.splat_f32s(rows[r][at]);
                        for q in 0..Q {
                            for v in 0..V {
                                sums[r][q][v] =
                                    add::<S, FUSED>(simd, sums[r][q][v], x, panels[q][at][v]);
                            }
                        }
                    }
                }
            }
            Left::Columns(left) => {
                for at in 0..inner {
                    let column = left[at * self.rows + row..].first_chunk::<R>().expect("R rows");
                    for r in 0..R {
                        let x = simd.splat_f32s(column[r]);
                        for q in 0..Q {
                            for v in 0..V {
                                sums[r][q][v] =
                                    add::<S, FUSED>(simd, sums[r][q][v], x, panels[q][at][v]);
                            }
                        }
                    }
                }
            }
        }
        for (r, sums) in sums.iter().enumerate() {
            for (q, sums) in sums.iter().enumerate() {
                self.store::<S, V>(sums, row + r, (panel + q) * PANEL);
            }
        }
    }

    /// Brings a row of one panel into the result, from column `first` on.
    #[inline(always)]
    fn store<S: Simd, const V: usize>(&mut self, sums: &[S::f32s; V], row: usize, first: usize) {
        let mut values = [0f32; PANEL];
        for (place, sum) in S::as_mut_simd_f32s(&mut values).0.iter_mut().zip(sums) {
            *place = *sum;
        }
        let columns = self.right.columns;
        let width = PANEL.min(columns - first);
        let place = &mut self.result[row * columns + first..][..width];
        match <&mut [f32; PANEL]>::try_from(&mut *place) {
            Ok(place) => write(place, &values, self.added),
            Err(_) => write(place, &values[..width], self.added),
        }
    }
}

#[inline(always)]
fn write(place: &mut [f32], values: &[f32], added: bool) {
    if added {
        for (place, value) in place.iter_mut().zip(values) {
            *place += value;
        }
    } else {
        place.copy_from_slice(values);
    }
}

/// One term more. Where there is no instruction for it, nothing is fused: what would be computed in
/// its stead is slow.
#[inline(always)]
fn add<S: Simd, const FUSED: bool>(simd: S, sum: S::f32s, x: S::f32s, y: S::f32s) -> S::f32s {
    if FUSED && S::F32_LANES >= 8 {
        simd.mul_add_f32s(x, y, sum)
    } else {
        simd.add_f32s(sum, simd.mul_f32s(x, y))
    }
}

impl WithSimd for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let fused = self.rounding == Rounding::Fused;
        match (S::F32_LANES, fused) {
            (16, true) => self.all::<S, 1, 2, true>(simd),
            (16, false) => self.all::<S, 1, 2, false>(simd),
            (8, true) => self.all::<S, 2, 1, true>(simd),
            (8, false) => self.all::<S, 2, 1, false>(simd),
            (4, _) => self.all::<S, 4, 1, false>(simd),
            _ => self.all::<S, PANEL, 1, false>(simd),
        }
    }
}

#[cfg(test)]
mod tests {
    use pulp::{Scalar, Scalar128b, Scalar256b, Scalar512b};

    use super::*;

    /// Numbers without order, between -1 and 1.
    fn numbers(count: usize) -> Vec<f32> {
        let number = |place: usize| {
            let mixed = (place as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            (mixed >> 40) as f32 / (1 << 23) as f32 - 1.0
        };
        (0..count).map(number).collect()
    }

    /// The sums that the module promises, in the plainest way.
    fn plainly(x: &[f32], y: &[f32], [rows, inner, columns]: [usize; 3]) -> Vec<f32> {
        let sum = |place: usize| {
            let (row, column) = (place / columns, place % columns);
            let term = |at: usize| x[row * inner + at] * y[at * columns + column];
            (0..inner).map(term).fold(0.0, |sum, term| sum + term)
        };
        (0..rows * columns).map(sum).collect()
    }

    fn transposed(matrix: &[f32], columns: usize) -> Vec<f32> {
        let rows = matrix.len() / columns;
        (0..matrix.len()).map(|place| matrix[place % rows * columns + place / rows]).collect()
    }

    const SHAPES: [[usize; 3]; 8] = [
        [1, 96, 71],
        [1, 1, 1],
        [7, 5, 16],
        [13, 33, 17],
        [128, 64, 71],
        [12, 9, 130],
        [4, 64, 64],
        [5, 3, 48],
    ];

    #[test]
    fn every_width_of_vectors_gives_the_bits_of_the_plain_sums() {
        for shape in SHAPES {
            let [rows, inner, columns] = shape;
            let (x, y) = (numbers(rows * inner), numbers(inner * columns));
            let want = plainly(&x, &y, shape);
            let mut right = Packed::default();
            right.pack(&numbers(3000), 3000, 1);
            right.pack(&y, inner, columns);
            let turned = transposed(&x, inner);
            for left in [Left::Rows(&x), Left::Columns(&turned)] {
                let with = |run: &dyn Fn(Product<'_>)| {
                    let mut result = vec![f32::NAN; rows * columns];
                    let (right, rounding) = (&right, Rounding::Each);
                    let result_mut = &mut result[..];
                    run(Product { rows, left, right, result: result_mut, added: false, rounding });
                    result
                };
                assert_eq!(with(&|product| product.compute()), want, "{shape:?}");
                assert_eq!(with(&|product| product.with_simd(Scalar)), want, "{shape:?}");
                assert_eq!(with(&|product| product.with_simd(Scalar128b)), want, "{shape:?}");
                assert_eq!(with(&|product| product.with_simd(Scalar256b)), want, "{shape:?}");
                assert_eq!(with(&|product| product.with_simd(Scalar512b)), want, "{shape:?}");
            }
        }
    }

    #[test]
    fn what_is_fused_and_added_is_close_to_the_plain_sums() {
        for shape in SHAPES {
            let [rows, inner, columns] = shape;
            let (x, y) = (numbers(rows * inner), numbers(inner * columns));
            let mut right = Packed::default();
            right.pack_transposed(&transposed(&y, columns), inner, columns);
            let mut result = vec![1.0; rows * columns];
            let (left, rounding) = (Left::Rows(&x), Rounding::Fused);
            Product { rows, left, right: &right, result: &mut result, added: true, rounding }
                .compute();
            for (got, want) in result.iter().zip(plainly(&x, &y, shape)) {
                assert!((got - 1.0 - want).abs() < 1e-5, "{got}, expected {want} + 1, {shape:?}");
            }
        }
    }

    #[test]
    fn packed_by_rows_columns_or_at_once_is_the_same() {
        let (inner, columns) = (5, 37);
        let matrix = numbers(inner * columns);
        let mut whole = Packed::default();
        whole.pack(&matrix, inner, columns);
        let mut turned = Packed::default();
        turned.pack_transposed(&transposed(&matrix, columns), inner, columns);
        assert_eq!(whole, turned);
        let (mut by_rows, mut by_columns) = (Packed::default(), Packed::default());
        by_rows.reshape(inner, columns);
        by_columns.reshape(inner, columns);
        for (row, values) in matrix.chunks_exact(columns).enumerate() {
            by_rows.set_row(row, values);
        }
        for (column, values) in transposed(&matrix, columns).chunks_exact(inner).enumerate() {
            by_columns.set_column(column, values);
        }
        assert_eq!((&by_rows, &by_columns), (&whole, &whole));
    }
}
