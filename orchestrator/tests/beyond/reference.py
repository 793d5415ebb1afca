"""Prints reference.csv: what two policies do and lose in everything.toml, from the documents alone.

Shares no code with the crates: draws as in docs/determinism.md (scenario/tests/golden.py), the rest
from docs/topology.md. `round-robin` and `optimal` learn nothing, so that no estimate is needed.
python3 orchestrator/tests/beyond/reference.py | diff orchestrator/tests/beyond/reference.csv -
"""

import sys
import tomllib
from math import cos, erfc, pi, sin, sqrt
from pathlib import Path
from statistics import NormalDist

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "../../../scenario/tests"))
from golden import draw, key, poisson  # noqa: E402

TOPOLOGY = tomllib.loads((HERE / "everything.toml").read_text())
NOISE = TOPOLOGY["features"]["noise"]
UNIT = 1 / sqrt(5 + NOISE)


def uniform(seed, label, node, slot):
    return (draw(key(seed, label, node), slot) >> 11) / 2**53


def normal(seed, label, node, number):
    return NormalDist().inv_cdf(((draw(key(seed, label, node), number) >> 12) + 0.5) / 2**52)


def dot(a, b):
    return sum(x * y for x, y in zip(a, b))


def scaled(vector, norm):
    return [value * norm / sqrt(dot(vector, vector)) for value in vector]


def drawn_weights(spec, seed, node, change):
    """Without those of the features that say nothing, which are 0 and last."""
    label = f"node.weights/{change}" if change else "node.weights"
    if spec["kind"] == "given":
        return spec["values"]
    numbers = [normal(seed, label, node, i) for i in range(1, 6)]
    if spec["kind"] == "signs":
        numbers = [abs(number) * sign for number, sign in zip(numbers, spec["signs"])]
    return scaled(numbers, spec.get("norm", 1))


class Node:
    def __init__(self, seed, number, own):
        settings = TOPOLOGY["nodes"] | own
        self.seed, self.number, self.drift = seed, number, settings["drift"]
        self.queue, self.work = settings["queue"], []
        mine = [e for e in TOPOLOGY["event"] if e.get("node", own["name"]) == own["name"]]
        weights = [(1, settings["weights"])] + [
            (event["at"], event["weights"]) for event in mine if "weights" in event
        ]
        self.weights = [
            (since, change, drawn_weights(spec, seed, number, change))
            for change, (since, spec) in enumerate(weights)
        ]
        actions = [(event["at"], event["action"]) for event in mine if "action" in event]
        self.actions = [(0, "leave" if actions[0][1] == "join" else "join")] if actions else []
        self.actions = self.actions + actions or [(0, "join")]

    def present(self, slot):
        return [action for at, action in self.actions if at <= slot][-1] == "join"

    def true_weights(self, slot):
        since, change, w = [entry for entry in self.weights if entry[0] <= slot][-1]
        if self.drift["kind"] == "rotate":
            other = [normal(self.seed, f"node.drift/{change}", self.number, i) for i in range(1, 6)]
            along = dot(other, w) / dot(w, w)
            other = scaled([o - along * x for o, x in zip(other, w)], sqrt(dot(w, w)))
            angle = 2 * pi * (slot - since) / self.drift["period_slots"]
            w = [cos(angle) * x + sin(angle) * o for x, o in zip(w, other)]
        return w + [0] * NOISE

    def observe(self, slot):
        def number(label, at=slot):
            return uniform(self.seed, label, self.number, at)

        capacity = self.queue["capacity"]
        for _ in range(poisson(number("node.own_tasks"), self.queue["own_rate"])):
            if len(self.work) < capacity:
                self.work.append(1_000_000)
        state = [len(self.work) / capacity, number("node.cpu_frequency", 1), number("node.cqi")]
        state += [number(f"node.noise/{i}") for i in range(NOISE)]
        return [UNIT * value for value in state]

    def take(self, slot, told):
        happy = uniform(self.seed, "node.feedback", self.number, slot) < told
        if len(self.work) >= self.queue["capacity"]:
            return 0
        self.work.append(1_000_000)
        return 1 if happy else -1

    def serve(self):
        left = round(self.queue["service_rate"] * 1e6)
        while self.work and left > 0:
            work = min(left, self.work[0])
            left -= work
            self.work[0] -= work
            if self.work[0] == 0:
                self.work.pop(0)


def happiness(product):
    return erfc(-product / sqrt(2)) / 2


def play(policy, seed):
    nodes = [Node(seed, number, own) for number, own in enumerate(TOPOLOGY["node"])]
    flip = TOPOLOGY["feedback"]["flip"]
    for slot in range(1, TOPOLOGY["slots"] + 1):
        task = [UNIT * uniform(seed, label, 0, slot) for label in ("task.length", "task.complexity")]
        products = [dot(task + n.observe(slot), n.true_weights(slot)) for n in nodes]
        there = [number for number, node in enumerate(nodes) if node.present(slot)]
        best = max(there, key=lambda number: products[number])
        turn = min(there, key=lambda number: (number - (slot - 1)) % len(nodes))
        chosen = best if policy == "optimal" else turn
        p, p_best = happiness(products[chosen]), happiness(products[best])
        bit = nodes[chosen].take(slot, p * (1 - flip) + (1 - p) * flip)
        for node in nodes:
            node.serve()
        regret, lost = products[best] - products[chosen], p_best - p
        print(policy, seed, slot, chosen, bit, f"{regret:.12f}", f"{lost:.12f}", sep=",")


for policy in ("round-robin", "optimal"):
    for seed in TOPOLOGY["seeds"]:
        play(policy, seed)
