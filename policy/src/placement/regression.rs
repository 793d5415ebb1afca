//! Discounted ridge regression: a linear model that forgets.

use nalgebra::{Cholesky, SMatrix, SVector};

/// Number of features.
pub(super) const FEATURES: usize = 5;

/// The features of one task at one site.
pub(super) type Row = SVector<f64, FEATURES>;

/// A linear model of one site, fitted by least squares in which each observation counts `discount`
/// times as much as the next one, and a ridge that does not fade (Russac, Vernade and Cappé,
/// "Weighted linear bandits for non-stationary environments", 2019).
#[derive(Debug, Clone)]
pub(super) struct Regression {
    discount: f64,
    ridge: f64,
    /// Weighted sum of `x x'`.
    gram: SMatrix<f64, FEATURES, FEATURES>,
    /// Weighted sum of `x y`.
    moment: Row,
    /// Weighted sum of the squares of the errors that predictions had before they were learnt, and
    /// of the weights.
    square_error: f64,
    weight: f64,
    factor: Cholesky<f64, nalgebra::Const<FEATURES>>,
    coefficients: Row,
}

impl Regression {
    pub(super) fn new(discount: f64, ridge: f64) -> Regression {
        let gram = SMatrix::zeros();
        Regression {
            discount,
            ridge,
            gram,
            moment: Row::zeros(),
            square_error: 0.0,
            weight: 0.0,
            factor: factor(&gram, ridge),
            coefficients: Row::zeros(),
        }
    }

    /// What is expected of `row`.
    pub(super) fn predict(&self, row: &Row) -> f64 {
        dot(&self.coefficients, row)
    }

    /// `sqrt(x' A^-1 x)`: how little is known in the direction of `row`; `1 / sqrt(ridge)` times its
    /// length before anything is learnt.
    pub(super) fn width(&self, row: &Row) -> f64 {
        libm::sqrt(dot(row, &self.factor.solve(row)).max(0.0))
    }

    /// The deviation of what was observed from what had been predicted; none before anything is
    /// learnt.
    pub(super) fn deviation(&self) -> Option<f64> {
        (self.weight > 0.0).then(|| libm::sqrt(self.square_error / self.weight))
    }

    /// Learns that `row` gave `value`.
    pub(super) fn learn(&mut self, row: &Row, value: f64) {
        let error = value - self.predict(row);
        self.square_error = self.discount * self.square_error + error * error;
        self.weight = self.discount * self.weight + 1.0;
        self.gram = self.gram * self.discount + row * row.transpose();
        self.moment = self.moment * self.discount + row * value;
        self.factor = factor(&self.gram, self.ridge);
        self.coefficients = self.factor.solve(&self.moment);
    }
}

/// The factor of `gram + ridge I`.
fn factor(
    gram: &SMatrix<f64, FEATURES, FEATURES>,
    ridge: f64,
) -> Cholesky<f64, nalgebra::Const<FEATURES>> {
    let mut matrix = *gram;
    for index in 0..FEATURES {
        matrix[(index, index)] += ridge;
    }
    Cholesky::new(matrix).expect("a sum of squares with a ridge is positive definite")
}

/// The sum in the order of the features.
fn dot(a: &Row, b: &Row) -> f64 {
    (0..FEATURES).fold(0.0, |sum, index| sum + a[index] * b[index])
}
