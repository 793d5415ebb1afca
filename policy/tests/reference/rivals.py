"""Writes what the rival policies of policy/src/one_bit must do, slot by slot.

Every policy is written down here once more, as its definition says it and without haste: matrices
in full, inverted or solved anew in every slot, roots by bisection, projections by eigenvalues,
optima by SciPy. Nothing here comes from the Rust code but the draws of the two policies that draw,
which are made from their definition in docs/determinism.md.

    python3 policy/tests/reference/rivals.py | gzip -9n > policy/tests/reference/rivals.json.gz

needs numpy and scipy. N = 3, d = 5; each trace has the environment's contexts and potential bits
beside it, so that a policy plays on its own choices.
"""

import hashlib
import json
import struct
import sys

import numpy as np
from scipy import integrate, optimize, special, stats

N, D = 3, 5
BETA = 1 / (2 * (1 + np.e))


def sigma(z):
    return 1 / (1 + np.exp(-z))


def projection(matrix, u):
    """argmin over the unit ball of (v - u)' matrix (v - u)."""
    if u @ u <= 1:
        return u
    values, vectors = np.linalg.eigh(matrix)
    along = vectors.T @ u

    def excess(mu):
        return np.linalg.norm(values * along / (values + mu)) - 1

    mu = optimize.brentq(excess, 0, values.max() * np.linalg.norm(u), xtol=1e-15, rtol=1e-15)
    return vectors @ (values * along / (values + mu))


# ---- draws -----------------------------------------------------------------------------------


def chacha8_words(key, count):
    """The first `count` 64-bit words of the ChaCha8 key stream."""
    constants = [0x61707865, 0x3320646E, 0x79622D32, 0x6B206574]
    words = []
    block = 0
    while len(words) < count:
        start = constants + list(struct.unpack("<8I", key))
        start += [block & 0xFFFFFFFF, block >> 32, 0, 0]
        s = list(start)

        def quarter(a, b, c, d):
            for x, y, z, turn in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
                s[x] = (s[x] + s[y]) & 0xFFFFFFFF
                mixed = s[z] ^ s[x]
                s[z] = ((mixed << turn) | (mixed >> (32 - turn))) & 0xFFFFFFFF

        for _ in range(4):
            for column in range(4):
                quarter(column, column + 4, column + 8, column + 12)
            for i in range(4):
                quarter(i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4)
        out = [(a + b) & 0xFFFFFFFF for a, b in zip(s, start)]
        words += [out[i] | out[i + 1] << 32 for i in range(0, 16, 2)]
        block += 1
    return words[:count]


def policy_key(seed, name):
    label = f"policy/{name}".encode()
    return hashlib.sha256(b"fogbit.draws.1" + struct.pack("<QQ", seed, 0) + label).digest()


def child(key, index):
    return hashlib.sha256(b"fogbit.draws.1.child" + key + struct.pack("<Q", index)).digest()


def normals(key, count):
    return [stats.norm.ppf(((w >> 12) + 0.5) * 2.0**-52) for w in chacha8_words(key, count)]


# ---- policies --------------------------------------------------------------------------------


class Sequential:
    """Equations (8) and (9): toof."""

    def __init__(self, p):
        self.p = p
        prior = p.get("prior")
        self.lam = p["lambda"]
        self.mean = np.zeros(D)
        if prior:
            self.lam = prior.get("strength", self.lam)
            self.mean = np.array(prior["mean"])
        self.w = [self.mean.copy() for _ in range(N)]
        self.m = [self.lam * np.eye(D) for _ in range(N)]

    def bonus(self, t, x, n):
        gamma = self.p["gamma"]["c"] * D * np.log(1 + t) if "gamma" in self.p else 0.0
        return np.sqrt(gamma * (x @ np.linalg.solve(self.m[n], x)))

    def scores(self, t, xs):
        return [x @ self.w[n] + self.bonus(t, x, n) for n, x in enumerate(xs)]

    def grow(self, t, n, x):
        self.m[n] = self.m[n] + BETA / 2 * np.outer(x, x)

    def learn(self, t, n, x, y):
        self.grow(t, n, x)
        g = -y * x / (1 + np.exp(y * (x @ self.w[n])))
        self.w[n] = projection(self.m[n], self.w[n] - np.linalg.solve(self.m[n], g))


class Discounted(Sequential):
    """Z of every node decays in every slot; the bit of slot t counts in full in slot t + 1."""

    def learn(self, t, n, x, y):
        d = self.p["discount"]
        for k in range(N):
            self.m[k] = d * self.m[k] + (1 - d) * self.lam * np.eye(D)
        super().learn(t, n, x, y)


