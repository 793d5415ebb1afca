#!/usr/bin/env python3
"""Probabilities to answer in time, for tests/deadline.rs: python3 reference.py > reference.txt

The model is that of docs/topology.md, computed in another way: the distribution of the sum of both
jitters by numerical integration of one uniform density over the other's distribution function
(scipy.integrate.quad), and beside it by Monte Carlo, packet losses included. Columns: deadline_ms
full_queue_ms answer_bytes task_bytes cycles queue ghz delay_up_ms delay_down_ms jitter_up_ms
jitter_down_ms loss_up loss_down up_mbit_s (0: unlimited) down_mbit_s, then the two probabilities.
"""

import math

import numpy as np
from scipy.integrate import quad
from scipy.stats import uniform

SAMPLES = 2_000_000
HEADERS = 28  # IPv4 and UDP
OVERHEAD = 37  # QUIC
PAYLOAD = 1452 - OVERHEAD


def packets(size):
    return max(1, math.ceil(size / PAYLOAD))


def serialisation_ms(size, mbit_s):
    if mbit_s == 0:
        return 0.0
    return (size + packets(size) * (HEADERS + OVERHEAD)) * 8 / (mbit_s * 1e3)


def box(half):
    return uniform(loc=-half, scale=2 * half) if half > 0 else None


def at_most(limit, a, b):
    """P(u + v <= limit), u uniform within a of 0 and v within b."""
    if a == 0 and b == 0:
        return 1.0 if limit >= 0 else 0.0
    if a == 0 or b == 0:
        return float(box(max(a, b)).cdf(limit))
    u, v = box(a), box(b)
    corners = sorted({min(max(x, -b), b) for x in (limit - a, limit + a)})
    value, _ = quad(lambda y: v.pdf(y) * u.cdf(limit - y), -b, b, points=corners, epsabs=1e-13)
    return value


def deviation(a, b):
    """E|u + v| = integral of the tails."""
    if a == 0 and b == 0:
        return 0.0
    value, _ = quad(lambda t: 1 - at_most(t, a, b) + at_most(-t, a, b), 0, a + b, epsabs=1e-9)
    return value


def case(row, rng):
    (deadline, full, answer, task, cycles, queue, ghz, d_up, d_down, a, b, p, r, up, down) = row
    least = serialisation_ms(task, up) + d_up + queue * full + cycles / (ghz * 1e6)
    least += serialisation_ms(answer, down) + d_down
    again = d_up + d_down + max(4 * deviation(a, b), 1) + 25
    whole = (1 - p) ** packets(task) * (1 - r) ** packets(answer)
    slack = deadline - least
    exact = whole * at_most(slack, a, b) + (1 - whole) * at_most(slack - again, a, b)
    time = least + rng.uniform(-a, a, SAMPLES) + rng.uniform(-b, b, SAMPLES)
    lost = rng.binomial(packets(task), p, SAMPLES) + rng.binomial(packets(answer), r, SAMPLES)
    time += np.where(lost > 0, again, 0.0)
    return exact, float(np.mean(time <= deadline))


ROWS = [
    # deadline full answer task cycles queue ghz d_up d_down a b p r up down
    (100, 50, 200, 8000, 4e7, 0.3, 2.0, 0, 0, 0, 0, 0, 0, 0, 0),
    (34, 50, 200, 8000, 4e7, 0.3, 2.0, 0, 0, 0, 0, 0, 0, 0, 0),
    (115, 50, 200, 8000, 4e7, 0.3, 2.0, 35, 35, 5, 5, 0, 0, 12, 12),
    (112, 50, 200, 8000, 4e7, 0.3, 2.0, 35, 35, 5, 5, 0, 0, 12, 12),
    (117.5, 50, 200, 8000, 4e7, 0.3, 2.0, 35, 35, 5, 5, 0, 0, 12, 12),
    (70, 20, 1, 14150, 1e7, 1.0, 4.0, 12.5, 12.5, 2.5, 2.5, 0.001, 0.001, 50, 100),
    (45, 0, 1416, 1415, 0, 0.5, 1.0, 20, 15, 9, 4, 0.02, 0.01, 5, 10),
    (36, 0, 1416, 1415, 0, 0.5, 1.0, 20, 15, 9, 4, 0.02, 0.01, 5, 10),
    (31, 0, 1416, 1415, 0, 0.5, 1.0, 20, 15, 9, 4, 0.02, 0.01, 5, 10),
    (60, 0, 200, 0, 1e6, 0.0, 1.0, 30, 20, 12, 0, 0.1, 0.1, 0, 0),
    (60, 0, 200, 0, 1e6, 0.0, 1.0, 30, 20, 0, 12, 0.1, 0.1, 0, 0),
    (300, 100, 200, 12000, 5e7, 0.25, 1.5, 100, 100, 10, 10, 0.05, 0.05, 5, 10),
    (540, 100, 200, 12000, 5e7, 0.25, 1.5, 100, 100, 10, 10, 0.05, 0.05, 5, 10),
    (520, 100, 200, 12000, 5e7, 0.25, 1.5, 150, 150, 25, 25, 0.005, 0.005, 0.768, 1.6),
]


def main():
    rng = np.random.default_rng(20)
    for row in ROWS:
        exact, sampled = case(row, rng)
        print(*(f"{value:g}" for value in row), f"{exact:.12f}", f"{sampled:.6f}")


main()
