//! How long TOOF takes to decide and learn, and beside it a bare loop of the same arithmetic, so
//! that a ratio can be quoted whatever the machine.
//!
//! Both play the same trial of some thousand slots over contexts that lie in memory; a slot is one
//! element of the reported throughput.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use fogbit_policy::Policy;
use fogbit_policy::one_bit::SequentialMlePolicy;
use fogbit_scenario::draw::{Key, Purpose, Stream};
use fogbit_scenario::feedback::{bit, happiness};
use fogbit_scenario::topology::SequentialMle;
use fogbit_scenario::{Bit, Contexts};

const D: usize = 5;
const SLOTS: usize = 4000;

/// A trial's contexts, and for each slot and node the bit it would give.
struct Trial<const N: usize> {
    contexts: Vec<Contexts>,
    /// The same contexts as the bare loop wants them: feature by feature.
    bare: Vec<[[f64; N]; D]>,
    bits: Vec<[Bit; N]>,
}

impl<const N: usize> Trial<N> {
    /// Features uniform over their range, weights of norm 1 with the signs of the paper, logit
    /// truth.
    fn new() -> Trial<N> {
        let stream = |purpose, node| Stream::new(&Key::derive(1, purpose, node));
        let weights: Vec<[f64; D]> = (0..N).map(weights).collect();
        let mut draws: Vec<_> = (0..N).map(|n| stream(Purpose::Feedback, n)).collect();
        let mut features: Vec<_> = (0..N * D).map(|i| stream(Purpose::Cqi, i)).collect();
        let mut trial = Trial { contexts: vec![], bare: vec![], bits: vec![] };
        for slot in 1..=SLOTS as u64 {
            let mut contexts = Contexts::new(N, D);
            let mut bare = [[0.0; N]; D];
            for (node, of_node) in features.chunks_exact_mut(D).enumerate() {
                for (feature, stream) in of_node.iter_mut().enumerate() {
                    let value = stream.uniform(slot) / (D as f64).sqrt();
                    contexts.set(node, feature, value);
                    bare[feature][node] = value;
                }
            }
            let bits = std::array::from_fn(|node| {
                let product = contexts.dot(node, &weights[node]);
                bit(draws[node].uniform(slot), happiness(product))
            });
            trial.contexts.push(contexts);
            trial.bare.push(bare);
            trial.bits.push(bits);
        }
        trial
    }
}

fn weights(node: usize) -> [f64; D] {
    let mut stream = Stream::new(&Key::derive(1, Purpose::Weights, node));
    let signs = [-1.0, -1.0, -1.0, 1.0, 1.0];
    let raw: [f64; D] = std::array::from_fn(|i| stream.normal(i as u64 + 1).abs() * signs[i]);
    let norm = raw.iter().map(|v| v * v).sum::<f64>().sqrt();
    raw.map(|v| v / norm)
}

/// The policy, as the trial loop calls it: through the trait. Gives how often each node was chosen.
fn play_policy<const N: usize>(trial: &Trial<N>) -> [u32; N] {
    let mut policy: Box<dyn Policy> =
        Box::new(SequentialMlePolicy::toof(&SequentialMle::default(), N, D));
    let mut chosen = [0; N];
    for (index, contexts) in trial.contexts.iter().enumerate() {
        let slot = index as u64 + 1;
        let node = policy.decide(slot, contexts);
        policy.learn(slot, contexts, node, trial.bits[index][node]);
        chosen[node] += 1;
    }
    chosen
}

