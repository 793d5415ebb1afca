"""Prints streams.txt: streams of images, mean gaps and token buckets, from docs/cascade.md and
docs/determinism.md alone.

Shares no code with the crate, so that the two can be checked against each other:
python3 scenario/tests/cascade/streams.py | diff scenario/tests/cascade/streams.txt -
"""

import os
import sys
from fractions import Fraction
from math import floor, lcm

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
sys.dont_write_bytecode = True
from golden import draw, key  # noqa: E402

SEED = 11
# Images, spread, reset; gaps and probabilities of leaving.
STREAMS = [
    (3334, 0.1, 0.1, (1, 1), (0.0, 0.0)),
    (50, 0.0, 0.3, (2, 2), (0.0, 0.0)),
    (50, 1.0, 0.0, (1, 3), (0.2, 0.1)),
    (7, 0.5, 1.0, (4, 1), (0.05, 0.3)),
    (1000, 0.25, 0.01, (3, 5), (1.0, 1.0)),
]
GAPS = [((1, 3), (0.001, 0.0005)), ((1, 6), (0.01, 0.02)), ((2, 2), (0.3, 0.1)),
        ((5, 1), (0.9, 0.8)), ((1, 2), (1.0, 1.0)), ((7, 3), (0.25, 0.5))]
BUCKETS = [("1/10", "4"), ("1/20", "1"), ("1/4", "4"), ("1/3", "3/2"), ("3/7", "5/2"), ("1", "1")]


def stream(images, spread, reset, gaps, leave, count):
    keys = {name: key(SEED, name, 0)
            for name in ("image.reset", "image.place", "image.within", "image.arrivals")}

    def uniform(name, number):
        return (draw(keys[name], number) >> 11) / 2**53

    def choice(name, number, among):
        return draw(keys[name], number) * among >> 64

    width = min(floor(spread * images), images - 1)
    total = sum(leave)
    slot, place, gap = 1, 0, 0
    state = 0 if uniform("image.arrivals", 1) < (leave[1] / total if total else 1) else 1
    for image in range(1, count + 1):
        if image > 1:
            gap = gaps[state]
            for _ in range(gap):
                slot += 1
                if uniform("image.arrivals", slot) < leave[state]:
                    state = 1 - state
        if image == 1 or uniform("image.reset", image) < reset:
            place = choice("image.place", image, images)
        rank = (place + choice("image.within", image, width + 1)) % images
        yield slot, gap, rank, place, state


def mean_gap(gaps, leave):
    """Exactly: the chain of states at images, whose steps are `gap` steps of the chain of slots."""
    a, b = (Fraction(str(p)) for p in leave)
    slot = [[1 - a, a], [b, 1 - b]]

    def power(n):
        result = [[1, 0], [0, 1]]
        for _ in range(n):
            result = [[sum(row[k] * slot[k][j] for k in range(2)) for j in range(2)]
                      for row in result]
        return result

    out, back = power(gaps[0])[0][1], power(gaps[1])[1][0]
    first = back / (out + back)
    return first, first * gaps[0] + (1 - first) * gaps[1]


def bucket(rate, depth, count):
    """Levels in tokens, as the paper writes them, with a wish to send two of three images."""
    rate, depth = Fraction(rate), Fraction(depth)
    price = lcm(rate.denominator, depth.denominator)
    tokens, wasted, sent = depth, Fraction(0), False
    yield rate * price, price, depth * price
    for image in range(count):
        gap = 0 if image == 0 else 1 + image % 4
        for step in range(gap):
            tokens += rate - (1 if sent and step == 0 else 0)
            wasted += max(tokens - depth, 0)
            tokens = min(tokens, depth)
        sent = image % 3 != 2 and tokens >= 1
        yield tokens * price, wasted * price, int(sent)


def main():
    for setting in STREAMS:
        images, spread, reset, gaps, leave = setting
        print("stream", SEED, images, spread, reset, *gaps, *leave)
        for number, arrival in enumerate(stream(*setting, 60), 1):
            print("image", number, *arrival)
    for gaps, leave in GAPS:
        first, mean = mean_gap(gaps, leave)
        print("gap", *gaps, *leave, float(first), float(mean))
    for rate, depth in BUCKETS:
        levels = bucket(rate, depth, 60)
        print("bucket", rate, depth, *next(levels))
        for number, level in enumerate(levels, 1):
            print("level", number, *level)


if __name__ == "__main__":
    main()
