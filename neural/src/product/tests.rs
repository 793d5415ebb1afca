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

const SHAPES: [[usize; 3]; 9] = [
    [1, 96, 71],
    [1, 1, 1],
    [7, 5, 16],
    [13, 33, 17],
    [15, 4, 33],
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
                let (right, rounding) = (right.right(), Rounding::Each);
                let (finish, own) = (Finish::Store, &mut result[..]);
                run(Product { rows, left, right, result: own, finish, rounding });
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
        let (left, right, finish) = (Left::Rows(&x), right.right(), Finish::Add);
        let rounding = Rounding::Fused;
        Product { rows, left, right, result: &mut result, finish, rounding }.compute();
        for (got, want) in result.iter().zip(plainly(&x, &y, shape)) {
            assert!((got - 1.0 - want).abs() < 1e-5, "{got}, expected {want} + 1, {shape:?}");
        }
    }
}

/// What is promised of a sum, in double precision.
fn finished(finish: Finish<'_>, sum: f64, place: usize, columns: usize) -> f64 {
    match finish {
        Finish::Store => sum,
        Finish::Add => 1.0 + sum,
        Finish::Rectified { bias, slope } => {
            let sum = sum + f64::from(bias[place % columns]);
            sum.max(0.0) + f64::from(slope) * sum.min(0.0)
        }
        Finish::Gated { values, slope } => {
            if values[place] > 0.0 {
                sum
            } else {
                f64::from(slope) * sum
            }
        }
    }
}

#[test]
fn sums_are_finished_as_is_said_in_every_width_of_vectors() {
    for shape in SHAPES {
        let [rows, inner, columns] = shape;
        let (x, y) = (numbers(rows * inner), numbers(inner * columns));
        let (bias, values) = (numbers(columns), numbers(rows * columns));
        let mut right = Packed::default();
        right.pack(&y, inner, columns);
        let plain = plainly(&x, &y, shape);
        let finishes = [
            Finish::Store,
            Finish::Add,
            Finish::Rectified { bias: &bias, slope: 0.2 },
            Finish::Rectified { bias: &bias, slope: 1.0 },
            Finish::Gated { values: &values, slope: 0.2 },
        ];
        for (number, finish) in finishes.into_iter().enumerate() {
            let with = |run: &dyn Fn(Product<'_>)| {
                let mut result = vec![1.0; rows * columns];
                let (left, right, rounding) = (Left::Rows(&x), right.right(), Rounding::Each);
                run(Product { rows, left, right, result: &mut result, finish, rounding });
                result
            };
            let own = with(&|product| product.compute());
            for (place, (got, sum)) in own.iter().zip(&plain).enumerate() {
                let want = finished(finish, f64::from(*sum), place, columns);
                let distance = (f64::from(*got) - want).abs();
                assert!(distance < 1e-6, "{got}, expected {want}, finish {number}, {shape:?}");
            }
            assert_eq!(with(&|product| product.with_simd(Scalar)), own, "{shape:?}");
            assert_eq!(with(&|product| product.with_simd(Scalar128b)), own, "{shape:?}");
            assert_eq!(with(&|product| product.with_simd(Scalar256b)), own, "{shape:?}");
            assert_eq!(with(&|product| product.with_simd(Scalar512b)), own, "{shape:?}");
        }
    }
}

#[test]
fn what_is_no_number_stays_none() {
    let mut right = Packed::default();
    right.pack(&[f32::NAN, 1.0, -2.0], 1, 3);
    let mut result = vec![0.0; 3];
    let (left, right, rounding) = (Left::Rows(&[1.0]), right.right(), Rounding::Fused);
    let finish = Finish::Rectified { bias: &[0.0; 3], slope: 0.0 };
    Product { rows: 1, left, right, result: &mut result, finish, rounding }.compute();
    assert!(result[0].is_nan());
    assert_eq!(result[1..], [1.0, 0.0]);
}

/// Wide enough, and too wide, to be read where it lies.
#[test]
fn a_matrix_that_lies_row_by_row_gives_the_same_bits_as_when_packed() {
    for shape in [[7, 5, 16], [9, 33, 96], [3, 4, 512], [3, 4, 528], [5, 3, 17]] {
        let [rows, inner, columns] = shape;
        let (x, y) = (numbers(rows * inner), numbers(inner * columns));
        let mut room = Packed::default();
        let own = Right::rows(&y, inner, columns, &mut room);
        let packs = columns > WIDEST || columns % PANEL > 0;
        assert_eq!(own.begin == 1 && own.step == columns / PANEL, !packs, "{shape:?}");
        let mut result = vec![f32::NAN; rows * columns];
        let (left, finish, rounding) = (Left::Rows(&x), Finish::Store, Rounding::Each);
        Product { rows, left, right: own, result: &mut result, finish, rounding }.compute();
        assert_eq!(result, plainly(&x, &y, shape), "{shape:?}");
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