class Implicit(Sequential):
    """ada-OFU-ECOLog."""

    def learn(self, t, n, x, y):
        inverse = np.linalg.inv(self.m[n])
        k, m, r = x @ inverse @ x, x @ self.w[n], (y + 1) / 2
        a = optimize.brentq(lambda a: a - r + sigma(m + a * k), -1, 1, xtol=1e-16, rtol=1e-15)
        self.w[n] = projection(self.m[n], self.w[n] + a * inverse @ x)
        s = sigma(x @ self.w[n])
        self.m[n] = self.m[n] + s * (1 - s) * np.outer(x, x)


class Thompson(Implicit):
    def __init__(self, p, key, slots):
        super().__init__(p)
        self.z = [normals(child(key, n), slots) for n in range(N)]

    def moments(self, xs):
        means = [x @ self.w[n] for n, x in enumerate(xs)]
        return means, [
            self.p["scale"] * np.sqrt(x @ np.linalg.solve(self.m[n], x)) for n, x in enumerate(xs)
        ]

    def scores(self, t, xs):
        means, deviations = self.moments(xs)
        return [m + s * self.z[n][t - 1] for n, (m, s) in enumerate(zip(means, deviations))]

    def propensities(self, t, xs):
        return largest(*self.moments(xs))


class LinUcb(Sequential):
    """Ridge regression of 2y, solved from its sums in every slot."""

    def __init__(self, p):
        super().__init__(p)
        self.b = [self.lam * self.mean for _ in range(N)]

    def bonus(self, t, x, n):
        return self.p["alpha"] * np.sqrt(x @ np.linalg.solve(self.m[n], x))

    def learn(self, t, n, x, y):
        self.m[n] = self.m[n] + np.outer(x, x)
        self.b[n] = self.b[n] + 2 * y * x
        self.w[n] = np.linalg.solve(self.m[n], self.b[n])


class EpsilonGreedy(Sequential):
    def __init__(self, p, key, slots):
        super().__init__(p)
        self.coin = [(w >> 11) * 2.0**-53 for w in chacha8_words(child(key, 0), slots)]
        self.node = [(w * N) >> 64 for w in chacha8_words(child(key, 1), slots)]

    def epsilon(self, t):
        return min(1.0, self.p["epsilon"] / t ** self.p["decay"])

    def scores(self, t, xs):
        products = [x @ self.w[n] for n, x in enumerate(xs)]
        if self.coin[t - 1] < self.epsilon(t):
            products[self.node[t - 1]] = 2.0
        return products

    def propensities(self, t, xs):
        products = [x @ self.w[n] for n, x in enumerate(xs)]
        return [
            self.epsilon(t) / N + (1 - self.epsilon(t)) * (n == int(np.argmax(products)))
            for n in range(N)
        ]


class Mle(Sequential):
    """The whole history; the optimum over the ball by SciPy, made sharp by its own KKT conditions."""

    def __init__(self, p):
        super().__init__(p)
        self.history = [[] for _ in range(N)]

    def learn(self, t, n, x, y):
        self.grow(t, n, x)
        self.history[n].append(y * x)
        self.w[n] = most_likely(np.array(self.history[n]), self.lam, self.mean)


def most_likely(yx, lam, mean):
    """argmin over the unit ball of sum ln(1 + exp(-y x.w)) + lam/2 |w - mean|^2.

    By the multiplier mu >= 0 of |w|^2 <= 1: for each mu the minimum of what is added to by
    mu/2 |w|^2 is free, and |w(mu)| falls with mu.
    """

    def free(mu):
        def value(w):
            loss = np.logaddexp(0, -yx @ w).sum()
            return loss + lam / 2 * (w - mean) @ (w - mean) + mu / 2 * w @ w

        def gradient(w):
            return -yx.T @ sigma(-yx @ w) + lam * (w - mean) + mu * w

        start = optimize.minimize(value, mean, jac=gradient, method="BFGS").x
        root = optimize.root(gradient, start, method="hybr", options={"xtol": 1e-15})
        return root.x

    w = free(0.0)
    if w @ w <= 1:
        return w
    high = 1.0
    while np.linalg.norm(free(high)) > 1:
        high *= 2
    mu = optimize.brentq(lambda mu: np.linalg.norm(free(mu)) - 1, 0, high, xtol=1e-14, rtol=1e-14)
    return free(mu)


def largest(means, deviations):
    """The probability of each of independent normal numbers to be the largest."""
    result = []
    for n, (mean, deviation) in enumerate(zip(means, deviations)):
        others = [k for k in range(len(means)) if k != n]

        def density(z):
            rest = [special.ndtr((mean + deviation * z - means[k]) / deviations[k]) for k in others]
            return np.exp(-z * z / 2) / np.sqrt(2 * np.pi) * np.prod(rest)

        cuts = sorted((means[k] - mean) / deviation for k in others)
        cuts = [-9.0] + [c for c in cuts if -9 < c < 9] + [9.0]
        result.append(
            sum(
                integrate.quad(density, a, b, epsabs=1e-13, epsrel=1e-12, limit=500)[0]
                for a, b in zip(cuts, cuts[1:])
            )
        )
    return result


