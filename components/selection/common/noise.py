"""Estimates of wrong labels, their rate and rows, from the model's margins.

Margins are those of ``score_formulas.margin``: 1 surely wrong, -1 surely right. Their mean over forward passes is the area
under the margin (Pleiss et al. 2020, arXiv 2001.10528), for probabilities and with the opposite sign. The estimate of the rate
is ours.
"""

from __future__ import annotations

import numpy as np

from components.arrays import Array
from components.selection.common import choose

#: Share of contradictions that clean data have too; these are taken to be hard, not wrong.
TOLERATED = 0.02
#: Pseudo-count of examples labelled like the average class; it decides for classes that the model is seldom sure of.
FEW = 20


def surer_half(loss: Array, margin: Array) -> Array:
    """Return the half of the examples that the model is surest of, ``(N,)`` bool.

    Args:
        loss: ``(N,)`` cross-entropy of the last forward pass, in nats.
        margin: ``(N,)`` of the same pass.
    """
    surest = np.exp(-loss) + np.maximum(margin, 0)
    return np.asarray(surest >= np.median(surest))


def rate(loss: Array, margin: Array) -> float:
    """Return the share of contradicted labels among the half with the surest predictions."""
    return float(np.mean(margin[surer_half(loss, margin)] > 0))


def rates_by_class(sure: Array, predicted: Array, label: Array) -> Array:
    """Return the share of wrong labels among the examples of each label, ``(C,)``.

    How often class j is labelled i is counted among the sure examples predicted as j, as in confident learning (Northcutt et
    al. 2021, arXiv 1911.00068), smoothed by ``FEW`` examples labelled like the sure ones of all classes. The true size of each
    class follows from that and from the counts of labels.

    Args:
        sure: ``(N,)`` bool, from ``surer_half``.
        predicted: ``(N,)`` predicted class.
        label: ``(N,)`` labelled class.
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
    """Return the share of wrong labels, estimated from the margins of a fake class.

    Half of the fake rows lie beyond their median margin, and so does about half of the wrong labels, but hardly any right one.
    The fake class is that of the area under the margin (arXiv 2001.10528), which uses a percentile as a bound; the estimate is
    ours.

    Args:
        margin_mean: ``(N,)``; for fake rows against the fake class.
        fake: ``(N,)`` bool.
    """
    return min(1.0, 2 * float(np.mean(margin_mean[~fake] > np.median(margin_mean[fake]))))


def suspects(margin_mean: Array, rate: Array | float, label: Array | None = None) -> Array:
    """Return the indices of the labels that are probably wrong, ascending.

    They are the share ``rate - TOLERATED`` with the largest mean margin, per label or of all, if that margin is above 0.

    Args:
        margin_mean: ``(N,)``, NaN for unseen examples, which are no suspects.
        rate: of all labels, or ``(C,)`` per label.
        label: ``(N,)`` if the rate is per label.
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
