"""An adapter for estimators as scikit-learn has them: `partial_fit` and `predict_proba`.

Each node gets an estimator of its own, which learns from a context whether the node will be happy.
The task goes to the node with the largest probability; one time in twenty to any, and at first to
those that have not answered yet. With scikit-learn installed the estimator is its SGDClassifier with
logistic loss; without, the small one below. `--own` takes the small one in any case.
"""

import math
import random
import sys

from fogbit_policy import serve

EPSILON = 0.05


class OwnLogistic:
    """Logistic regression by stochastic gradient steps, with the interface of scikit-learn."""

    def __init__(self):
        self.weights, self.steps = None, 0

    def partial_fit(self, contexts, bits, classes=None):
        for x, bit in zip(contexts, bits):
            self.weights = self.weights or [0.0] * len(x)
            self.steps += 1
            slope = bit / (1 + math.exp(bit * self._product(x)))
            rate = 1 / math.sqrt(self.steps)
            self.weights = [w + rate * slope * v for w, v in zip(self.weights, x)]

    def predict_proba(self, contexts):
        happy = [1 / (1 + math.exp(-self._product(x))) for x in contexts]
        return [[1 - p, p] for p in happy]

    def _product(self, x):
        return sum(w * v for w, v in zip(self.weights, x))


def scikit_learn_estimator(seed):
    from sklearn.linear_model import SGDClassifier

    return SGDClassifier(loss="log_loss", learning_rate="invscaling", eta0=1.0, random_state=seed)


def estimator(seed):
    if "--own" not in sys.argv:
        try:
            return scikit_learn_estimator(seed % 2**32)
        except ImportError:
            pass
    return OwnLogistic()


class Adapter:
    """A policy of one estimator a node."""

    def __init__(self, nodes, features, seed):
        self.random = random.Random(seed)
        self.estimators = [estimator(seed) for _ in range(nodes)]
        self.learnt = [False] * nodes

    def decide(self, slot, contexts, present):
        scores = [self._score(node, x) for node, x in enumerate(contexts)]
        if self.random.random() < EPSILON:
            return self.random.choice(list(present)), scores
        return max(present, key=lambda node: scores[node]), scores

    def learn(self, slot, node, context, bit):
        self.estimators[node].partial_fit([context], [bit], classes=[-1, 1])
        self.learnt[node] = True

    def _score(self, node, x):
        return self.estimators[node].predict_proba([x])[0][1] if self.learnt[node] else 1.0


serve(Adapter)
