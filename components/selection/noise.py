"""How many labels are wrong, and which: from what the model says against them, never from a fixed bound on the margin.

Margins are those of ``scoring.margin``: 1 surely wrong, -1 surely right. Their mean over sights is the area under the margin
(Pleiss et al. 2020, arXiv 2001.10528), of probabilities and with the other sign. How the rate is estimated is ours.
"""

from __future__ import annotations

import numpy as np

from components.arrays import Array
from components.selection import choose

#: The share of contradictions that clean data have too: so many of them are believed to be hard and not wrong.
TOLERATED = 0.02
#: Examples of a class that weigh as much as all of them do, in its rate: a class of three would have one of 0, 1/3 or more.
FEW = 20


def rates(loss: Array, margin: Array, classes: Array | None = None) -> Array:
    """Return how often the model contradicts the label, among the half of the examples that it is surest of.

    Args:
        loss: ``(N,)`` cross-entropy of the last sight, in nats.
        margin: ``(N,)`` of the same sight.
        classes: ``(N,)`` the labels; None for one rate of all.

    Returns:
        ``(C,)``, a rate a class, by those of its examples that are in the surer half of all: the surer half of a hard class by
        itself would be contradicted for being hard. ``FEW`` more examples have the rate of all. ``(1,)`` without ``classes``.
    """
    surest = np.exp(-loss) + np.maximum(margin, 0)
    sure = surest >= np.median(surest)
    wrong = sure & (margin > 0)
    of_all = np.count_nonzero(wrong) / np.count_nonzero(sure)
    if classes is None:
        return np.array([of_all])
    length = int(classes.max()) + 1
    contradicted, among = (np.bincount(classes[at], minlength=length) for at in (wrong, sure))
    return np.asarray((contradicted + FEW * of_all) / (among + FEW))


def suspects(margin_mean: Array, rate: Array, classes: Array | None = None) -> Array:
    """Return the places of the labels that are probably wrong, in order.

    They are the ``rate - TOLERATED`` of largest mean margin, of each class or of all, as far as that is above 0.

    Args:
        margin_mean: ``(N,)``, NaN of who was never seen, and is no suspect.
        rate: as ``rates`` returned it.
        classes: as it was given to ``rates``.
    """
    known = np.where(np.isnan(margin_mean), -1, margin_mean) if np.isnan(margin_mean).any() else margin_mean
    found = []
    for at, share in zip(_members(known, classes), np.maximum(0, rate - TOLERATED), strict=True):
        worst = at[choose.largest(known[at], round(share * len(at)))] if share else at[:0]
        found.append(worst[known[worst] > 0])
    return np.sort(np.concatenate(found))


def _members(rows: Array, classes: Array | None) -> list[Array]:
    """Return the places of all ``rows``, or of each of the ``classes``, in order."""
    if classes is None:
        return [np.arange(len(rows))]
    return np.split(np.argsort(classes, kind="stable"), np.cumsum(np.bincount(classes))[:-1])
