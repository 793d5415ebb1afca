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


def dense(own, inputs, outputs):
    """All weights, then all biases, of one layer."""
    bound = 1 / math.sqrt(inputs)
    uniform = [(draw(own, slot) >> 11) / 2**53 for slot in range(1, outputs * (inputs + 1) + 1)]
    return [single((2 * u - 1) * bound) for u in uniform]


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


def decide(own, widths, x):
    """What a network of first weights gives, with ReLU between its layers."""
    for layer, (inputs, outputs) in enumerate(zip(widths, widths[1:])):
        values = dense(child(own, 2 * layer), inputs, outputs)
        weight, bias = values[: inputs * outputs], values[inputs * outputs :]
        rows = [weight[n * inputs : (n + 1) * inputs] for n in range(outputs)]
        x = [single(row_sum(row, x) + b) for row, b in zip(rows, bias)]
        if layer + 2 < len(widths):
            x = [max(value, 0.0) for value in x]
    return x


def decision(own, widths):
    x = [single(math.sin(1 + i)) for i in range(widths[0])]
    return {"widths": widths, "row": x, "outputs": decide(own, widths, x)}


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
    print(json.dumps({"layers": ends, "orders": orders, "decisions": decisions}, indent=1))


if __name__ == "__main__":
    main()
