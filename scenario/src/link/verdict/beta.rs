//! The beta distribution, of which the exact limits of shares and of ranks are quantiles.

/// Steps of bisection: more than a double can tell apart.
const STEPS: usize = 200;
/// A continued fraction that moves by less than this has arrived.
const PRECISION: f64 = 1e-15;
/// The continued fraction needs about the square root of its parameters in terms: enough for 10^10.
const TERMS: u32 = 200_000;

/// The `p`-quantile of the beta distribution with parameters `a` and `b`, both above 0; by
/// bisection, since Newton's method may leave the interval where `a` or `b` is below 1.
pub(super) fn quantile(a: f64, b: f64, p: f64) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..STEPS {
        let middle = 0.5 * (low + high);
        if middle <= low || middle >= high {
            break;
        }
        if cumulative(a, b, middle) < p { low = middle } else { high = middle }
    }
    0.5 * (low + high)
}

/// The regularised incomplete beta function `I_x(a, b)`: DLMF 8.17.22, whose continued fraction
/// converges quickly below the mean; above it by the symmetry 8.17.4.
fn cumulative(a: f64, b: f64, x: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if x >= 1.0 {
        return 1.0;
    }
    let ln_beta = libm::lgamma(a) + libm::lgamma(b) - libm::lgamma(a + b);
    let front = libm::exp(a * libm::log(x) + b * libm::log1p(-x) - ln_beta);
    if x < (a + 1.0) / (a + b + 2.0) {
        front * fraction(a, b, x) / a
    } else {
        1.0 - front * fraction(b, a, 1.0 - x) / b
    }
}

/// The continued fraction of DLMF 8.17.22, by the method of Lentz in the form of Thompson and Barnett
/// (1986).
fn fraction(a: f64, b: f64, x: f64) -> f64 {
    let away_from_zero = |value: f64| if value.abs() < 1e-300 { 1e-300 } else { value };
    let mut c = 1.0;
    let mut d = 1.0 / away_from_zero(1.0 - (a + b) * x / (a + 1.0));
    let mut value = d;
    for term in 1..TERMS {
        let m = f64::from(term);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        d = 1.0 / away_from_zero(1.0 + even * d);
        c = away_from_zero(1.0 + even / c);
        value *= d * c;
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        d = 1.0 / away_from_zero(1.0 + odd * d);
        c = away_from_zero(1.0 + odd / c);
        value *= d * c;
        if (d * c - 1.0).abs() < PRECISION {
            break;
        }
    }
    value
}
