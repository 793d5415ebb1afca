"""Prints metric.txt: metrics fitted from entropy, by numpy, from docs/cascade.md alone.

python3 scenario/tests/cascade/metric.py > scenario/tests/cascade/metric.txt
"""

import numpy as np

WIDTHS = 2.0 ** np.arange(-8, -3.9, 0.5)


def smooth(h, r, at, width):
    """The mean of rewards with weights exp(-(dh/w)^2), by logarithms."""
    logs = -((at[:, None] - h[None, :]) / width) ** 2
    weights = np.exp(logs - logs.max(axis=1, keepdims=True))
    return (weights * r).sum(axis=1) / weights.sum(axis=1)


def fit(h, r):
    order = np.lexsort((r, h))
    h, r = h[order], r[order]
    grid = np.linspace(h[0], h[-1], 1001)
    halves = [(h[0::2], r[0::2]), (h[1::2], r[1::2])]

    def error(width):
        total = 0.0
        for (a, b), (c, d) in (halves, halves[::-1]):
            total += ((np.interp(c, grid, smooth(a, b, grid, width)) - d) ** 2).sum()
        return total

    widths = (h[-1] - h[0]) * WIDTHS
    errors = np.array([error(width) for width in widths])
    best = errors.argmin()
    others = np.delete(errors, best)
    assert others.min() > errors[best] * (1 + 1e-6), "too near a tie to be a reference"
    return widths[best], grid, smooth(h, r, grid, widths[best])


def sets():
    draws = np.random.Generator(np.random.PCG64(6))
    # Rewards of a rising curve: a wide kernel.
    h = np.round(draws.uniform(0, 2.3, 300), 4)
    yield "smooth", h, (draws.uniform(size=300) < h / 4).astype(float)
    # A fast wave with little noise: a narrow one.
    h = np.round(draws.uniform(0.5, 1.5, 400), 4)
    yield "wave", h, np.round(np.sin(60 * h) + draws.normal(0, 0.01, 400), 4)
    # Two heaps with nothing between: weights that would be 0 over 0.
    h = np.round(np.concatenate([draws.uniform(0, 0.02, 60), draws.uniform(9.98, 10, 60)]), 4)
    yield "heaps", h, np.round(20 * (h % 1 % 0.98) * (-1) ** (h > 5) + draws.normal(0, .3, 120), 4)
    # Entropies that are equal.
    h = np.round(draws.exponential(0.6, 200), 1)
    yield "ties", h, np.round(h**2 / 6 + draws.normal(0, 0.2, 200), 4)


def main():
    for name, h, r in sets():
        width, grid, values = fit(h, r)
        print("set", name, repr(float(width)))
        for entropy, reward in zip(h, r):
            print("sample", repr(float(entropy)), repr(float(reward)))
        at = np.concatenate([[h.min() - 1], np.linspace(h.min(), h.max(), 41), [h.max() + 1]])
        for entropy in at:
            print("value", repr(float(entropy)), repr(float(np.interp(entropy, grid, values))))


if __name__ == "__main__":
    main()
