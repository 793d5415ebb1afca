"""Prints verdict.json: what SciPy and NumPy say of intervals, quantiles and lines, for verdict.rs.

Shares no code with the crate.

python3 scenario/tests/verdict.py > scenario/tests/verdict.json
"""

import json

import numpy as np
from scipy import integrate, optimize, stats


def clopper_pearson():
    cases = [(0, 1), (0, 400), (1, 400), (7, 400), (400, 400), (104, 2000), (1000, 100_000)]
    cases += [(5, 1_000_000), (4_999_123, 10_000_000), (0.5, 41.0), (3.25, 2041.5), (12.5, 12.75)]
    rows = []
    for hits, size in cases:
        low = stats.beta.ppf(0.0005, hits, size - hits + 1) if hits > 0 else 0.0
        high = stats.beta.ppf(0.9995, hits + 1, size - hits) if hits < size else 1.0
        rows.append([hits, size, float(low), float(high)])
    for hits, size, low, high in rows:
        if isinstance(hits, int) and size <= 100_000:
            exact = stats.binomtest(hits, size).proportion_ci(0.999, "exact")
            assert np.allclose([low, high], [exact.low, exact.high], rtol=1e-9, atol=0)
    return rows


def sum_of_uniforms(a, b, share):
    """Quantile of U(0, a) + U(0, b) by integrating one over the other."""

    def cumulative(x):
        inner = lambda u: min(max((x - u) / b, 0.0), 1.0)
        edges = sorted({min(max(x - b, 0.0), a), min(max(x, 0.0), a)})
        return integrate.quad(inner, 0, a, points=edges, epsabs=1e-13, limit=200)[0] / a

    return optimize.brentq(lambda x: cumulative(x) - share, 0, a + b, xtol=1e-12)


def round_trips():
    cases = [(5.0, 5.0), (10.0, 10.0), (2.0, 30.0), (50.0, 49.0)]
    shares = [0.0005, 0.05, 0.3, 0.5, 0.9, 0.9995]
    return [[a, b, p, sum_of_uniforms(a, b, p)] for a, b in cases for p in shares]


def delay_interval():
    """Jitters of 10 and 6 ms on a floor of 41 ms, 30 round trips: rank 2."""
    rng = np.random.default_rng(5)
    trips = np.round(41e6 + rng.uniform(0, 10e6, 30) + rng.uniform(0, 6e6, 30)).astype(int)
    second = float(np.sort(trips)[1])
    at = lambda tail: second - 1e6 * sum_of_uniforms(6.0, 10.0, stats.beta.ppf(tail, 2, 29))
    fifth = 1e6 * sum_of_uniforms(6.0, 10.0, 0.05)
    return {
        "trips_ns": trips.tolist(),
        "configured_ms": (41e6 + fifth) / 1e6,
        "measured_ms": (at(0.5) + fifth) / 1e6,
        "low_ms": (at(0.9995) + fifth) / 1e6,
        "high_ms": (at(0.0005) + fifth) / 1e6,
    }


def rate_interval():
    """64 groups at 12 Mbit/s with noise that goes on for some packets; the sandwich as a matrix."""
    rng = np.random.default_rng(6)
    noise = np.zeros(64)
    for i in range(1, 64):
        noise[i] = 0.6 * noise[i - 1] + rng.normal(0, 2e5)
    x = 1228.0 * (1 + 8 * np.arange(64))
    y = x * 8e3 / 12.0 + noise
    design = np.column_stack([np.ones(64), x])
    bread = np.linalg.inv(design.T @ design)
    beta = bread @ design.T @ y
    scores = design * (y - design @ beta)[:, None]
    meat = scores.T @ scores
    for lag in range(1, 9):
        part = scores[lag:].T @ scores[:-lag]
        meat += (1 - lag / 9) * (part + part.T)
    error = np.sqrt((bread @ meat @ bread)[1, 1] * 64 / 62)
    t = stats.t.ppf(0.9995, 12)
    return {
        "groups": [[float(a), float(b)] for a, b in zip(x, y)],
        "measured": 8e3 / beta[1],
        "low": 8e3 / (beta[1] + t * error),
        "high": 8e3 / (beta[1] - t * error),
    }


def inflation():
    """Variance of the share lost of n packets of a chain, from the powers of its matrix."""
    rows = []
    for g, b, hg, hb, n in [(0.0002, 0.02, 0.0, 0.5, 2000), (0.01, 0.1, 0.0, 1.0, 500),
                            (0.05, 0.2, 0.01, 0.6, 64), (0.3, 0.4, 0.0, 1.0, 1000)]:
        matrix = np.array([[1 - g, g], [b, 1 - b]])
        share = np.array([b, g]) / (g + b)
        loss = np.array([hg, hb])
        p = share @ loss
        variance, power = n * p * (1 - p), np.eye(2)
        for k in range(1, n):
            power = power @ matrix
            variance += 2 * (n - k) * ((share * loss) @ power @ loss - p * p)
        rows.append([g, b, hg, hb, n, variance / (n * p * (1 - p))])
    return rows


json.dump(
    {
        "clopper_pearson": clopper_pearson(),
        "round_trips": round_trips(),
        "delay": delay_interval(),
        "rate": rate_interval(),
        "inflation": inflation(),
    },
    __import__("sys").stdout,
    indent=1,
)
print()
