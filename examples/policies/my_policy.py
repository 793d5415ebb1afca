"""A policy in thirty lines: epsilon-greedy by the mean bit of each node.

Mostly the task goes to the node that was happiest so far; one time in ten to any. The contexts are
not looked at: yours can do better.
"""

import random

from fogbit_policy import serve

EPSILON = 0.1


class MyPolicy:
    def __init__(self, nodes, features, seed):
        self.random = random.Random(seed)
        self.sums = [0] * nodes
        self.counts = [0] * nodes

    def decide(self, slot, contexts, present):
        scores = [s / c if c else 1.0 for s, c in zip(self.sums, self.counts)]
        best = node = max(present, key=lambda node: scores[node])
        if self.random.random() < EPSILON:
            node = self.random.choice(list(present))
        return node, scores, EPSILON / len(present) + (1 - EPSILON) * (node == best)

    def learn(self, slot, node, context, bit):
        self.sums[node] += bit
        self.counts[node] += 1


serve(MyPolicy)
