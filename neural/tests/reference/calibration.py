"""Prints calibration.json: temperatures and entropies by SciPy, for tests/calibration.rs.

pip install numpy scipy, then:
python3 neural/tests/reference/calibration.py > neural/tests/reference/calibration.json
"""

import json

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax
from scipy.stats import entropy


def case(rng, rows, classes, scale, noise):
    """Logits that are `scale` times what they should be: the best temperature is near it."""
    true = rng.normal(0, 2, (rows, classes))
    labels = np.array([rng.choice(classes, p=softmax(row)) for row in true])
    logits = (scale * (true + rng.normal(0, noise, true.shape))).astype(np.float32).astype(float)

    def loss(t):
        return -log_softmax(logits / t, axis=1)[np.arange(rows), labels].mean()

    found = minimize_scalar(
        lambda s: loss(np.exp(s)), bounds=(np.log(scale / 8), np.log(scale * 8)),
        method="bounded", options={"xatol": 1e-10},
    )
    temperature = float(np.exp(found.x))
    return {
        "classes": classes,
        "logits": np.ravel(logits).tolist(),
        "labels": labels.tolist(),
        "temperature": temperature,
        "loss": float(loss(temperature)),
        "loss_at_1": float(loss(1.0)),
        "entropies": entropy(softmax(logits / 1.5, axis=1), axis=1).tolist(),
    }


def main():
    rng = np.random.default_rng(3)
    settings = [(200, 4, 1.0, 0.0), (150, 10, 3.5, 0.5), (100, 2, 0.05, 0.2), (60, 3, 300.0, 0.3)]
    print(json.dumps({"cases": [case(rng, *own) for own in settings]}, separators=(",", ":")))


if __name__ == "__main__":
    main()