/// The same arithmetic with nothing around it: arrays of known size, `Z` and its inverse in full.
fn play_bare<const N: usize>(trial: &Trial<N>) -> [u32; N] {
    let half_beta = 0.25 / (1.0 + std::f64::consts::E);
    let mut inverse = [[[0.0; N]; D]; D];
    let mut z = [[[0.0; D]; D]; N];
    let mut w = [[0.0; N]; D];
    for i in 0..D {
        inverse[i][i] = [1.0; N];
        z.iter_mut().for_each(|z| z[i][i] = 1.0);
    }
    let mut chosen = [0; N];
    for (index, x) in trial.bare.iter().enumerate() {
        let gamma = 0.03 * D as f64 * libm::log(2.0 + index as f64);
        let (mut product, mut square) = ([0.0; N], [0.0; N]);
        for i in 0..D {
            let mut beyond = [0.0; N];
            for j in i + 1..D {
                for n in 0..N {
                    beyond[n] += inverse[i][j][n] * x[j][n];
                }
            }
            for n in 0..N {
                product[n] += x[i][n] * w[i][n];
                square[n] += x[i][n] * (inverse[i][i][n] * x[i][n] + 2.0 * beyond[n]);
            }
        }
        let mut node = 0;
        let mut score = [0.0; N];
        for n in 0..N {
            score[n] = product[n] + (gamma * square[n]).sqrt();
        }
        for n in 1..N {
            if score[n] > score[node] {
                node = n;
            }
        }
        chosen[node] += 1;

        let own: [f64; D] = std::array::from_fn(|i| x[i][node]);
        let mut zx = [0.0; D];
        for i in 0..D {
            for j in 0..D {
                zx[i] += inverse[i.min(j)][i.max(j)][node] * own[j];
            }
        }
        let dot = |a: &[f64; D]| a.iter().zip(&own).map(|(a, x)| a * x).sum::<f64>();
        let growth = 1.0 + half_beta * dot(&zx);
        let mut u: [f64; D] = std::array::from_fn(|i| w[i][node]);
        let y = f64::from(trial.bits[index][node].sign());
        let step = y / (1.0 + libm::exp(y * dot(&u))) / growth;
        for i in 0..D {
            for j in i..D {
                z[node][i][j] += half_beta * own[i] * own[j];
                inverse[i][j][node] -= half_beta / growth * zx[i] * zx[j];
            }
            u[i] += step * zx[i];
        }
        project(&z[node], &mut u);
        for i in 0..D {
            w[i][node] = u[i];
        }
    }
    chosen
}

/// The projection of (8) by Newton's method on `1 / ||w||`.
fn project(z: &[[f64; D]; D], u: &mut [f64; D]) {
    let square = |v: &[f64; D]| v.iter().map(|v| v * v).sum::<f64>();
    if square(u) <= 1.0 {
        return;
    }
    let mut mu = 0.0;
    let mut w = *u;
    for _ in 0..50 {
        let mut l = [[0.0; D]; D];
        for j in 0..D {
            for i in j..D {
                let mut entry = z[j][i] + if i == j { mu } else { 0.0 };
                for (a, b) in l[i][..j].iter().zip(&l[j][..j]) {
                    entry -= a * b;
                }
                l[i][j] = if i == j { entry.sqrt() } else { entry / l[j][j] };
            }
        }
        let forward = |b: &mut [f64; D]| {
            for i in 0..D {
                for k in 0..i {
                    b[i] -= l[i][k] * b[k];
                }
                b[i] /= l[i][i];
            }
        };
        let mut p = *u;
        forward(&mut p);
        for i in (0..D).rev() {
            for (k, row) in l.iter().enumerate().skip(i + 1) {
                p[i] -= row[i] * p[k];
            }
            p[i] /= l[i][i];
        }
        w = std::array::from_fn(|i| u[i] - mu * p[i]);
        let norm = square(&w).sqrt();
        if norm - 1.0 <= 1e-15 {
            break;
        }
        let mut half = w;
        forward(&mut half);
        mu += norm * norm / square(&half) * (norm - 1.0);
    }
    *u = w;
}

fn compare<const N: usize>(criterion: &mut Criterion) {
    let trial = Trial::<N>::new();
    assert_eq!(play_policy(&trial), play_bare(&trial), "both must do the same work");
    let mut group = criterion.benchmark_group(format!("decide and learn, {N} nodes"));
    group.throughput(Throughput::Elements(SLOTS as u64));
    group.bench_function("toof", |bencher| bencher.iter(|| play_policy(&trial)));
    group.bench_function("bare loop", |bencher| bencher.iter(|| play_bare(&trial)));
    group.finish();
}

fn benches(criterion: &mut Criterion) {
    compare::<10>(criterion);
    compare::<100>(criterion);
}

criterion_group!(decide_learn, benches);
criterion_main!(decide_learn);
