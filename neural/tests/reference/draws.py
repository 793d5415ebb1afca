"""Prints draws.json: first weights and shuffles, from docs/determinism.md alone.

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


def main():
    weights = key(1, "network.weights", 0)
    shuffle = key(1, "network.shuffle", 0)
    # Layers 1 and 3 are ReLU.
    widths = {0: (4, 32), 2: (32, 16), 4: (16, 2)}
    layers = {str(n): dense(child(weights, n), *shape) for n, shape in widths.items()}
    # The ends of each layer say enough.
    ends = {n: {"first": own[:3], "last": own[-2:]} for n, own in layers.items()}
    orders = {str(n): shuffled(child(shuffle, n), 20) for n in (1, 2)}
    print(json.dumps({"layers": ends, "orders": orders}, indent=1))


if __name__ == "__main__":
    main()
