//! Products of matrices.
//!
//! The right matrix is read in panels of 16 columns, the left one where it lies. A tile of the
//! result, some rows by some panels, stays in registers while it is summed, and what is done with
//! sums ([`Finish`]) is done before they are written.
//!
//! Each number of the result is one sum in the order of the inner side, from 0, whatever the width
//! of the vectors: multiplied and added apart ([`Rounding::Each`]) it has the same bits on every
//! host. Fused ([`Rounding::Fused`]) it is rounded once a term where the processor can do that, and
//! so the last digits may differ between hosts.

mod packed;
mod tile;

use pulp::{Simd, WithSimd};

pub(crate) use packed::Packed;

use crate::vector::run;

/// Columns of a panel.
pub(crate) const PANEL: usize = 16;
/// Columns of the widest matrix that is read where it lies: the rows of a wider one are so far apart
/// that few of them stay in the fastest cache.
const WIDEST: usize = 512;

/// The right matrix of a product, `[inner, columns]`, in rows of panels.
#[derive(Clone, Copy)]
pub(crate) struct Right<'a> {
    inner: usize,
    columns: usize,
    values: &'a [f32],
    /// From the beginning of a panel to that of the next, in rows of a panel.
    begin: usize,
    /// From one row of a panel to the next, in rows of a panel.
    step: usize,
}

impl<'a> Right<'a> {
    /// A matrix that lies row by row: where it lies, if that does, or else packed into `room`.
    pub(crate) fn rows(
        matrix: &'a [f32],
        inner: usize,
        columns: usize,
        room: &'a mut Packed,
    ) -> Right<'a> {
        if columns.is_multiple_of(PANEL) && columns <= WIDEST {
            return Right { inner, columns, values: matrix, begin: 1, step: columns / PANEL };
        }
        room.pack(matrix, inner, columns);
        room.right()
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

/// What is done with the sums.
#[derive(Clone, Copy)]
pub(crate) enum Finish<'a> {
    /// They are the result.
    Store,
    /// They are added to the result.
    Add,
    /// `max(s, 0) + slope * min(s, 0)` of s = sum + bias, with a bias for each column; a slope of 1
    /// leaves them as they are. What is no number stays none.
    Rectified { bias: &'a [f32], slope: f32 },
    /// They are multiplied with 1 where these values, as many as there are results, are above 0, with
    /// `slope` elsewhere.
    Gated { values: &'a [f32], slope: f32 },
}

/// How a term is added to a sum.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rounding {
    /// The product is rounded, then the sum.
    Each,
    /// Rounded once, where the processor can; this is faster on many.
    Fused,
}

/// `left * right`. The result is `[rows, columns]`, row by row.
pub(crate) struct Product<'a> {
    pub(crate) rows: usize,
    pub(crate) left: Left<'a>,
    pub(crate) right: Right<'a>,
    pub(crate) result: &'a mut [f32],
    pub(crate) finish: Finish<'a>,
    pub(crate) rounding: Rounding,
}

impl Product<'_> {
    /// Computes it.
    pub(crate) fn compute(self) {
        assert_eq!(self.result.len(), self.rows * self.right.columns, "size of a product");
        run(self);
    }

    /// All of it, with V vectors to a panel, in tiles of R rows: one panel wide, or two or three where
    /// a panel is one vector. FUSED is the rounding.
    #[inline(always)]
    fn all<S: Simd, const V: usize, const R: usize, const FUSED: bool>(&mut self, simd: S) {
        let panels = self.right.columns.div_ceil(PANEL);
        let mut panel = 0;
        if self.rows == 1 {
            // One row has few sums: more panels side by side, so that no addition waits.
            while panel + 4 <= panels {
                self.one::<S, V, 4, FUSED>(simd, panel, 0);
                panel += 4;
            }
        }
        while panel < panels {
            panel += match panels - panel {
                3 if V == 1 => self.strip::<S, V, 3, R, FUSED>(simd, panel),
                2.. if V == 1 => self.strip::<S, V, 2, R, FUSED>(simd, panel),
                _ => self.strip::<S, V, 1, R, FUSED>(simd, panel),
            };
        }
    }

    /// All rows of Q panels; gives Q.
    #[inline(always)]
    fn strip<S: Simd, const V: usize, const Q: usize, const R: usize, const FUSED: bool>(
        &mut self,
        simd: S,
        panel: usize,
    ) -> usize {
        let mut row = 0;
        while row + R <= self.rows {
            match R {
                8 => self.eight::<S, V, Q, FUSED>(simd, panel, row),
                _ => self.six::<S, V, Q, FUSED>(simd, panel, row),
            }
            row += R;
        }
        if row + 4 <= self.rows {
            self.four::<S, V, Q, FUSED>(simd, panel, row);
            row += 4;
        }
        while row < self.rows {
            self.one::<S, V, Q, FUSED>(simd, panel, row);
            row += 1;
        }
        Q
    }
}

impl WithSimd for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let fused = self.rounding == Rounding::Fused;
        match (S::F32_LANES, fused) {
            (16, true) => self.all::<S, 1, 8, true>(simd),
            (16, false) => self.all::<S, 1, 8, false>(simd),
            (8, true) => self.all::<S, 2, 6, true>(simd),
            (8, false) => self.all::<S, 2, 6, false>(simd),
            (4, _) => self.all::<S, 4, 6, false>(simd),
            _ => self.all::<S, PANEL, 6, false>(simd),
        }
    }
}

#[cfg(test)]
mod tests;
