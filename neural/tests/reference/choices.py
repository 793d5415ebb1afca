"""Prints choices.json: the loss of several choices at once and its gradient, by NumPy in double
precision, for tests/choices.rs. The gradient is made of differences, not of a formula.

pip install numpy, then:
python3 neural/tests/reference/choices.py > neural/tests/reference/choices.json
"""

import json

import numpy as np

ROWS, GROUPS, CHOICES = 5, 4, 3
STEP = 1e-5


def softmax(z, open_):
    e = np.where(open_, np.exp(z - z[open_].max()), 0.0)
    return e / e.sum()


def loss(z, case):
    """The mean over rows of the sum over their groups."""
    total = 0.0
    for row in range(ROWS):
        for group in range(GROUPS):
            open_ = np.array([case["open"][row][group] >> c & 1 == 1 for c in range(CHOICES)])
            if not open_.any():
                continue
            own = z[row, group]
            p = softmax(own, open_)
            total += (1 - case["alpha"]) * -np.log(p[case["labels"][row][group]])
            total += case["cost_weight"] * (p * case["costs"][row, group])[open_].sum()
            if case["alpha"]:
                t = case["temperature"]
                student = softmax(own / t, open_)[open_]
                teacher = softmax(case["teacher"][row, group] / t, open_)[open_]
                total += case["alpha"] * t**2 * (teacher * np.log(teacher / student)).sum()
    return total / ROWS


def gradient(z, case):
    found = np.zeros_like(z)
    for place in np.ndindex(z.shape):
        up, down = z.copy(), z.copy()
        up[place] += STEP
        down[place] -= STEP
        found[place] = (loss(up, case) - loss(down, case)) / (2 * STEP)
    return found


def single(values):
    return np.asarray(values, dtype=np.float32).astype(float)


def case(rng, alpha, temperature, cost_weight):
    masks = rng.choice([0, 7, 7, 7, 3, 5, 4], (ROWS, GROUPS))
    open_of = lambda mask: [c for c in range(CHOICES) if mask >> c & 1]
    labels = [[int(rng.choice(open_of(m))) if m else 0 for m in row] for row in masks]
    costs = single(rng.exponential(1.0, (ROWS, GROUPS, CHOICES)))
    for row in range(ROWS):
        for group in range(GROUPS):
            costs[row, group, labels[row][group]] = 0.0
    own = {
        "open": masks.tolist(),
        "labels": labels,
        "costs": costs,
        "teacher": single(rng.normal(0, 2, (ROWS, GROUPS, CHOICES))),
        "alpha": alpha,
        "temperature": temperature,
        "cost_weight": cost_weight,
    }
    z = single(rng.normal(0, 2, (ROWS, GROUPS, CHOICES)))
    own["outputs"] = z
    own["loss"] = loss(z, own)
    own["gradient"] = gradient(z, own)
    return {key: value.tolist() if isinstance(value, np.ndarray) else value for key, value in own.items()}


rng = np.random.default_rng(7)
settings = [(0.0, 1.0, 0.0), (0.0, 1.0, 5.0), (0.7, 3.0, 0.0), (0.7, 3.0, 5.0), (1.0, 0.5, 0.0)]
cases = [case(rng, *setting) for setting in settings]
print(json.dumps({"rows": ROWS, "groups": GROUPS, "choices": CHOICES, "cases": cases}))
