"""Standard errors over test examples, paired between two models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from components.arrays import Array
from components.evaluation import label_sets, several_numbers
from components.evaluation.text_scores import TEXT_METRICS, shares_of_texts
from components.evaluation.transcript_errors import TRANSCRIPT_METRICS, shares_of_transcripts

#: Predictions for N examples, columns ``(N,)`` as ``metrics.predict`` returns them.
Predicted = Mapping[str, Array]


def paired_error(mine: Sequence[Predicted], others: Sequence[Predicted], metric: str) -> float:
    """Return the standard error of the difference of two models' metric, each averaged over the same seeds.

    Args:
        mine: predictions of one model, by seed.
        others: those of the other, for the same examples in the same order.
        metric: name of the metric.
    """
    differences = np.mean([shares(m, metric) - shares(o, metric) for m, o in zip(mine, others, strict=True)], axis=0)
    return _error(differences)


def standard_error(columns: Predicted, metric: str) -> float:
    """Return the standard error of a metric over test examples, to first order.

    Seeds are not in it.
    """
    return _error(shares(columns, metric))


def _error(shares: Array) -> float:
    return float(shares.std(ddof=1) / len(shares) ** 0.5)


def shares(columns: Predicted, metric: str) -> Array:
    """Return each example's part ``(N,)`` in the metric, to first order.

    Accuracy is the mean of hits; R2 is 1 minus the mean of squared errors over the variance of the targets; perplexity, the
    exponential of the mean loss, changes by itself times the change of that mean. For metrics by class (see
    ``components.evaluation.metrics``) and errors of transcripts it is the derivative by the example's weight; for those of
    texts, what the example adds.
    """
    if "probability" in columns:
        return label_sets.shares(columns, metric)
    if several_numbers.names_of(columns):
        return several_numbers.shares(columns)
    if metric in TEXT_METRICS:
        return shares_of_texts(columns, metric)
    if metric in TRANSCRIPT_METRICS:
        return shares_of_transcripts(columns, metric)
    if metric == "r2":
        target = columns["target"].astype(np.float64)
        return np.asarray(-((columns["predicted"] - target) ** 2) / target.var())
    if metric == "perplexity":
        loss = columns["loss"].astype(np.float64)
        return np.asarray(np.exp(loss.mean()) * loss)
    hit = columns["target"] == columns["predicted"]
    return hit.astype(np.float64) if metric == "accuracy" else _by_class(columns["target"], columns["predicted"], hit, metric)


def _by_class(target: Array, predicted: Array, hit: Array, metric: str) -> Array:
    n = len(target)
    classes, codes = np.unique([target, predicted], return_inverse=True)
    true, guessed = codes.reshape(2, -1)
    wanted, guesses = (np.bincount(row, minlength=len(classes)) for row in (true, guessed))
    hits = np.bincount(true[hit], minlength=len(classes))
    if metric == "macro_f1":
        f1 = 2 * hits / (wanted + guesses)
        per = n / len(classes) / (wanted + guesses)
        return np.asarray(f1.mean() + 2 * hit * per[true] - f1[true] * per[true] - f1[guessed] * per[guessed])
    recall = np.divide(hits, wanted, out=np.full(len(classes), np.nan), where=wanted > 0)
    there = int((wanted > 0).sum())
    part = n / np.maximum(wanted, 1)[true] * (hit - recall[true])
    if metric == "balanced_accuracy":
        return np.asarray(np.nanmean(recall) + part / there)
    worst = int(np.nanargmin(recall))
    return np.asarray(recall[worst] + part * (true == worst))
