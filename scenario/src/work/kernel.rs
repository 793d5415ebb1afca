//! What is computed. The result is a function of the input, the work and the wanted length: on any
//! host, with any compiler, in any order of summation.

use sha2::{Digest, Sha256};

use super::{Work, WorkKind};

/// Side of the matrices.
pub(super) const SIDE: usize = 32;
/// Entries of matrices are below it. A sum of 32 products of entries is below 2^24, so f32 holds it
/// exactly, whatever is added first.
const MODULUS: i32 = 251;
/// Between two questions whether to go on lie rounds of at most so many cycles, some 100
/// microseconds...
const CYCLES_AT_ONCE: u64 = 1 << 20;
/// ... or so many bytes of input that are hashed.
const BYTES_AT_ONCE: usize = 1 << 16;
/// ... or so many hashes of output.
const BLOCKS_AT_ONCE: u64 = 1 << 9;

type Hash = [u8; 32];
type Matrix = [[f32; SIDE]; SIDE];

/// Does `work` on `input` and gives `output_bytes` bytes of result; `None` as soon as `go_on` says
/// no, which is asked every few hundred microseconds.
///
/// Let D be the SHA-256 of the input, and X(H) the bytes SHA-256(H, 0), SHA-256(H, 1), ... for the
/// counter as eight bytes, little endian. The result is the beginning of X(R), where R is
///
/// - `sha256-chain`: H_k, with H_0 = D and H_(i+1) = SHA-256(H_i, D) for the k rounds;
/// - `matrix-product`: the SHA-256 of B_k, row by row as f32, little endian. The first 2 x 1,024
///   bytes of X(D), modulo 251, are the 32 x 32 matrices A and B_0, row by row, and
///   B_(i+1) = A B_i modulo 251.
///
/// Whoever calls it bounds `output_bytes`: that much memory is taken.
pub fn execute(
    work: Work,
    input: &[u8],
    output_bytes: u64,
    go_on: &mut dyn FnMut() -> bool,
) -> Option<Vec<u8>> {
    let digest = hash_all(input, go_on)?;
    let result = match work.kind {
        WorkKind::Sha256Chain => chain(digest, work, go_on)?,
        WorkKind::MatrixProduct => product(digest, work, go_on)?,
    };
    extend(&result, output_bytes, go_on)
}

fn hash_all(input: &[u8], go_on: &mut dyn FnMut() -> bool) -> Option<Hash> {
    let mut hasher = Sha256::new();
    for part in input.chunks(BYTES_AT_ONCE) {
        hasher.update(part);
        go_on().then_some(())?;
    }
    Some(hasher.finalize().into())
}

/// Calls `round` as often as `work` has rounds.
fn rounds(work: Work, go_on: &mut dyn FnMut() -> bool, mut round: impl FnMut()) -> Option<()> {
    let at_once = (CYCLES_AT_ONCE / work.kind.round_cycles()).max(1);
    let mut left = work.rounds();
    while left > 0 {
        go_on().then_some(())?;
        let now = left.min(at_once);
        (0..now).for_each(|_| round());
        left -= now;
    }
    Some(())
}

fn chain(digest: Hash, work: Work, go_on: &mut dyn FnMut() -> bool) -> Option<Hash> {
    let mut bytes = [0; 64];
    bytes[..32].copy_from_slice(&digest);
    bytes[32..].copy_from_slice(&digest);
    rounds(work, go_on, || {
        let hash: Hash = Sha256::digest(bytes).into();
        bytes[..32].copy_from_slice(&hash);
    })?;
    Some(bytes[..32].try_into().expect("32 of 64 bytes"))
}

fn product(digest: Hash, work: Work, go_on: &mut dyn FnMut() -> bool) -> Option<Hash> {
    let bytes = extend(&digest, (2 * SIDE * SIDE) as u64, go_on)?;
    let (left, mut right) = (matrix(&bytes[..SIDE * SIDE]), matrix(&bytes[SIDE * SIDE..]));
    rounds(work, go_on, || right = multiply(&left, &right))?;
    let mut hasher = Sha256::new();
    for entry in right.as_flattened() {
        hasher.update(entry.to_le_bytes());
    }
    Some(hasher.finalize().into())
}

fn matrix(bytes: &[u8]) -> Matrix {
    let mut matrix = [[0.0; SIDE]; SIDE];
    for (entry, byte) in matrix.as_flattened_mut().iter_mut().zip(bytes) {
        *entry = (i32::from(*byte) % MODULUS) as f32;
    }
    matrix
}

fn multiply(left: &Matrix, right: &Matrix) -> Matrix {
    let mut product = [[0.0; SIDE]; SIDE];
    for (row, factors) in product.iter_mut().zip(left) {
        for (factor, other) in factors.iter().zip(right) {
            for (entry, value) in row.iter_mut().zip(other) {
                *entry += factor * value;
            }
        }
        for entry in row {
            *entry = (*entry as i32 % MODULUS) as f32;
        }
    }
    product
}

fn extend(hash: &Hash, bytes: u64, go_on: &mut dyn FnMut() -> bool) -> Option<Vec<u8>> {
    let length = usize::try_from(bytes).ok()?;
    let mut output = Vec::with_capacity(length);
    for counter in 0..bytes.div_ceil(32) {
        if counter % BLOCKS_AT_ONCE == 0 {
            go_on().then_some(())?;
        }
        let block = Sha256::new().chain_update(hash).chain_update(counter.to_le_bytes()).finalize();
        output.extend_from_slice(&block[..(length - output.len()).min(32)]);
    }
    Some(output)
}
