//! The exact projection on the unit ball in the norm of Z, which equation (8) asks for.

/// Index of entry `(i, j)`, `i <= j`, among the entries of a symmetric d x d matrix that are kept:
/// the upper triangle, row after row.
#[inline(always)]
pub const fn packed(d: usize, i: usize, j: usize) -> usize {
    i * d - i * i.saturating_sub(1) / 2 + (j - i)
}

/// Number of entries of a symmetric d x d matrix that are kept.
#[inline(always)]
pub const fn packed_len(d: usize) -> usize {
    d * (d + 1) / 2
}

/// Room for the intermediate results of [`project`].
#[derive(Debug, Clone)]
pub struct Workspace {
    factor: Vec<f64>,
    solution: Vec<f64>,
    half: Vec<f64>,
}

impl Workspace {
    /// For vectors of `d` values.
    pub fn new(d: usize) -> Workspace {
        Workspace { factor: vec![0.0; d * d], solution: vec![0.0; d], half: vec![0.0; d] }
    }
}

/// Replaces `u` by `argmin over ||w|| <= 1 of (w - u)' Z (w - u)`; `z` is the packed upper triangle
/// of a positive definite matrix.
///
/// Outside the ball the solution is `w = (Z + mu I)^-1 Z u = u - mu (Z + mu I)^-1 u` for the
/// `mu > 0` with `||w|| = 1`. That root is found by Newton's method on `1 / ||w||`, which is nearly
/// linear in mu and converges from the left without overshooting (Moré and Sorensen, "Computing a
/// trust region step", SIAM J. Sci. Stat. Comput. 4 (1983), section 3).
pub fn project(z: &[f64], u: &mut [f64], workspace: &mut Workspace) {
    let d = u.len();
    // With the dimension known the compiler unrolls every loop.
    match d {
        5 => project_inline(5, z, u, workspace),
        _ => project_inline(d, z, u, workspace),
    }
}

#[inline(always)]
fn project_inline(d: usize, z: &[f64], u: &mut [f64], workspace: &mut Workspace) {
    let (z, u) = (&z[..packed_len(d)], &mut u[..d]);
    if dot(u, u) <= 1.0 {
        return;
    }
    let factor = &mut workspace.factor[..d * d];
    let p = &mut workspace.solution[..d];
    let half = &mut workspace.half[..d];
    let mut mu = 0.0;
    // Newton needs 3 to 6 steps, and about 40 where Z is nearly singular.
    for _ in 0..200 {
        cholesky(d, z, mu, factor);
        p.copy_from_slice(u);
        forward(d, factor, p);
        backward(d, factor, p);
        let mut norm_square = 0.0;
        for i in 0..d {
            let w = u[i] - mu * p[i];
            half[i] = w;
            norm_square += w * w;
        }
        let norm = norm_square.sqrt();
        if norm - 1.0 <= 1e-15 {
            break;
        }
        forward(d, factor, half);
        let step = norm_square / dot(half, half) * (norm - 1.0);
        if mu + step == mu {
            break;
        }
        mu += step;
    }
    for i in 0..d {
        u[i] -= mu * p[i];
    }
    // What rounding left outside the ball.
    let norm = dot(u, u).sqrt();
    if norm > 1.0 {
        for value in u.iter_mut() {
            *value /= norm;
        }
    }
}

/// Replaces `b` by `Z^-1 b`; `z` is the packed upper triangle of a positive definite matrix.
pub(super) fn solve(z: &[f64], b: &mut [f64], workspace: &mut Workspace) {
    // With the dimension known the compiler unrolls every loop.
    match b.len() {
        5 => solve_inline(5, z, b, workspace),
        d => solve_inline(d, z, b, workspace),
    }
}

#[inline(always)]
fn solve_inline(d: usize, z: &[f64], b: &mut [f64], workspace: &mut Workspace) {
    let (z, b) = (&z[..packed_len(d)], &mut b[..d]);
    let factor = &mut workspace.factor[..d * d];
    cholesky(d, z, 0.0, factor);
    forward(d, factor, b);
    backward(d, factor, b);
}

#[inline(always)]
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut sum = 0.0;
    for (x, y) in a.iter().zip(b) {
        sum += x * y;
    }
    sum
}

/// Lower triangular L with `L L' = Z + mu I`, row after row.
#[inline(always)]
fn cholesky(d: usize, z: &[f64], mu: f64, factor: &mut [f64]) {
    for j in 0..d {
        let mut pivot = z[packed(d, j, j)] + mu;
        for k in 0..j {
            pivot -= factor[j * d + k] * factor[j * d + k];
        }
        // Rounding may push the pivot of a nearly singular matrix below 0.
        let root = pivot.max(f64::MIN_POSITIVE).sqrt();
        factor[j * d + j] = root;
        let inverse = 1.0 / root;
        for i in j + 1..d {
            let mut entry = z[packed(d, j, i)];
            for k in 0..j {
                entry -= factor[i * d + k] * factor[j * d + k];
            }
            factor[i * d + j] = entry * inverse;
        }
    }
}

/// Replaces `b` by `L^-1 b`.
#[inline(always)]
fn forward(d: usize, factor: &[f64], b: &mut [f64]) {
    for i in 0..d {
        let mut value = b[i];
        for k in 0..i {
            value -= factor[i * d + k] * b[k];
        }
        b[i] = value / factor[i * d + i];
    }
}

/// Replaces `b` by `L'^-1 b`.
#[inline(always)]
fn backward(d: usize, factor: &[f64], b: &mut [f64]) {
    for i in (0..d).rev() {
        let mut value = b[i];
        for k in i + 1..d {
            value -= factor[k * d + i] * b[k];
        }
        b[i] = value / factor[i * d + i];
    }
}
