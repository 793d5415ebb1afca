"""Prints draws.json: first weights, shuffles and decisions, from docs/determinism.md alone.

Shares no code with the crate; the draws are those of scenario/tests/golden.py.
python3 neural/tests/reference/draws.py | diff neural/tests/reference/draws.json -
"""

import json
import math
import struct
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3] / "scenario" / "tests"))
from golden import child, draw, key


def single(value):
    return struct.unpack("<f", struct.pack("<f", value))[0]


def uniform(own, count, bound):
    draws = [(draw(own, slot) >> 11) / 2**53 for slot in range(1, count + 1)]
    return [single((2 * u - 1) * bound) for u in draws]


def dense(own, inputs, outputs):
    """All weights, then all biases, of one layer."""
    return uniform(own, outputs * (inputs + 1), 1 / math.sqrt(inputs))


def he_uniform(own, inputs, outputs):
    return uniform(own, outputs * inputs, math.sqrt(6 / inputs)) + [0.0] * outputs


def shuffled(own, count):
    rows = list(range(count))
    for number, place in enumerate(range(count - 1, 0, -1), 1):
        other = draw(own, number) * (place + 1) >> 64
        rows[place], rows[other] = rows[other], rows[place]
    return rows


def row_sum(weight, x):
    """In single precision: doubles hold a product exactly, and round a sum of two only once more."""
    whole = len(x) - len(x) % 4
    lanes = [0.0] * 4
    for i in range(whole):
        lanes[i % 4] = single(lanes[i % 4] + single(weight[i] * x[i]))
    rest = 0.0
    for i in range(whole, len(x)):
        rest = single(rest + single(weight[i] * x[i]))
    pairs = single(lanes[0] + lanes[2]), single(lanes[1] + lanes[3])
    return single(single(pairs[0] + pairs[1]) + rest)


def sum_in_order(weight, x):
    """As row_sum, in the order of prepared networks."""
    total = 0.0
    for w, value in zip(weight, x):
        total = single(total + single(w * value))
    return total


def decide(own, widths, x, first=dense, row_sum=row_sum, slope=0.0):
    """What a network of first weights gives, with ReLU between its layers."""
    for layer, (inputs, outputs) in enumerate(zip(widths, widths[1:])):
        values = first(child(own, 2 * layer), inputs, outputs)
        weight, bias = values[: inputs * outputs], values[inputs * outputs :]
        rows = [weight[n * inputs : (n + 1) * inputs] for n in range(outputs)]
        x = [single(row_sum(row, x) + b) for row, b in zip(rows, bias)]
        if layer + 2 < len(widths):
            x = [single(slope * value) if value < 0.0 else value for value in x]
    return x


def decision(own, widths, **how):
    x = [single(math.sin(1 + i)) for i in range(widths[0])]
    return {"widths": widths, "row": x, "outputs": decide(own, widths, x, **how)}


def main():
    weights = key(1, "network.weights", 0)
    shuffle = key(1, "network.shuffle", 0)
    # Layers 1 and 3 are ReLU.
    widths = {0: (4, 32), 2: (32, 16), 4: (16, 2)}
    layers = {str(n): dense(child(weights, n), *shape) for n, shape in widths.items()}
    # The ends of each layer say enough.
    ends = {n: {"first": own[:3], "last": own[-2:]} for n, own in layers.items()}
    orders = {str(n): shuffled(child(shuffle, n), 20) for n in (1, 2)}
    shapes = ([4, 32, 16, 2], [24, 64, 32, 24], [7, 5, 11, 3], [1, 1], [3, 6])
    decisions = [decision(weights, shape) for shape in shapes]
    # Leaky networks with He's first weights, prepared.
    how = {"first": he_uniform, "row_sum": sum_in_order, "slope": single(0.2)}
    shapes = ([4, 32, 16, 2], [96, 64, 64, 71], [7, 5, 11, 3], [1, 1], [3, 70])
    prepared = [decision(weights, shape, **how) for shape in shapes]
    everything = {"layers": ends, "orders": orders, "decisions": decisions, "prepared": prepared}
    print(json.dumps(everything, indent=1))


if __name__ == "__main__":
    main()
