"""What follows from logits and labels, in double precision with numpy alone.

Reads JSON from standard input: `weak` and `strong`, each with `held_out` and `test`, each with
`logits` (rows of 10) and `labels`. Writes JSON: temperatures, and of the held-out and then the test
images entropy, losses and metric, and the figures of the test.

Formulas: Guo et al., ICML 2017 (temperature, expected calibration error with 15 bins); arXiv
2208.00485, section V-A (entropy, radial-basis regression of the reward on it).
"""

import json
import sys

try:
    import numpy as np
except ImportError:
    sys.exit(3)


def log_softmax(logits, temperature):
    z = logits / temperature
    z = z - z.max(axis=1, keepdims=True)
    return z - np.log(np.exp(z).sum(axis=1, keepdims=True))


def cross_entropy(part, temperature):
    rows = log_softmax(part["logits"], temperature)
    return -rows[np.arange(len(rows)), part["labels"]].mean()


def temperature(part):
    """Golden section on the logarithm of the temperature."""
    low, high = np.log(1e-3), np.log(1e3)
    ratio = (np.sqrt(5) - 1) / 2
    for _ in range(200):
        a, b = high - ratio * (high - low), low + ratio * (high - low)
        if cross_entropy(part, np.exp(a)) < cross_entropy(part, np.exp(b)):
            high = b
        else:
            low = a
    return float(np.exp((low + high) / 2))


def calibration_error(part, temperature):
    p = np.exp(log_softmax(part["logits"], temperature))
    sure, right = p.max(axis=1), p.argmax(axis=1) == part["labels"]
    error = 0.0
    for k in range(15):
        own = (sure >= k / 15) & ((sure < (k + 1) / 15) | (k == 14))
        if own.any():
            error += own.mean() * abs(sure[own].mean() - right[own].mean())
    return error


def curve(entropy, reward, edges, width):
    weights = np.exp(-(((edges[:, None] - entropy[None, :]) / width) ** 2))
    return (weights * reward).sum(axis=1) / weights.sum(axis=1)


def metric(entropy, reward):
    order = np.lexsort((reward, entropy))
    entropy, reward = entropy[order], reward[order]
    edges = np.linspace(entropy[0], entropy[-1], 1001)
    best = (np.inf, None)
    for exponent in np.arange(-8, -3.9, 0.5):
        width = (entropy[-1] - entropy[0]) * 2.0**exponent
        error = 0.0
        for here, there in ((0, 1), (1, 0)):
            values = curve(entropy[here::2], reward[here::2], edges, width)
            error += ((np.interp(entropy[there::2], edges, values) - reward[there::2]) ** 2).sum()
        if error <= best[0]:
            best = (error, width)
    values = curve(entropy, reward, edges, best[1])
    return lambda h: np.interp(h, edges, values)


def main():
    data = json.load(sys.stdin)
    for which in data.values():
        for part in which.values():
            part["logits"] = np.array(part["logits"], dtype=np.float64)
            part["labels"] = np.array(part["labels"])
    told = {which: {"temperature": temperature(data[which]["held_out"])} for which in data}
    entropy, loss = {}, {}
    for which, parts in data.items():
        t = told[which]["temperature"]
        for part, own in parts.items():
            rows = log_softmax(own["logits"], t)
            loss[which, part] = (rows.argmax(axis=1) != own["labels"]).astype(int)
            entropy[which, part] = -(np.exp(rows) * rows).sum(axis=1)
        test = parts["test"]
        told[which]["accuracy"] = 1 - loss[which, "test"].mean()
        told[which]["cross_entropy"] = cross_entropy(test, t)
        told[which]["cross_entropy_before"] = cross_entropy(test, 1.0)
        told[which]["calibration_error"] = calibration_error(test, t)
        told[which]["calibration_error_before"] = calibration_error(test, 1.0)
    reward = {part: loss["weak", part] - loss["strong", part] for part in ("held_out", "test")}
    expected = metric(entropy["weak", "held_out"], reward["held_out"])
    rows = []
    for part in ("held_out", "test"):
        h = entropy["weak", part]
        columns = (h, loss["weak", part], loss["strong", part], expected(h))
        rows += [[float(value) for value in row] for row in zip(*columns)]
    weak, strong = loss["weak", "test"], loss["strong", "test"]
    own = expected(entropy["weak", "test"])
    told["rows"] = rows
    told["both_right"] = float(((weak == 0) & (strong == 0)).mean())
    told["both_wrong"] = float(((weak == 1) & (strong == 1)).mean())
    told["only_strong"] = float(((weak == 1) & (strong == 0)).mean())
    told["only_weak"] = float(((weak == 0) & (strong == 1)).mean())
    told["mean_reward"] = float(reward["test"].mean())
    told["mean_metric"] = float(own.mean())
    told["correlation"] = float(np.corrcoef(own, reward["test"])[0, 1])
    json.dump(told, sys.stdout, default=float)


main()
