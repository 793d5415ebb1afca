"""Prints shaper.txt: what becomes of packets on links, from docs/determinism.md and the comments of
scenario/src/link/ alone, with exact fractions where the crate carries remainders.

Shares no code with the crate, so that the two can be checked against each other:
python3 scenario/tests/shaper.py | diff scenario/tests/shaper.txt -

A line `link NAME DIRECTION` begins a link anew, `set DIRECTION` changes it, and
`send TIME PAYLOAD WAITING FATE` is a packet: bytes that wait before it, then `loss`, `queue`, or when
it arrives, with a second time for a copy. A direction is eleven columns: delay, jitter, whether
jitter reorders, loss as its kind and four numbers, duplication, reordering, rate, queue.
"""

from fractions import Fraction
from math import floor

from golden import child, draw, key

HEADERS = 28


class Link:
    def __init__(self, name, direction):
        root = key(7, name, 3)
        self.keys = [child(root, index) for index in range(5)]
        self.number = 0
        self.bad = False
        self.free = Fraction(0)
        self.queue = []
        self.latest = 0
        self.set(direction)

    def set(self, direction):
        old = getattr(self, "direction", direction)
        self.direction = direction
        if direction["loss"][0] == "independent":
            self.bad = False
        if direction["rate"] != old["rate"]:
            self.free = Fraction(floor(self.free))

    def uniform(self, index):
        return (draw(self.keys[index], self.number) >> 11) / 2**53

    def waiting(self, now):
        self.queue = [(begin, size) for begin, size in self.queue if begin > now]
        return sum(size for _, size in self.queue)

    def left(self, now, size):
        rate = self.direction["rate"]
        if rate == 0:
            return now
        begin = self.free if floor(self.free) >= now else Fraction(now)
        if floor(begin) > now:
            if self.waiting(now) + size > self.direction["queue"]:
                return None
            self.queue.append((floor(begin), size))
        self.free = begin + Fraction(size * 8 * 10**9, rate)
        return floor(self.free)

    def arrival(self, left):
        delay, jitter = self.direction["delay"], self.direction["jitter"]
        if self.uniform(3) < self.direction["reorder"]:
            due = left
        else:
            values = 2 * jitter + 1
            due = left + delay - jitter + floor(Fraction(draw(self.keys[4], self.number), 2**64) * values)
            if not self.direction["jitter_reorders"]:
                due = max(due, self.latest)
        self.latest = max(self.latest, due)
        return due

    def send(self, now, payload):
        self.number += 1
        kind, *numbers = self.direction["loss"]
        share = numbers[0]
        if kind == "bursts":
            good_to_bad, bad_to_good, good_loss, bad_loss = numbers
            self.bad = self.bad != (self.uniform(1) < (bad_to_good if self.bad else good_to_bad))
            share = bad_loss if self.bad else good_loss
        if self.uniform(0) < share:
            return "loss"
        dues = []
        for _ in range(2 if self.uniform(2) < self.direction["duplicate"] else 1):
            left = self.left(now, payload + HEADERS)
            if left is not None:
                dues.append(self.arrival(left))
        return " ".join(map(str, dues)) or "queue"


def direction(**changes):
    plain = {"delay": 0, "jitter": 0, "jitter_reorders": 0, "loss": ("independent", 0.0, 0, 0, 0),
             "duplicate": 0.0, "reorder": 0.0, "rate": 0, "queue": 0}
    return plain | changes


def columns(d):
    return " ".join(map(str, [d["delay"], d["jitter"], d["jitter_reorders"], *d["loss"],
                              d["duplicate"], d["reorder"], d["rate"], d["queue"]]))


def play(name, first, packets, changes={}):
    link = Link(name, first)
    print("link", name, columns(first))
    for index, (now, payload) in enumerate(packets):
        if index in changes:
            link.set(changes[index])
            print("set", columns(changes[index]))
        waiting = link.waiting(now)
        print("send", now, payload, waiting, link.send(now, payload))


MS = 10**6
HOUR = 3600 * 10**9
SIZES = [1452, 40, 1200, 1, 0, 16384, 700]


def steady(count, gap, sizes=SIZES):
    return [(index * gap, sizes[index % len(sizes)]) for index in range(count)]


def main():
    bursts = ("bursts", 0.05, 0.25, 0.01, 0.6)
    play("link.up", direction(delay=5 * MS), steady(20, 10_000))
    play("link.up", direction(delay=5 * MS, loss=("independent", 0.2, 0, 0, 0)), steady(100, 10_000))
    play("link.down", direction(delay=5 * MS, loss=bursts), steady(200, 10_000))
    play("link.up", direction(delay=5 * MS, jitter=4 * MS), steady(100, 300_000))
    play("link.up", direction(delay=5 * MS, jitter=4 * MS, jitter_reorders=1), steady(100, 300_000))
    play("link.down", direction(delay=MS, duplicate=0.3, reorder=0.2), steady(100, 100_000))
    for rate in (1_600_000, 12_000_000, 99_999_989):
        play("link.up", direction(rate=rate, queue=20_000), steady(100, 400_000))
    play("link.up", direction(rate=3, queue=10**9), steady(30, 0))
    play("link.up", direction(rate=10_000, queue=64_000), [(HOUR * n, 65507) for n in range(9)])
    play("link.up", direction(rate=10**11, queue=10**9), steady(60, 7, [1452, 40]))
    play("link.down", direction(rate=7 * 10**9, queue=10**9), steady(200, 0, [1]))
    everything = direction(delay=20 * MS, jitter=20 * MS, loss=bursts, duplicate=0.1, reorder=0.1,
                           rate=12_000_000, queue=30_000)
    play("link.down", everything, steady(300, 500_000), {
        60: direction(delay=10 * MS, jitter=3 * MS, jitter_reorders=1, rate=1_600_000, queue=9_000),
        120: direction(delay=MS, loss=("independent", 0.1, 0, 0, 0)),
        180: everything,
        240: direction(),
    })


if __name__ == "__main__":
    main()
