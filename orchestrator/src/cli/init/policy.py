"""The policy NAME: decides, slot after slot, which helper node gets the next task.

Fogbit starts this program for each trial and asks it over standard input and output;
`fogbit_policy.serve` does the talking. What you print goes to standard error, and its last lines are
shown if the policy fails.
"""

import random

from fogbit_policy import serve


class Policy:
    """One trial. It is made anew for each seed."""

    def __init__(self, nodes, features, seed):
        """`nodes` helper nodes with `features` features. Take all chance from `seed`: then the same
        seed gives the same decisions."""
        self.random = random.Random(seed)
        self.happy = [0] * nodes
        self.asked = [0] * nodes

    def decide(self, slot, contexts, present):
        """The number of the node for the task of `slot`, which counts from 1.

        `contexts[n]` are the features of node n: task length, task complexity, queue length, CPU
        frequency, channel quality. Only nodes in `present` can be chosen: some are absent where the
        topology has events that say so, and where they are lost in real time.
        With the scores of all nodes behind it - `return node, scores` - they are kept for you.
        """
        untried = [node for node in present if self.asked[node] == 0]
        if untried:
            return untried[0]
        if self.random.random() < 0.05:
            return self.random.choice(list(present))
        return max(present, key=lambda node: self.happy[node] / self.asked[node])

    def learn(self, slot, node, context, bit):
        """`node`, whose features were `context`, answered to the task of `slot`: `bit` is 1 if it was
        happy and -1 if not. Other slots may have been decided since: with `feedback.delay_slots`, and
        in real time, where answers can also come in another order than tasks were sent in."""
        self.asked[node] += 1
        self.happy[node] += bit == 1


serve(Policy)
