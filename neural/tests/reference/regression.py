"""Prints regression.json: steps of a regression on all outputs, by NumPy in double precision, for
tests/regression.rs.

pip install numpy, then:
python3 neural/tests/reference/regression.py > neural/tests/reference/regression.json
"""

import json

import numpy as np

WIDTHS = [6, 9, 8, 5]
ROWS = 12
SLOPE = 0.2
RATES = [1e-2, 1e-2, 1e-3, 5e-3]
BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8


def forward(parameters, x):
    """What goes into each dense layer, what comes out of it, and the outputs."""
    inputs, sums = [], []
    for layer, (w, b) in enumerate(parameters):
        inputs.append(x)
        x = x @ w.T + b
        sums.append(x)
        if layer + 1 < len(parameters):
            x = np.where(x > 0, x, SLOPE * x)
    return inputs, sums, x


def gradients(parameters, x, targets):
    inputs, sums, outputs = forward(parameters, x)
    loss = np.mean((outputs - targets) ** 2)
    slope = 2 * (outputs - targets) / outputs.size
    found = []
    for layer in reversed(range(len(parameters))):
        found.insert(0, (slope.T @ inputs[layer], slope.sum(axis=0)))
        if layer > 0:
            slope = slope @ parameters[layer][0]
            slope = slope * np.where(sums[layer - 1] > 0, 1, SLOPE)
    return loss, found


def numbers(array):
    return [float(f"{value:.9g}") for value in np.ravel(array)]


def listed(parameters):
    return [{"weight": numbers(w), "bias": numbers(b)} for w, b in parameters]


def main():
    rng = np.random.default_rng(11)
    single = lambda shape, scale=1.0: rng.normal(0, scale, shape).astype(np.float32).astype(float)
    parameters = [
        (single((o, i), i**-0.5), single(o, 0.1)) for i, o in zip(WIDTHS, WIDTHS[1:])
    ]
    start = listed(parameters)
    first = [(np.zeros_like(w), np.zeros_like(b)) for w, b in parameters]
    second = [(np.zeros_like(w), np.zeros_like(b)) for w, b in parameters]
    steps = []
    for number, rate in enumerate(RATES, 1):
        x, targets = single((ROWS, WIDTHS[0])), single((ROWS, WIDTHS[-1]))
        outputs = forward(parameters, x)[2]
        loss, found = gradients(parameters, x, targets)
        for layer in range(len(parameters)):
            for part in range(2):
                g, m, v = found[layer][part], first[layer][part], second[layer][part]
                m += (1 - BETA1) * (g - m)
                v += (1 - BETA2) * (g * g - v)
                corrected = m / (1 - BETA1**number), v / (1 - BETA2**number)
                parameters[layer][part][...] -= rate * corrected[0] / (corrected[1] ** 0.5 + EPSILON)
        steps.append({
            "rate": rate,
            "inputs": numbers(x),
            "targets": numbers(targets),
            "outputs": numbers(outputs),
            "loss": float(loss),
            "parameters": listed(parameters),
        })
    everything = {"widths": WIDTHS, "slope": SLOPE, "parameters": start, "steps": steps}
    print(json.dumps(everything, separators=(",", ":")))


if __name__ == "__main__":
    main()
