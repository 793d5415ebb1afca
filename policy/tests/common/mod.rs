//! What the tests of this crate measure the policies against, written for clarity with nalgebra.

#![allow(dead_code, reason = "each test file uses some of them")]

use nalgebra::{DMatrix, DVector, SymmetricEigen};

/// The projection of `u` on the unit ball in the norm of `z`, by the eigenvalues of `z` and
/// bisection.
pub(crate) fn projection(z: &DMatrix<f64>, u: &DVector<f64>) -> DVector<f64> {
    if u.norm() <= 1.0 {
        return u.clone();
    }
    let eigen = SymmetricEigen::new(z.clone());
    let along = eigen.eigenvectors.transpose() * u;
    let shrunk = |mu: f64| along.zip_map(&eigen.eigenvalues, |c, value| c * value / (value + mu));
    let (mut low, mut high) = (0.0, eigen.eigenvalues.max() * u.norm());
    for _ in 0..200 {
        let middle = 0.5 * (low + high);
        if shrunk(middle).norm() > 1.0 { low = middle } else { high = middle }
    }
    &eigen.eigenvectors * shrunk(high)
}

/// Numbers that are as good as random, the same in every run (SplitMix64).
#[derive(Debug, Clone)]
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    pub(crate) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Uniform between `low` and `high`.
    pub(crate) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (self.bits() >> 11) as f64 / 2f64.powi(53) * (high - low)
    }

    /// A vector of `d` values with a length below `longest`.
    pub(crate) fn vector(&mut self, d: usize, longest: f64) -> DVector<f64> {
        let direction = DVector::from_fn(d, |_, _| self.between(-1.0, 1.0));
        let length = self.between(0.0, longest);
        direction.normalize() * length
    }

    /// A symmetric matrix with eigenvalues between `low` and `high`, evenly spread in size.
    pub(crate) fn matrix(&mut self, d: usize, low: f64, high: f64) -> DMatrix<f64> {
        let random = DMatrix::from_fn(d, d, |_, _| self.between(-1.0, 1.0));
        let basis = random.qr().q();
        let values =
            DVector::from_fn(d, |_, _| libm::exp(self.between(libm::log(low), libm::log(high))));
        let z = &basis * DMatrix::from_diagonal(&values) * basis.transpose();
        (&z + z.transpose()) * 0.5
    }
}
