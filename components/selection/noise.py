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


def contradictions(loss: Array, margin: Array) -> float:
    """Return how often the model contradicts the label, among the half of ``(N,)`` examples that it is surest of.

    Args:
        loss: cross-entropy of the last sight, in nats.
        margin: of the same sight.
    """
    surest = np.exp(-loss) + np.maximum(margin, 0)
    return float(np.mean(margin[surest >= np.median(surest)] > 0))


def suspects(margin_mean: Array, rate: float) -> Array:
    """Return the places of the labels that are probably wrong, where a share ``rate`` of ``(N,)`` is contradicted.

    They are the ``rate - TOLERATED`` of largest mean margin, as far as that is above 0.
    """
    worst = choose.largest(margin_mean, round(max(0.0, rate - TOLERATED) * len(margin_mean)))
    return worst[margin_mean[worst] > 0]
