"""Test of a model against a constant prediction."""

from __future__ import annotations

import numpy as np

from components.arrays import Array
from components.costs.savings import Metric
from components.evaluation import label_sets, several_numbers
from components.evaluation.metrics import Columns, metrics
from components.evaluation.standard_errors import paired_error

#: Standard errors by which a difference must exceed chance.
ERRORS = 2.0


def constant(columns: Columns, kind: str, learnt: Array, tokens: Array | None = None, vocabulary: int = 0) -> Columns:
    """Return ``columns`` as a model would predict them that knows only the distribution of the targets.

    It predicts the largest class, the frequency of each of several classes, the mean of each number, and the frequency of
    each token (with one added to every count).

    Args:
        columns: the predictions for the test split, as ``metrics.predict`` returns them; numbers in their own unit.
        kind: kind of target.
        learnt: targets of the training split, ``(N,)`` in the same unit; for tokens ``(N, T)``, for several classes or
            numbers ``(N, C)``.
        tokens: of the test split, ``(M, T)``.
        vocabulary: number of different tokens.
    """
    if kind == "tokens":
        assert tokens is not None
        counts = np.bincount(learnt.ravel(), minlength=vocabulary) + 1.0
        loss = np.log(counts.sum()) - np.log(counts)
        return columns | {"loss": loss[tokens[:, 1:]].mean(1)}
    if kind == "classes":
        share = np.broadcast_to(learnt.mean(0, dtype=np.float64), columns["target"].shape)
        return columns | {"probability": share, "predicted": (share >= label_sets.THRESHOLD).astype(np.uint8)}
    if kind == "numbers":
        means = zip(several_numbers.names_of(columns), learnt.mean(0, dtype=np.float64), strict=True)
        return columns | {f"{several_numbers.PREDICTED}{name}": np.full(len(columns["loss"]), mean) for name, mean in means}
    answer = np.bincount(learnt).argmax() if kind == "class" else learnt.mean(dtype=np.float64)
    return columns | {"predicted": np.full(len(columns["target"]), answer)}


def margin_over(columns: Columns, other: Columns, kind: str, metric: Metric) -> tuple[float, float]:
    """Return the metric of ``other``, and the gain over it minus two standard errors.

    Standard errors are over the test examples, paired. A value of 0 or less may be chance.
    """
    found = [metrics(c, kind)[metric.name] for c in (columns, other)]
    gain = (found[0] - found[1]) * (1 if metric.higher else -1)
    error = paired_error([columns], [other], metric.name) if len(columns["loss"]) > 1 else 0.0
    return found[1], gain - ERRORS * error
