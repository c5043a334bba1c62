"""Nearness of a pool's examples to a target set, by hashed n-grams or features.

N-grams follow DSIR (Xie et al., NeurIPS 2023, arXiv 2302.03169), here over the token ids that the model reads.
"""

from __future__ import annotations

import numpy as np

from components.arrays import Array
from components.tasks.cheap_features import Bags

#: Buckets that unigrams and bigrams are hashed into, as in the paper.
BUCKETS = 10_000
#: Added to the count of every bucket, so that none has a probability of 0.
SMOOTHING = 1.0
#: Nearest target examples whose mean similarity is an example's nearness by features.
NEAREST = 10
#: Examples whose similarities to the target set are in memory at once.
AT_ONCE = 4096


def by_ngrams(tokens: Array, offsets: Array, aimed: Array) -> Array:
    """Return each text's log-likelihood ratio of the target set over all texts, ``(N,)`` float32.

    A text is a bag of unigrams and bigrams, each hashed into one of ``BUCKETS``: ``sum_j n_j log(p_j / q_j)``, with smoothed
    probabilities p in the target set and q in all texts.

    Args:
        tokens: ``(T,)`` ids of all texts, concatenated.
        offsets: ``(N + 1,)`` start of each text.
        aimed: ``(N,)`` bool, whether a text is of the target set.
    """
    texts = np.repeat(np.arange(len(aimed)), np.diff(offsets))
    at = tokens[offsets[0] : offsets[-1]].astype(np.uint64)
    inside = texts[1:] == texts[:-1]
    owners = np.concatenate([texts, texts[1:][inside]])
    buckets = np.concatenate([_bucket(at), _bucket(at[:-1][inside] * np.uint64(2**32) + at[1:][inside] + np.uint64(1))])
    return _log_ratio(owners, buckets, BUCKETS, aimed)


def by_bags(bags: Bags, aimed: Array) -> Array:
    """Return the same ratio for examples of any kind, from the features in ``bags``."""
    bag = bags.of(np.arange(len(aimed)))
    owners = np.repeat(np.arange(len(aimed)), np.diff(bag.ends))
    return _log_ratio(owners, bag.features, bags.count, aimed)


def _bucket(value: Array) -> Array:
    """Return the bucket of each 64-bit ``value``, by a multiplicative hash (Knuth)."""
    return np.asarray(((value * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(32)) % np.uint64(BUCKETS), np.int64)


def _log_ratio(owners: Array, buckets: Array, count: int, aimed: Array) -> Array:
    every = np.bincount(buckets, minlength=count) + SMOOTHING
    target = np.bincount(buckets[aimed[owners]], minlength=count) + SMOOTHING
    ratio = np.log(target / target.sum()) - np.log(every / every.sum())
    return np.bincount(owners, ratio[buckets], minlength=len(aimed)).astype(np.float32)


def by_features(features: Array, aimed: Array) -> Array:
    """Return each example's mean cosine similarity to the ``NEAREST`` others of the target set, ``(N,)`` float32.

    Args:
        features: ``(N, d)``.
        aimed: ``(N,)`` bool, whether an example is of the target set.
    """
    centred = features - features.mean(0, dtype=np.float64).astype(np.float32)
    unit = centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-12)
    rows = np.flatnonzero(aimed)
    k = min(NEAREST, max(1, len(rows) - 1))
    near = np.empty(len(unit), np.float32)
    for start in range(0, len(unit), AT_ONCE):
        similar = unit[start : start + AT_ONCE] @ unit[rows].T
        own = rows[(rows >= start) & (rows < start + AT_ONCE)]
        similar[own - start, np.searchsorted(rows, own)] = -np.inf if len(rows) > 1 else 1.0  # not to itself
        near[start : start + AT_ONCE] = np.partition(similar, similar.shape[1] - k, axis=1)[:, -k:].mean(1)
    return near
