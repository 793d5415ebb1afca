"""Prints golden.txt: keys, draws, normal and Poisson numbers, from docs/determinism.md alone.

Shares no code with the crate, so that the two can be checked against each other:
python3 scenario/tests/golden.py | diff scenario/tests/golden.txt -
"""

import hashlib
import struct
from decimal import Decimal, getcontext
from statistics import NormalDist

MASK = 0xFFFFFFFF


def key(seed, purpose, node):
    ids = struct.pack("<QQ", seed, node)
    return hashlib.sha256(b"fogbit.draws.1" + ids + purpose.encode()).digest()


def chacha8_block(key, counter):
    start = list(struct.unpack("<4I", b"expand 32-byte k") + struct.unpack("<8I", key))
    start += [counter & MASK, counter >> 32, 0, 0]
    x = start[:]

    def quarter(a, b, c, d):
        for left, right, other, turn in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
            x[left] = (x[left] + x[right]) & MASK
            mixed = x[other] ^ x[left]
            x[other] = (mixed << turn | mixed >> (32 - turn)) & MASK

    for _ in range(4):
        for i in range(4):
            quarter(i, 4 + i, 8 + i, 12 + i)
        for i in range(4):
            quarter(i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4)
    return struct.pack("<16I", *((a + b) & MASK for a, b in zip(x, start)))


def draw(key, slot):
    block, word = divmod(slot - 1, 8)
    return struct.unpack("<8Q", chacha8_block(key, block))[word]


def child(key, index):
    return hashlib.sha256(b"fogbit.draws.1.child" + key + struct.pack("<Q", index)).digest()


def bits(number):
    return struct.pack(">d", number).hex()


def poisson(u, mean):
    """The smallest k with u < P(X <= k), summed with 60 digits."""
    u, mean = Decimal(u), Decimal(mean)
    term = total = (-mean).exp()
    k = 0
    while u >= total:
        k += 1
        term *= mean / k
        total += term
    return k


getcontext().prec = 60
PURPOSES = ["task.length", "task.complexity", "node.weights", "node.cpu_frequency", "node.cqi",
            "node.queue", "node.own_tasks", "node.feedback", "node.noise/0", "node.noise/12",
            "node.drift/0", "node.drift/2", "node.weights/1", "link.up", "link.down",
            "task.cycles", "task.input", "task.load", "node.load", "link.rtt", "task.shadow",
            "train.tasks", "image.reset", "image.place", "image.within", "image.arrivals",
            "train.images", "pipeline.applications", "pipeline.conditions", "pipeline.random",
            "train.applications/0", "train.applications/1", "network.weights",
            "network.shuffle", "policy/random", "policy/a-b_c.d"]
PLACES = [(0, 0), (1, 0), (1, 1), (2, 9999), (2**63 - 1, 7)]
SLOTS = [1, 2, 8, 9, 32, 33, 1000, 2**36 + 5]
INDICES = [0, 1, 2**64 - 1]
DRAWS = [0, 1 << 11, 1 << 40, 1 << 55, 0x7FFFFFFFFFFFF000, 1 << 63, 0x123456789ABCDEF0,
         0xFEDCBA9876543210, 0xFFFFF00000000000, 2**64 - 1]


def main():
    for purpose in PURPOSES:
        for seed, node in PLACES:
            print("key", purpose, seed, node, key(seed, purpose, node).hex())
    for purpose in PURPOSES:
        for seed, node in PLACES:
            for index in INDICES:
                derived = child(key(seed, purpose, node), index).hex()
                print("child", purpose, seed, node, index, derived)
    for purpose in PURPOSES:
        for seed, node in PLACES[1:4]:
            for slot in SLOTS:
                print("draw", purpose, seed, node, slot, f"{draw(key(seed, purpose, node), slot):016x}")
    stream = key(1, "node.weights", 0)
    samples = DRAWS + [draw(stream, slot) for slot in range(1, 41)]
    for sample in samples:
        print("uniform", f"{sample:016x}", bits((sample >> 11) / 2**53))
    for sample in samples:
        middle = ((sample >> 12) + 0.5) / 2**52
        print("normal", f"{sample:016x}", bits(NormalDist().inv_cdf(middle)))
    for mean in ("0", "0.001", "0.06", "0.5", "3", "20", "100"):
        for sample in samples[:-25]:
            u = (sample >> 11) / 2**53
            # The last steps before 1 are finer than a sum of doubles can be.
            if u < 1 - 1e-12:
                print("poisson", mean, f"{sample:016x}", poisson(u, mean))


if __name__ == "__main__":
    main()
