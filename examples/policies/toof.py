"""TOOF of arXiv 1806.10547 with numpy: a readable second version of Fogbit's own.

Equation numbers are those of docs/policies.md. Arguments: lambda and c, for example
`toof.py 1 0.03`. It makes the choices of `kind = "toof"` with the same parameters.
"""

import sys

import numpy as np

from fogbit_policy import serve

LAMBDA = float(sys.argv[1]) if len(sys.argv) > 1 else 1.0
C = float(sys.argv[2]) if len(sys.argv) > 2 else 0.03
BETA = 1 / (2 * (1 + np.e))  # with R = 1


def project(u, z):
    """The nearest point of the unit ball, where distance is measured by z."""
    if u @ u <= 1:
        return u
    values, vectors = np.linalg.eigh(z)
    turned = vectors.T @ u
    length = lambda mu: np.linalg.norm(values * turned / (values + mu))
    low, high = 0.0, values.max() * np.linalg.norm(u)  # length(high) <= 1
    while high - low > 1e-15 * high:
        middle = (low + high) / 2
        if middle in (low, high):
            break
        low, high = (middle, high) if length(middle) > 1 else (low, middle)
    return vectors @ (values * turned / (values + high))


class Toof:
    def __init__(self, nodes, features, seed):
        self.w = np.zeros((nodes, features))
        self.z = np.stack([LAMBDA * np.eye(features)] * nodes)
        self.z_inverse = np.stack([np.eye(features) / LAMBDA] * nodes)

    def decide(self, slot, contexts, present):
        x = np.array(contexts)
        gamma = C * x.shape[1] * np.log1p(slot)
        squares = np.einsum("ni,nij,nj->n", x, self.z_inverse, x)
        scores = np.einsum("ni,ni->n", x, self.w) + np.sqrt(gamma * squares)  # (10)-(13)
        masked = np.full(len(scores), -np.inf)
        masked[list(present)] = scores[list(present)]
        return masked.argmax(), masked

    def learn(self, slot, node, context, bit):
        x, w = np.array(context), self.w[node]
        self.z[node] += BETA / 2 * np.outer(x, x)  # (9)
        self.z_inverse[node] = np.linalg.inv(self.z[node])
        gradient = -bit * x / (1 + np.exp(bit * (x @ w)))
        self.w[node] = project(w - self.z_inverse[node] @ gradient, self.z[node])  # (8)
        return self.w[node]


serve(Toof)
