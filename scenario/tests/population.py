"""Prints population.txt: what is known of the tasks of seed 000 at large, by numpy: rate, number of
tasks, share that is better offloaded, and mean and deviation of the seconds that are lost by whoever
offloads all, and by whoever keeps all.

python3 -B scenario/tests/population.py | diff scenario/tests/population.txt -
"""

import numpy as np

from training import latencies


def population(name, bytes_s, draws):
    """Share that is better offloaded, and mean regret of whoever offloads all, and of who none."""
    cycles, size, load, rtt = draws
    local, edge = latencies(cycles, size, load, rtt, bytes_s)
    best = np.minimum(local, edge)
    losses = edge - best, local - best
    print(name, len(local), *(f"{v:.6g}" for v in (np.mean(edge < local),
          *(f(loss) for loss in losses for f in (np.mean, np.std)))))


def main():
    # The notebook's own 5,000 tasks, in the order in which it draws them.
    np.random.seed(0)
    size, cycles, rtt, load = (np.random.uniform(low, high, size=(5000,)) for low, high in
                               ((100, 5000), (1e6, 1e9), (0.01, 0.2), (0.1, 0.9)))
    notebook = cycles, size * 1e3, load, rtt
    rng = np.random.default_rng(1)
    count = 2_000_000
    large = (rng.uniform(1e6, 1e9, count), rng.uniform(1e5, 5e6, count),
             rng.uniform(0.1, 0.9, count), rng.uniform(0.01, 0.2, count))
    for name, draws in (("notebook", notebook), ("population", large)):
        for units, bytes_s in (("1MB/s", 1e6), ("1Mbit/s", 1.25e5), ("slip", 1e9)):
            population(f"{name} {units}", bytes_s, draws)


if __name__ == "__main__":
    main()
