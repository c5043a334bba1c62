"""Rate and rows of wrong labels, estimated from the margins of the model.

Margins are those of ``scoring.margin``: 1 surely wrong, -1 surely right. Their mean over sights is the area under the margin
(Pleiss et al. 2020, arXiv 2001.10528), of probabilities and with the other sign. How the rate is estimated is ours.
"""

from __future__ import annotations

import numpy as np

from components.arrays import Array
from components.selection.common import choose

#: The share of contradictions that clean data have too: so many of them are believed to be hard and not wrong.
TOLERATED = 0.02
#: Examples whose labels are spread as those of all: of a class that the model is seldom sure of, they decide.
FEW = 20


def surer_half(loss: Array, margin: Array) -> Array:
    """Return which half of the examples the model is surest of, ``(N,)`` bool, whatever their labels.

    Args:
        loss: ``(N,)`` cross-entropy of the last sight, in nats.
        margin: ``(N,)`` of the same sight.
    """
    surest = np.exp(-loss) + np.maximum(margin, 0)
    return np.asarray(surest >= np.median(surest))


def rate(loss: Array, margin: Array) -> float:
    """Return how often the model contradicts the label, among the half of the examples that it is surest of."""
    return float(np.mean(margin[surer_half(loss, margin)] > 0))


def rates_by_class(sure: Array, predicted: Array, label: Array) -> Array:
    """Return which share of the examples that have a label are of another class, ``(C,)``.

    How often class j is labelled i is counted among the sure ones that are predicted to be j, as of confident learning
    (Northcutt et al. 2021, arXiv 1911.00068), together with ``FEW`` that are labelled as the sure ones of all classes are. How
    many examples of each class there are follows from that and from how often each label stands there.

    Args:
        sure: ``(N,)`` bool, of ``surer_half``.
        predicted: ``(N,)`` class.
        label: ``(N,)`` class.
    """
    rows = np.bincount(label)
    joint = np.zeros((len(rows), len(rows)))
    np.add.at(joint, (predicted[sure], label[sure]), 1)
    wrong = 1 - np.trace(joint) / joint.sum()
    others = rows / np.maximum(rows.sum() - rows[:, None], 1)
    common = np.where(np.eye(len(rows), dtype=bool), 1 - wrong, wrong * others)
    labelled = (joint + FEW * common) / (joint.sum(1, keepdims=True) + FEW)
    true = np.maximum(np.linalg.lstsq(labelled.T, rows.astype(np.float64), rcond=None)[0], 0)
    mixed = labelled * true[:, None]
    return np.asarray(1 - np.diag(mixed) / np.maximum(mixed.sum(0), 1e-300))


def rate_by_fake(margin_mean: Array, fake: Array) -> float:
    """Return which share of the labels is wrong, by what becomes of rows that were put into a fake class.

    Half of these are beyond their median, and so is about half of the wrong labels, but hardly any right one. The fake class is
    that of the area under the margin (arXiv 2001.10528), which takes a percentile of it for a bound; the estimate is ours.

    Args:
        margin_mean: ``(N,)``, of the fake rows by the fake class.
        fake: ``(N,)`` bool.
    """
    return min(1.0, 2 * float(np.mean(margin_mean[~fake] > np.median(margin_mean[fake]))))


def suspects(margin_mean: Array, rate: Array | float, label: Array | None = None) -> Array:
    """Return the indices of the labels that are probably wrong, in order.

    They are the ``rate - TOLERATED`` of largest mean margin, of each label or of all, as far as that is above 0.

    Args:
        margin_mean: ``(N,)``, NaN of who was never seen, and is no suspect.
        rate: of all; or ``(C,)`` of each label.
        label: ``(N,)`` where there is a rate of each.
    """
    known = np.where(np.isnan(margin_mean), -1, margin_mean) if np.isnan(margin_mean).any() else margin_mean
    groups = [np.arange(len(known))] if label is None else np.split(np.argsort(label, kind="stable"), _ends(label))
    found = []
    for at, share in zip(groups, np.maximum(0, np.atleast_1d(rate) - TOLERATED), strict=True):
        worst = at[choose.largest(known[at], round(share * len(at)))]
        found.append(worst[known[worst] > 0])
    return np.sort(np.concatenate(found))


def _ends(label: Array) -> Array:
    return np.cumsum(np.bincount(label))[:-1]
