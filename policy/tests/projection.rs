//! The projection on the unit ball in the norm of Z: what makes it one, and an independent
//! implementation of it.

mod common;

use common::Numbers;
use fogbit_policy::one_bit::projection::{Workspace, packed, packed_len, project};
use nalgebra::{DMatrix, DVector};
use proptest::prelude::*;

fn projected(z: &DMatrix<f64>, u: &DVector<f64>) -> DVector<f64> {
    let d = u.len();
    let mut upper = vec![0.0; packed_len(d)];
    for i in 0..d {
        for j in i..d {
            upper[packed(d, i, j)] = z[(i, j)];
        }
    }
    let mut w = u.clone();
    project(&upper, w.as_mut_slice(), &mut Workspace::new(d));
    w
}

/// What the projection makes smallest.
fn distance(z: &DMatrix<f64>, w: &DVector<f64>, u: &DVector<f64>) -> f64 {
    let difference = w - u;
    difference.dot(&(z * &difference))
}

fn cases() -> impl Strategy<Value = (usize, Numbers, f64)> {
    (1..=8usize, any::<u64>().prop_map(Numbers), prop::sample::select(vec![1.0, 10.0, 1e3, 1e6]))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn inner_points_stay(case in cases()) {
        let (d, mut numbers, condition) = case;
        let (z, u) = (numbers.matrix(d, 0.5, 0.5 * condition), numbers.vector(d, 1.0 - 1e-12));
        prop_assert_eq!(projected(&z, &u), u);
    }

    /// The conditions of Karush, Kuhn and Tucker: `Z (u - w) = mu w` with `mu >= 0` and
    /// `||w|| = 1`. For a convex problem they are enough.
    #[test]
    fn outer_points_go_where_no_better_point_is(case in cases()) {
        let (d, mut numbers, condition) = case;
        let (z, u) = (numbers.matrix(d, 0.5, 0.5 * condition), numbers.vector(d, 4.0));
        prop_assume!(u.norm() > 1.0);
        let w = projected(&z, &u);
        prop_assert!(w.norm() <= 1.0 + 1e-15, "{}", w.norm());
        prop_assert!(w.norm() >= 1.0 - 1e-10, "{}", w.norm());
        let force = &z * (&u - &w);
        let mu = force.dot(&w);
        prop_assert!(mu >= 0.0);
        let residual = (&force - &w * mu).norm();
        prop_assert!(residual <= 1e-9 * condition.max(force.norm()), "{}", residual);
        for _ in 0..20 {
            let other = numbers.vector(d, 1.0);
            let (best, there) = (distance(&z, &w, &u), distance(&z, &other, &u));
            prop_assert!(best <= there * (1.0 + 1e-12), "{} above {}", best, there);
        }
    }

    #[test]
    fn eigenvalues_and_bisection_agree(case in cases()) {
        let (d, mut numbers, condition) = case;
        let (z, u) = (numbers.matrix(d, 0.5, 0.5 * condition), numbers.vector(d, 4.0));
        let (got, want) = (projected(&z, &u), common::projection(&z, &u));
        prop_assert!((&got - &want).amax() <= 1e-9, "{} for {}", got, want);
    }

    /// In the norm of a multiple of the identity it is a matter of length alone.
    #[test]
    fn a_round_ball_only_shortens(d in 1..=8usize, lambda in 0.01..100.0f64, seed: u64) {
        let u = Numbers(seed).vector(d, 4.0);
        let w = projected(&(DMatrix::identity(d, d) * lambda), &u);
        let want = if u.norm() > 1.0 { u.normalize() } else { u };
        prop_assert!((w - want).amax() <= 1e-14);
    }
}
