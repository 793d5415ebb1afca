//! The right matrix of a product, laid out as products read it.

use super::{PANEL, Right};

/// The right matrix of a product, `[inner, columns]`: panel after panel, within a panel row after
/// row. Beyond the last column there are zeros.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Packed {
    inner: usize,
    columns: usize,
    values: Vec<f32>,
}

impl Packed {
    /// The matrix, for a product.
    pub(crate) fn right(&self) -> Right<'_> {
        let Packed { inner, columns, ref values } = *self;
        Right { inner, columns, values, begin: inner, step: 1 }
    }

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
