"""Fixed-size sampling of N examples with given inclusion probabilities, by numpy alone."""

from __future__ import annotations

import numpy as np

from components.arrays import Array
from components.selection.common import choose


def inclusion(size: Array, k: int) -> Array:
    """Return the probabilities ``p_i = min(1, c size_i)``, ``(N,)`` float32, whose sum is k.

    If at most k sizes are above 0, these get probability 1.

    Args:
        size: ``(N,)``, 0 or more; probabilities are proportional to it.
        k: number to draw, 1 or more.
    """
    positive = size > 0
    if np.count_nonzero(positive) <= k:
        return positive.astype(np.float32)
    p = size.astype(np.float32)
    p *= k / p.sum(dtype=np.float64)
    while (over := p > 1).any():
        p[over] = 1
        under = p < 1
        p[under] *= (k - np.count_nonzero(~under)) / p.sum(where=under, dtype=np.float64)
    return p


def pareto(p: Array, k: int, rng: np.random.Generator) -> Array:
    """Return the indices ``(k,)``, ascending, of k examples drawn without replacement by ``p`` ``(N,)``, whose sum is k.

    Pareto sampling (Rosen 1997, J. Statistical Planning and Inference 62, 159): the k smallest ``u / (1 - u) * (1 - p) / p``
    with u uniform. An example with p = 1 is always drawn and one with p = 0 never; for all others the inclusion probability is
    p to order 1 / k. Each example has its own random number, so a rounding error in one p changes the draw of hardly any
    other.
    """
    u = rng.random(len(p), np.float32)
    odds = np.negative(u)
    odds /= 1 - u
    with np.errstate(divide="ignore", invalid="ignore"):
        odds *= (1 - p) / p
    odds[p <= 0] = -np.inf
    return choose.largest(odds, k)
