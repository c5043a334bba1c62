"""Cheap features of examples, as bags of small numbers, available without fetching them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from components.arrays import Array

#: Tokens sorted at once: as much memory as a few batches of images.
CHUNK = 2**20
#: Bins of a number, by quantiles of the training examples.
BINS = 8


@dataclass(frozen=True)
class Bag:
    """The features of M examples, each at most once per example.

    Attributes:
        features: ``(t,)`` int32, in [0, F), of all examples, concatenated.
        ends: ``(M + 1,)`` int64, start of each example, and the end of the last.
    """

    features: Array
    ends: Array

    def __len__(self) -> int:
        return len(self.ends) - 1

    def between(self, start: int, stop: int) -> Bag:
        """Return the examples from row ``start`` up to ``stop``."""
        ends = self.ends[start : stop + 1]
        return Bag(self.features[ends[0] : ends[-1]], ends - ends[0])

    def sums(self, value: Array) -> Array:
        """Return each example's sum ``(M,)`` of one ``value`` per feature ``(t,)``."""
        until = np.concatenate([[0.0], np.cumsum(value)])[self.ends]
        return np.asarray(until[1:] - until[:-1])

    def repeated(self, value: Array) -> Array:
        """Return each example's ``value`` ``(M,)`` repeated for each of its features, ``(t,)``."""
        return np.repeat(value, np.diff(self.ends))

    def union(self) -> Bag:
        """Return one example with the features of all."""
        features = _once(self.features)
        return Bag(features, np.array([0, len(features)]))


class Bags:
    """The features of all N examples.

    Attributes:
        count: F, number of features that occur in the split.
    """

    def __init__(self, features: Array, ends: Array, count: int) -> None:
        """Store ``features`` ``(t,)`` int32 and ``ends`` ``(N + 1,)`` as in ``Bag``."""
        self.count = count
        self._features, self._starts, self._sizes = features, ends[:-1], np.diff(ends)

    def of(self, index: Array) -> Bag:
        """Return the features of the examples at ``index`` ``(M,)``."""
        sizes = self._sizes[index]
        ends = np.zeros(len(index) + 1, np.int64)
        np.cumsum(sizes, out=ends[1:])
        at = np.arange(ends[-1]) + np.repeat(self._starts[index] - ends[:-1], sizes)
        return Bag(self._features[at], ends)

    @staticmethod
    def of_tokens(tokens: Array, offsets: Array) -> Bags:
        """Return the set of tokens of each text, from concatenated ``tokens`` ``(T,)`` and ``offsets`` ``(N + 1,)``."""
        known = np.bincount(tokens) > 0
        dense, count = np.cumsum(known) - 1, int(known.sum())
        parts, sizes = [], []
        start = 0
        while start < len(offsets) - 1:
            stop = max(start + 1, int(np.searchsorted(offsets, offsets[start] + CHUNK, side="right")) - 1)
            ends = offsets[start : stop + 1]
            text = np.repeat(np.arange(stop - start), np.diff(ends))
            once = _once(text * count + dense[tokens[ends[0] : ends[-1]]])
            parts.append((once % count).astype(np.int32))
            sizes.append(np.bincount(once // count, minlength=stop - start))
            start = stop
        return Bags(np.concatenate(parts), np.concatenate([[0], np.cumsum(np.concatenate(sizes))]), count)

    @staticmethod
    def of_columns(columns: Array) -> Bags:
        """Return the bin of each number of ``columns`` ``(N, d)`` within its column: d features per example.

        The bins of a column have equal numbers of examples, as far as ties allow.
        """
        n, d = columns.shape
        edges = np.quantile(columns, np.arange(1, BINS) / BINS, axis=0)
        features = np.empty((n, d), np.int32)
        for j in range(d):
            features[:, j] = j * BINS + np.searchsorted(edges[:, j], columns[:, j], side="right")
        known, dense = np.unique(features, return_inverse=True)
        return Bags(dense.astype(np.int32).ravel(), np.arange(n + 1) * d, len(known))


def _once(numbers: Array) -> Array:
    """Return the sorted unique values of non-negative ``numbers``: np.unique in a twentieth of its time."""
    ordered = np.sort(numbers)
    return ordered[np.diff(ordered, prepend=-1) > 0]
