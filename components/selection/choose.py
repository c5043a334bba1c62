"""From scores ``(N,)`` to the k rows that are chosen; numpy alone, so that a stage that only selects starts at once."""

from __future__ import annotations

import numpy as np

from components.arrays import Array


def top(score: Array, k: int) -> Array:
    """Return the places ``(k,)`` of the k largest scores, best first; of equal ones the earlier is better.

    Raises:
        ValueError: for a score that is NaN.
    """
    chosen = largest(score, k)
    return chosen[np.argsort(-score[chosen], kind="stable")]


def largest(score: Array, k: int) -> Array:
    """Return the places ``(k,)`` of the k largest scores, in order; of equal ones the earlier is better.

    Raises:
        ValueError: for a score that is NaN.
    """
    if np.isnan(score).any():
        raise ValueError(f"the score of the example at place {int(np.isnan(score).argmax())} is not a number")
    if k == 0 or k >= len(score):
        return np.arange(min(k, len(score)))
    bound = np.partition(score, len(score) - k)[len(score) - k]
    above = np.flatnonzero(score > bound)
    level = np.flatnonzero(score == bound)[: k - len(above)]
    return np.sort(np.concatenate([above, level]))


def softmax(score: Array, temperature: float) -> Array:
    """Return ``exp(score / temperature)`` over its sum ``(N,)``."""
    shifted = (score - score.max()) / temperature
    p = np.exp(shifted)
    return np.asarray(p / p.sum())


def gumbel_top(score: Array, k: int, temperature: float, rng: np.random.Generator) -> Array:
    """Return k places drawn one after the other, without replacement, by ``softmax(score / temperature)``.

    Adding Gumbel noise and taking the top k is the same draw (Vieira 2014; Kool et al., arXiv 1903.06059).
    """
    noise = rng.gumbel(size=len(score)).astype(np.float32)
    noise += score / np.float32(temperature)
    return top(noise, k)


def standardised(score: Array) -> Array:
    """Return the score less its mean, over its standard deviation: then a temperature means the same for any task."""
    spread = score.std(dtype=np.float64)
    centred = score - score.mean(dtype=np.float64).astype(score.dtype)
    return np.asarray(centred if spread == 0 else centred / score.dtype.type(spread))


def k_centres(features: Array, k: int) -> tuple[Array, Array]:
    """Return k places, each the farthest from those before it, and how far each example is from the nearest before it.

    Greedy k-centres (Sener and Savarese, arXiv 1708.00489): ``argmax_i min_{j in S} ||h_i - h_j||_2``, k times over all of
    ``features`` ``(N, d)``. The first is the nearest to their mean. Of equal distances the earlier place is taken.

    Features are rounded to 16 bits of the largest, so that every sum below is of whole numbers under 2^53: the same on any
    machine, in whatever order it adds.

    Returns:
        The places ``(k,)`` in the order chosen, and the distances ``(N,)`` float32, of a chosen one when it was chosen: the
        first's is infinite.
    """
    centred = features - features.mean(0, dtype=np.float64)
    unit = (np.abs(centred).max() or 1.0) / 2**15
    points = np.rint(centred / unit)
    squares = np.einsum("nd,nd->n", points, points)
    nearest, distance = np.full(len(points), np.inf), np.empty(len(points))
    chosen = np.empty(k, np.int64)
    place = int(squares.argmin())
    for i in range(k):
        chosen[i], distance[place] = place, nearest[place]
        np.minimum(nearest, squares + squares[place] - 2 * (points @ points[place]), out=nearest)
        nearest[place] = -np.inf
        place = int(nearest.argmax())
    rest = nearest >= 0
    distance[rest] = nearest[rest]
    return chosen, (np.sqrt(distance) * unit).astype(np.float32)
