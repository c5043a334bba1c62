"""Metrics of several labels an example, and each example's part in them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from components.arrays import Array

#: An example has a label if its probability is at least this.
THRESHOLD = 0.5
#: ``target`` and ``predicted`` ``(N, C)`` uint8, ``probability`` ``(N, C)`` float32, ``loss`` ``(N,)``.
Predicted = Mapping[str, Array]


def metrics(columns: Predicted) -> dict[str, float]:
    """Return mean average precision, macro and micro F1, and the share of examples with all labels right.

    Each is as scikit-learn's, with its standard error over test examples. Average precision is averaged over the classes that
    the targets have, macro F1 over those in targets or predictions.
    """
    found: dict[str, float] = {}
    for name in METRICS:
        each = shares(columns, name)
        error = float(each.std(ddof=1) / len(each) ** 0.5) if len(each) > 1 else 0.0
        found |= {name: METRICS[name](columns)[0], f"{name}_standard_error": error}
    return found


def shares(columns: Predicted, metric: str) -> Array:
    """Return each example's part ``(N,)`` in a metric: the metric plus N times its derivative by the example's weight."""
    value, derivative = METRICS[metric](columns)
    return value + len(derivative) * derivative


def mean_average_precision(columns: Predicted) -> tuple[float, Array]:
    """Return the mean over classes of average precision, and its derivative by the examples' weights ``(N,)``."""
    target, score = columns["target"] > 0, columns["probability"]
    there = np.flatnonzero(target.any(0))
    found = [_average_precision(target[:, c], score[:, c]) for c in there]
    if not found:
        return 0.0, np.zeros(len(target))
    return float(np.mean([value for value, _ in found])), np.mean([derivative for _, derivative in found], axis=0)


def _average_precision(target: Array, score: Array) -> tuple[float, Array]:
    """Return ``1 / P sum_(i positive) precision(i)`` and its derivative, for precision among all with i's score or more."""
    order = np.argsort(-score, kind="stable")
    hit, ranked = target[order].astype(np.float64), score[order]
    # Examples of equal scores are found together: the end of each one's group.
    end = np.searchsorted(-ranked, -ranked, side="right") - 1
    found = np.cumsum(hit)
    size = end + 1.0
    precision, positives = found[end] / size, found[-1]
    value = float((hit * precision).sum() / positives)
    # An example changes the precision at every positive that is found with it or later.
    start = np.searchsorted(-ranked, -ranked, side="left")
    later_hits = _from(hit / size, start)
    later_precision = _from(hit * precision / size, start)
    derivative = np.empty(len(hit))
    derivative[order] = (hit * precision + hit * later_hits - later_precision - hit * value) / positives
    return value, derivative


def _from(each: Array, start: Array) -> Array:
    """Return the sum of ``each`` from the place ``start`` to the end, ``(N,)``."""
    after = np.append(np.cumsum(each[::-1])[::-1], 0.0)
    return np.asarray(after[start])


def macro_f1(columns: Predicted) -> tuple[float, Array]:
    """Return the mean F1 of the classes, and its derivative by the examples' weights ``(N,)``."""
    hits, guesses = _agreement(columns)
    size = guesses.sum(0)
    there = size > 0
    if not there.any():
        return 0.0, np.zeros(len(hits))
    f1 = np.divide(2 * hits.sum(0), size, out=np.zeros(len(size)), where=there)
    derivative = (2 * hits - f1 * guesses)[:, there] / size[there]
    return float(f1[there].mean()), derivative.mean(1)


def micro_f1(columns: Predicted) -> tuple[float, Array]:
    """Return the F1 of all labels together, and its derivative by the examples' weights ``(N,)``."""
    hits, guesses = (each.sum(1) for each in _agreement(columns))
    size = guesses.sum()
    if not size:
        return 0.0, np.zeros(len(hits))
    f1 = float(2 * hits.sum() / size)
    return f1, (2 * hits - f1 * guesses) / size


def _agreement(columns: Predicted) -> tuple[Array, Array]:
    """Return hits, and targets plus predictions, of each example and class, ``(N, C)`` each."""
    target, predicted = columns["target"].astype(np.float64), columns["predicted"].astype(np.float64)
    return target * predicted, target + predicted


def subset_accuracy(columns: Predicted) -> tuple[float, Array]:
    """Return the share of examples with all labels right, and its derivative by the examples' weights ``(N,)``."""
    right = (columns["target"] == columns["predicted"]).all(1).astype(np.float64)
    share = float(right.mean())
    return share, (right - share) / len(right)


#: Metric -> its value and derivative; the default one first.
METRICS = {
    "mean_average_precision": mean_average_precision,
    "macro_f1": macro_f1,
    "micro_f1": micro_f1,
    "subset_accuracy": subset_accuracy,
}
