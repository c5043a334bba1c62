"""Test of a model against chance: one that predicts the same for every example."""

from __future__ import annotations

import numpy as np

from components.arrays import Array
from components.costs.savings import Metric
from components.evaluation.metrics import Columns, metrics
from components.evaluation.significance import paired_error

#: Standard errors of a difference that chance may make.
ERRORS = 2.0


def constant(columns: Columns, kind: str, learnt: Array, tokens: Array | None = None, vocabulary: int = 0) -> Columns:
    """Return ``columns`` as they would be of a model that knows how often each target is, and nothing of an example.

    Of classes it says the largest one, of numbers the mean, and of tokens how often each is (one added to every count).

    Args:
        columns: the predictions of the test split, as ``evaluation.predict`` has them; of numbers in their own unit.
        kind: of target.
        learnt: targets of the training split, ``(N,)`` in the same unit; of tokens ``(N, T)``.
        tokens: of the test split, ``(M, T)``.
        vocabulary: how many tokens there are.
    """
    if kind == "tokens":
        assert tokens is not None
        counts = np.bincount(learnt.ravel(), minlength=vocabulary) + 1.0
        loss = np.log(counts.sum()) - np.log(counts)
        return columns | {"loss": loss[tokens[:, 1:]].mean(1)}
    answer = np.bincount(learnt).argmax() if kind == "class" else learnt.mean(dtype=np.float64)
    return columns | {"predicted": np.full(len(columns["target"]), answer)}


def margin_over(columns: Columns, other: Columns, kind: str, metric: Metric) -> tuple[float, float]:
    """Return the metric of ``other``, and by how much that of ``columns`` is better, less two errors of the difference.

    These are standard errors over the test examples, the same ones for both. What is 0 or less may be chance.
    """
    found = [metrics(c, kind)[metric.name] for c in (columns, other)]
    gain = (found[0] - found[1]) * (1 if metric.higher else -1)
    error = paired_error([columns], [other], metric.name) if len(columns["loss"]) > 1 else 0.0
    return found[1], gain - ERRORS * error