# ---- traces ----------------------------------------------------------------------------------


def environment(rng, slots):
    """Contexts and potential bits; at times a bit comes against the odds, to drive estimates out of
    the ball."""
    weights = rng.normal(size=(N, D))
    weights /= np.linalg.norm(weights, axis=1)[:, None]
    xs = rng.uniform(size=(slots, N, D)) / np.sqrt(D)
    # Three decimals are enough of a context.
    xs = np.round(xs, 3)
    odds = sigma(6 * np.einsum("tnd,nd->tn", xs, weights))
    bits = np.where(rng.uniform(size=odds.shape) < odds, 1, -1)
    return xs, bits


def play(policy, xs, bits):
    rows = []
    for t in range(1, len(xs) + 1):
        x, scores = xs[t - 1], policy.scores(t, xs[t - 1])
        n = int(np.argmax(scores))
        row = {"n": n, "s": [float(s) for s in scores]}
        if hasattr(policy, "propensities") and t % 10 == 0:
            row["p"] = [float(p) for p in policy.propensities(t, x)]
        policy.learn(t, n, x[n], int(bits[t - 1][n]))
        row["w"] = [float(v) for v in policy.w[n]]
        rows.append(row)
    return rows


def play_all(policy, xs, bits):
    """full-information: every node learns in every slot."""
    rows = []
    for t in range(1, len(xs) + 1):
        scores = policy.scores(t, xs[t - 1])
        for n in range(N):
            policy.learn(t, n, xs[t - 1][n], int(bits[t - 1][n]))
        w = [[float(v) for v in policy.w[n]] for n in range(N)]
        rows.append({"n": int(np.argmax(scores)), "s": [float(s) for s in scores], "all": w})
    return rows


def main():
    slots = 250
    xs, bits = environment(np.random.default_rng(20260101), slots)
    tuned = {"kind": "tuned", "c": 0.03}
    prior = {"mean": [-0.3, -0.2, -0.36, 0.4, 0.36], "strength": 4.0}
    specs = []
    for kind, more in [
        ("toof", {"gamma": tuned}),
        ("ofu-ecolog", {"gamma": tuned}),
        ("thompson", {"scale": 0.7}),
        ("lin-ucb", {"alpha": 0.4}),
        ("epsilon-greedy", {"epsilon": 2.0, "decay": 0.4}),
        ("mle-ucb", {"gamma": tuned}),
        ("full-information", {}),
        ("discounted-toof", {"gamma": tuned, "discount": 0.98}),
    ]:
        # A small lambda makes long steps, which leave the ball.
        specs.append({"kind": kind, "lambda": 0.5, **more})
        specs.append({"kind": kind, "lambda": 1.0, **more, "prior": prior})
        if kind in ("toof", "lin-ucb"):
            specs.append({"kind": kind, "lambda": 1.0, **more, "prior": {"mean": prior["mean"]}})
    key = policy_key(7, "rival")
    traces = []
    for p in specs:
        make = {
            "toof": Sequential,
            "ofu-ecolog": Implicit,
            "lin-ucb": LinUcb,
            "mle-ucb": Mle,
            "full-information": Implicit,
            "discounted-toof": Discounted,
        }
        if p["kind"] == "thompson":
            policy = Thompson(p, key, slots)
        elif p["kind"] == "epsilon-greedy":
            policy = EpsilonGreedy(p, key, slots)
        else:
            policy = make[p["kind"]](p)
        rows = (play_all if p["kind"] == "full-information" else play)(policy, xs, bits)
        traces.append({"policy": p, "slots": rows})
    cases = []
    rng = np.random.default_rng(3)
    for count, spread in [(2, 1.0), (3, 1.0), (5, 3.0), (10, 10.0), (10, 100.0), (30, 30.0)]:
        means = rng.normal(size=count)
        deviations = np.exp(rng.uniform(-np.log(spread), np.log(spread), size=count) / 2)
        p = largest(means, deviations)
        assert abs(sum(p) - 1) < 1e-10, sum(p)
        cases.append({"means": list(means), "deviations": list(deviations), "p": p})
    result = {
        "seed": 7,
        "name": "rival",
        "contexts": xs.tolist(),
        "bits": bits.tolist(),
        "traces": traces,
        "largest": cases,
    }
    json.dump(result, sys.stdout, separators=(",", ":"))
    print()


main()
