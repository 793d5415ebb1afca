"""Prints metrics.json: scores of classifiers by scikit-learn and SciPy, for tests/metrics.rs.

pip install scikit-learn, then:
python3 neural/tests/reference/metrics.py > neural/tests/reference/metrics.json
"""

import json

import numpy as np
from scipy.stats import mannwhitneyu
from sklearn.metrics import balanced_accuracy_score, confusion_matrix, roc_auc_score
from sklearn.preprocessing import StandardScaler


def case(scores, right):
    predicted = scores > 0.5
    (tn, fp), (fn, tp) = confusion_matrix(right, predicted, labels=[False, True])
    positive, negative = scores[right], scores[~right]
    u = mannwhitneyu(positive, negative).statistic / (len(positive) * len(negative))
    auc = roc_auc_score(right, scores)
    assert abs(u - auc) < 1e-12
    return {
        "scores": scores.tolist(),
        "right": right.tolist(),
        "confusion": [int(n) for n in (tp, fp, tn, fn)],
        "balanced_accuracy": float(balanced_accuracy_score(right, predicted)),
        "auc": float(auc),
    }


def main():
    rng = np.random.default_rng(7)
    right = rng.random(60) < 0.3
    noise = rng.normal(size=60)
    # Fine scores, coarse ones with many ties, one score for all, perfect ones, and the wrong way round.
    fine = 1 / (1 + np.exp(-(2.0 * right - 1 + noise)))
    scores = [fine, np.round(fine * 4) / 4, np.full(60, 0.7), right * 0.8 + 0.1, 1 - fine]
    rows = rng.normal(size=(50, 3)) * [1e9, 1e-3, 1.0] + [5e8, 7.0, 0.0]
    rows[:, 2] = 4.2
    scaler = StandardScaler().fit(rows)
    print(json.dumps({
        "cases": [case(own, right) for own in scores],
        "rows": rows.flatten().tolist(),
        "scores": scaler.transform(rows).flatten().tolist(),
    }, separators=(",", ":")))


if __name__ == "__main__":
    main()
