"""Prints stats.json: what NumPy and SciPy say of a few lists, for tests/stats.rs.

Shares no code with the crate. The resamples of the bootstrap are made anew from
docs/determinism.md; the limits made of them are SciPy's.

python3 orchestrator/tests/data/stats.py > orchestrator/tests/data/stats.json
"""

import hashlib
import json
import struct

import numpy as np
import scipy
from scipy import stats

RESAMPLES = 10_000


def words(count):
    """The first 32-bit words of the ChaCha8 key stream with the label stats.bootstrap."""
    key = hashlib.sha256(b"fogbit.draws.1" + struct.pack("<QQ", 0, 0) + b"stats.bootstrap").digest()
    blocks = -(-count // 16)
    start = np.zeros((16, blocks), dtype=np.uint32)
    start[:4] = np.frombuffer(b"expand 32-byte k", dtype="<u4")[:, None]
    start[4:12] = np.frombuffer(key, dtype="<u4")[:, None]
    start[12] = np.arange(blocks)
    x = start.copy()

    def quarter(a, b, c, d):
        for left, right, other, turn in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
            x[left] += x[right]
            mixed = x[other] ^ x[left]
            x[other] = (mixed << np.uint32(turn)) | (mixed >> np.uint32(32 - turn))

    for _ in range(4):
        for i in range(4):
            quarter(i, 4 + i, 8 + i, 12 + i)
        for i in range(4):
            quarter(i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4)
    return (x + start).T.reshape(-1)[:count]


def resampled_means(values):
    """Counted, so that a permutation of the values has exactly their mean."""
    n = len(values)
    chosen = (words(RESAMPLES * n).astype(np.uint64) * np.uint64(n)) >> np.uint64(32)
    means = []
    for row in chosen.astype(int).reshape(RESAMPLES, n):
        total = 0.0
        for value, times in zip(values, np.bincount(row, minlength=n)):
            total += value * int(times)
        means.append(total / n)
    return np.array(means)


def mean(sample, axis=-1):
    """SciPy compares the resampled means with this one, so it has to be summed as they are."""
    sample = np.moveaxis(np.asarray(sample), axis, -1)
    total = np.zeros(sample.shape[:-1])
    for i in range(sample.shape[-1]):
        total = total + sample[..., i]
    return total / sample.shape[-1]


def bca(values):
    means = resampled_means(values)
    before = stats.bootstrap((values,), mean, n_resamples=2, method="percentile")
    before.bootstrap_distribution = means
    again = stats.bootstrap((values,), mean, n_resamples=0, bootstrap_result=before, method="BCa")
    own = stats.bootstrap((values,), np.mean, n_resamples=200_000, method="BCa",
                          rng=np.random.default_rng(1), batch=1000)
    interval, other = again.confidence_interval, own.confidence_interval
    return {"low": interval.low, "high": interval.high, "own_low": other.low,
            "own_high": other.high, "means": means[:5].tolist()}


def seeds_needed(values):
    """By going up one by one; None above a million, which takes a search."""
    size, sd = abs(np.mean(values)), np.std(values, ddof=1)

    def enough(n):
        return size > stats.t.ppf(0.975, n - 1) * sd / np.sqrt(n)

    if not enough(1_000_000):
        return None
    n = max(2, int((1.96 * sd / size) ** 2) - 5)
    assert n == 2 or not enough(n)
    while not enough(n):
        n += 1
    return n


def case(name, a, b):
    a, b = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    differences = a - b
    test = stats.ttest_rel(a, b)
    interval = test.confidence_interval(0.95)
    return {
        "name": name,
        "a": a.tolist(),
        "b": b.tolist(),
        "mean": np.mean(differences),
        "sd": np.std(differences, ddof=1),
        "median": np.median(differences),
        "quantiles": [[p, np.quantile(differences, p)] for p in (0, 0.025, 0.1, 0.5, 0.9, 0.999, 1)],
        "low": interval.low,
        "high": interval.high,
        "p_value": test.pvalue,
        "higher_share": np.mean(differences > 0) + np.mean(differences == 0) / 2,
        "seeds_needed": seeds_needed(differences),
        "bootstrap": bca(differences),
    }


def ranks(name, values, higher):
    """Policies in rows, seeds in columns."""
    values = np.asarray(values, dtype=float)
    order = stats.rankdata(-values if higher else values, axis=0)
    extreme = values.max(axis=0) if higher else values.min(axis=0)
    best = values == extreme
    return {"name": name, "values": values.tolist(), "higher": higher,
            "mean_rank": order.mean(axis=1).tolist(),
            "best_share": (best / best.sum(axis=0)).mean(axis=1).tolist()}


rng = np.random.default_rng(1908)
shared = rng.normal(0, 30, 100)
print(json.dumps({
    "made_with": f"numpy {np.__version__}, scipy {scipy.__version__}",
    "pairs": [
        case("student", [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0],
             [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]),
        case("two seeds", [3.25, 4.5], [1.0, 0.75]),
        case("clear", 700 + shared + rng.normal(0, 10, 100), 650 + shared + rng.normal(0, 10, 100)),
        case("open", 700 + shared + rng.normal(0, 60, 100), 695 + shared + rng.normal(0, 60, 100)),
        case("skewed", rng.lognormal(2, 1.2, 37), rng.lognormal(2, 0.3, 37)),
        case("whole numbers", rng.integers(-3, 5, 25), rng.integers(-4, 4, 25)),
        case("hopeless", 1e-4 + np.tile([-1.0, 1.0], 10), np.zeros(20)),
    ],
    "ranks": [
        ranks("regret", rng.normal(600, 50, (4, 30)), False),
        ranks("with ties", rng.integers(0, 4, (5, 40)), True),
        ranks("one policy", [[1.0, 2.0]], True),
    ],
}, indent=1))
