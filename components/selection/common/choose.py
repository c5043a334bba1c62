"""Choice of the k best rows by scores ``(N,)``, with numpy alone."""

from __future__ import annotations

import numpy as np

from components.arrays import Array

#: Size of the sample that estimates the k-th largest score, and half the estimate's width in standard deviations.
SAMPLE, WIDTH = 2**16, 6
#: Random numbers drawn at once.
AT_ONCE = 2**20


def top(score: Array, k: int) -> Array:
    """Return the indices ``(k,)`` of the k largest scores, best first; among equal scores the earlier wins.

    Raises:
        ValueError: if a score is NaN.
    """
    chosen = largest(score, k)
    return chosen[best_first(score[chosen])]


def largest(score: Array, k: int) -> Array:
    """Return the indices ``(k,)`` of the k largest scores, ascending; among equal scores the earlier wins.

    Raises:
        ValueError: if a score is NaN.
    """
    if len(score) and np.isnan(score.max()):  # which takes no memory
        raise ValueError(f"the score of example {int(np.isnan(score).argmax())} is not a number")
    if k == 0 or k >= len(score):
        return np.arange(min(k, len(score)))
    bound = _bound(score, k)
    kept = np.flatnonzero(score >= bound)
    if len(kept) == k:
        return kept
    above = np.flatnonzero(score > bound)
    level = np.flatnonzero(score == bound)[: k - len(above)]
    return np.sort(np.concatenate([above, level]))


def best_first(score: Array) -> Array:
    """Return the indices of scores ``(k,)``, the largest first; among equal scores the earlier is first.

    Float32 scores and their indices are sorted as one 64-bit number, several times as fast as a stable sort of the scores.
    """
    if score.dtype != np.float32 or len(score) > 2**32:
        return np.argsort(-score, kind="stable")
    bits = (score + np.float32(0)).view(np.uint32)  # -0 becomes 0, which it is equal to
    # The bits of positive floats rise with the value, those of negative ones fall; here the largest is to come first.
    falling = np.where(bits >> 31, bits, ~bits & np.uint32(2**31 - 1))
    keys = falling.astype(np.uint64) << np.uint64(32)
    keys |= np.arange(len(score), dtype=np.uint64)
    keys.sort()
    keys &= np.uint64(2**32 - 1)
    return keys.view(np.int64)


def _bound(score: Array, k: int) -> Array:
    """Return the k-th largest score, among candidates that a sample narrows down."""
    among, rank = score, k
    if len(score) > 8 * SAMPLE:
        sample = np.sort(score[:: len(score) // SAMPLE])
        share = 1 - k / len(score)
        half = WIDTH * np.sqrt(len(sample) * share * (1 - share)) + 1
        low, high = (np.clip(share * len(sample) + d, 0, len(sample) - 1) for d in (-half, half))
        near = score[(score >= sample[int(low)]) & (score <= sample[int(high)])]
        left = k - int(np.count_nonzero(score > sample[int(high)]))
        if 0 < left <= len(near):
            among, rank = near, left
    bound: Array = np.partition(among, len(among) - rank)[len(among) - rank]
    return bound


def softmax(score: Array, temperature: float) -> Array:
    """Return ``exp(score / temperature)`` over its sum ``(N,)``."""
    shifted = (score - score.max()) / temperature
    p = np.exp(shifted)
    return np.asarray(p / p.sum())


def gumbel_top(score: Array, k: int, temperature: float, rng: np.random.Generator) -> Array:
    """Return k indices drawn one after the other, without replacement, by ``softmax(score / temperature)``.

    Adding Gumbel noise and taking the top k is the same draw (Vieira 2014; Kool et al., arXiv 1903.06059).
    """
    return top(perturbed(score, temperature, rng), k)


def perturbed(score: Array, temperature: float, rng: np.random.Generator) -> Array:
    """Return ``score / temperature`` plus Gumbel noise ``(N,)`` float32; its k largest are the draw of ``gumbel_top``."""
    noise = np.empty(len(score), np.float32)
    for start in range(0, len(score), AT_ONCE):
        part = noise[start : start + AT_ONCE]
        part[:] = rng.gumbel(size=len(part))
        part += score[start : start + AT_ONCE] / np.float32(temperature)
    return noise


def standardised(score: Array) -> Array:
    """Return the standardised score, so that a temperature means the same for any task."""
    spread = score.std(dtype=np.float64)
    centred = score - score.mean(dtype=np.float64).astype(score.dtype)
    return np.asarray(centred if spread == 0 else centred / score.dtype.type(spread))


def k_centres(features: Array, k: int) -> tuple[Array, Array]:
    """Return k indices, each the farthest from the earlier ones, and each example's distance to its nearest centre.

    Greedy k-centres (Sener and Savarese, arXiv 1708.00489): ``argmax_i min_{j in S} ||h_i - h_j||_2``, k times over all of
    ``features`` ``(N, d)``. The first is the nearest to their mean. Among equal distances the earlier index wins.

    Features are rounded to 16 bits of the largest, so every sum is of integers below 2^53 and the same on any machine, in any
    order.

    Returns:
        The indices ``(k,)`` in the order chosen, and the distances ``(N,)`` float32, for a centre that when it was chosen
        (infinite for the first).
    """
    centred = features - features.mean(0, dtype=np.float64)
    unit = (np.abs(centred).max() or 1.0) / 2**15
    points = np.rint(centred / unit)
    squares = np.einsum("nd,nd->n", points, points)
    nearest, distance = np.full(len(points), np.inf), np.empty(len(points))
    chosen = np.empty(k, np.int64)
    row = int(squares.argmin())
    for i in range(k):
        chosen[i], distance[row] = row, nearest[row]
        np.minimum(nearest, squares + squares[row] - 2 * (points @ points[row]), out=nearest)
        nearest[row] = -np.inf
        row = int(nearest.argmax())
    rest = nearest >= 0
    distance[rest] = nearest[rest]
    return chosen, (np.sqrt(distance) * unit).astype(np.float32)
