"""Drawing an exact number of N examples by given inclusion probabilities; numpy alone."""

from __future__ import annotations

import numpy as np

from components.arrays import Array
from components.selection.common import choose


def inclusion(size: Array, k: int) -> Array:
    """Return the probabilities ``p_i = min(1, c size_i)``, ``(N,)`` float32, whose sum is k.

    Where no more than k sizes are above 0, they have a probability of 1.

    Args:
        size: ``(N,)`` 0 or more, what the probabilities are in proportion to.
        k: how many are to be drawn, 1 or more.
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
    """Return the indices ``(k,)``, in order, of k examples drawn without replacement by ``p`` ``(N,)``, whose sum is k.

    Pareto sampling (Rosen 1997, J. Statistical Planning and Inference 62, 159): those with the k smallest
    ``u / (1 - u) * (1 - p) / p``, u uniform. An example with a p of 1 is always among them and one with 0 never; of all others
    the probabilities are p to order 1 / k. Each example has a random number of its own, so that a rounding error in one p
    moves the draw of hardly any other.
    """
    u = rng.random(len(p), np.float32)
    odds = np.negative(u)
    odds /= 1 - u
    with np.errstate(divide="ignore", invalid="ignore"):
        odds *= (1 - p) / p
    odds[p <= 0] = -np.inf
    return choose.largest(odds, k)
