"""Prints cost.txt: expected latencies and break-even round trips, from docs/placement.md
alone. The break-even is found by root search on the latency, not by a formula.

Shares no code with the crate: python3 scenario/tests/placement/cost.py | diff scenario/tests/placement/cost.txt -

Ends with 3 where numpy or scipy is missing.
"""

import sys
from math import ceil, inf, log2, sqrt

try:
    import numpy as np
    from scipy.optimize import brentq
except ImportError as error:
    print(error, file=sys.stderr)
    sys.exit(3)

SEGMENT, PACKET, HEADER = 1415, 1452, 28


def latency(cycles, up, down, hz, load, overhead, rtt, rate_up, rate_down, loss, fluid, shakes,
            window, wait):
    """Bytes, cycles a second, bits a second on the wire, seconds."""
    share = 1.0 if fluid else SEGMENT / (PACKET + HEADER)
    k = 1 + shakes + (max(ceil(log2(1 + up / window)) - 1, 0) if window else 0)
    total = cycles / (hz * (1 - load)) + overhead + wait + k * rtt
    for size, rate in ((up, rate_up), (down, rate_down)):
        rate = rate * share
        if loss > 0 and not fluid and rtt > 0:
            rate = min(rate, SEGMENT * 8 / rtt * sqrt(1.5 / loss))
        total += size * 8 / rate
    return total


def main():
    rng = np.random.default_rng(5)
    for number in range(60):
        cycles, up, down = int(10 ** rng.uniform(6, 10)), int(10 ** rng.uniform(2, 6)), 1000
        local = (float(rng.uniform(1e8, 3e9)), float(rng.uniform(0, 0.9)))
        edge = (float(rng.uniform(3e9, 3e10)), float(rng.uniform(0, 0.5)),
                float(rng.choice([0, 0.002, 0.01])))
        rtt = float(rng.uniform(0.001, 0.5))
        rates = [float(10 ** rng.uniform(5, 8)), float(10 ** rng.uniform(5, 8))]
        loss = float(rng.choice([0, 0.001, 0.05]))
        fluid, shakes = int(rng.integers(2)), int(rng.integers(2))
        window = int(rng.choice([0, 12000, 100000]))
        wait = float(rng.choice([0, 0.01]))

        def remote(at):
            return latency(cycles, up, down, *edge, at, *rates, loss, fluid, shakes, window, wait)

        here = latency(cycles, up, down, *local, 0, 0, inf, inf, 0, fluid, 0, 0, 0)
        low = remote(0.0)
        if low < here:
            even = brentq(lambda at: remote(at) - here, 0.0, 1e5, xtol=1e-15, rtol=1e-14)
        else:
            # Below 0 the rates alone decide: the formula without the limit by loss.
            k = 1 + shakes + (max(ceil(log2(1 + up / window)) - 1, 0) if window else 0)
            even = (here - low) / k
        values = [cycles, up, down, *local, *edge, rtt, *rates, loss, fluid, shakes, window, wait]
        print(*[repr(value) for value in values], repr(here), repr(remote(rtt)), repr(even))


main()
