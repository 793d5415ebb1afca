//! The probability that one of several independent normal numbers is the largest.

use fogbit_scenario::draw::normal_cdf;

/// The normal density beyond this many deviations weighs less than 1e-18.
const REACH: f64 = 9.0;
/// How far from its middle, in deviations, a distribution function is not yet 0 or 1 to 1e-15.
const TRANSITION: f64 = 8.0;
/// Halves of an interval may differ from the whole by this much.
const TOLERANCE: f64 = 1e-12;

/// The probability that number `node` of independent normal numbers with these means and deviations
/// is the largest, to within 1e-9. A deviation of 0 is a certain number, of which the first of equal
/// ones wins; a mean of minus infinity is a number that does not take part.
///
/// It is the integral of the density of number `node` times the distribution functions of the
/// others, cut where one of these begins or ends to rise, and adaptively from there.
pub fn probability_of_largest(means: &[f64], deviations: &[f64], node: usize) -> f64 {
    let (mean, deviation) = (means[node], deviations[node]);
    if mean == f64::NEG_INFINITY {
        return 0.0;
    }
    let others = || {
        let all = means.iter().zip(deviations).enumerate();
        all.filter(move |(other, (m, _))| *other != node && **m > f64::NEG_INFINITY)
    };
    let uncertain: Vec<(f64, f64)> =
        others().filter(|(_, (_, s))| **s > 0.0).map(|(_, (m, s))| (*m, *s)).collect();
    let certain = others().filter(|(_, (_, s))| **s <= 0.0).map(|(other, (m, _))| (other, *m));
    let below = |value: f64| -> f64 {
        uncertain.iter().map(|(m, s)| normal_cdf((value - m) / s)).product()
    };
    if deviation <= 0.0 {
        let beaten = certain.clone().all(|(other, m)| m < mean || (m == mean && node < other));
        return if beaten { below(mean) } else { 0.0 };
    }
    // Below the largest certain number it cannot be the largest.
    let floor = certain.map(|(_, m)| (m - mean) / deviation).fold(-REACH, f64::max);
    let mut cuts: Vec<f64> = uncertain
        .iter()
        .flat_map(|(m, s)| {
            let (middle, half) = ((m - mean) / deviation, TRANSITION * s / deviation);
            [middle - half, middle, middle + half]
        })
        .chain((-4..=4).map(f64::from))
        .filter(|cut| (floor..REACH).contains(cut))
        .chain([floor, REACH.max(floor)])
        .collect();
    cuts.sort_by(f64::total_cmp);
    let integrand = |z: f64| libm::exp(-0.5 * z * z) * DENSITY_AT_0 * below(mean + deviation * z);
    cuts.windows(2).map(|cut| adaptive(&integrand, cut[0], cut[1], 24)).sum()
}

/// `1 / sqrt(2 pi)`.
const DENSITY_AT_0: f64 = 0.398_942_280_401_432_7;

/// The integral of `f` from `a` to `b`, halved at most `depth` times over.
fn adaptive(f: &impl Fn(f64) -> f64, a: f64, b: f64, depth: u32) -> f64 {
    let middle = 0.5 * (a + b);
    let (left, right) = (gauss(f, a, middle), gauss(f, middle, b));
    if depth == 0 || (gauss(f, a, b) - (left + right)).abs() <= TOLERANCE {
        return left + right;
    }
    adaptive(f, a, middle, depth - 1) + adaptive(f, middle, b, depth - 1)
}

/// Gauss and Legendre's rule with eight points.
fn gauss(f: &impl Fn(f64) -> f64, a: f64, b: f64) -> f64 {
    const POINTS: [(f64, f64); 4] = [
        (0.183_434_642_495_649_8, 0.362_683_783_378_362),
        (0.525_532_409_916_329, 0.313_706_645_877_887_3),
        (0.796_666_477_413_626_7, 0.222_381_034_453_374_48),
        (0.960_289_856_497_536_3, 0.101_228_536_290_376_26),
    ];
    let (centre, half) = (0.5 * (a + b), 0.5 * (b - a));
    POINTS.iter().fold(0.0, |sum, (point, weight)| {
        sum + weight * (f(centre - half * point) + f(centre + half * point))
    }) * half
}
