"""Exact and near duplicates, by MinHash (Broder 1997) of the library datasketch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from components.arrays import Array

#: Of two sets of shingles: what they share of what either has, from which on two examples are nearly the same.
THRESHOLD = 0.8
#: Hash functions; with 64 the estimate that candidates are found by has a deviation of 0.05.
HASHES = 64


@dataclass(frozen=True)
class Copies:
    """Which of N examples say what another one says.

    Attributes:
        of: ``(N,)`` int64, the index of the first example that is the same or nearly so; the example's own where there is none.
        exact: ``(N,)`` bool, whether it is the same to the byte.
    """

    of: Array
    exact: Array

    @property
    def near(self) -> Array:
        """``(N,)`` bool, whether it is nearly the same as an earlier one, and no exact copy."""
        return np.asarray((self.of != np.arange(len(self.of))) & ~self.exact)


def copies(digests: Array, among: Array, shingles: Sequence[Array], agree: Callable[[int, int], bool]) -> Copies:
    """Return which examples are copies of earlier ones.

    Args:
        digests: ``(N,)``, equal where two examples are equal.
        among: ``(K,)`` indices, in order, of those among which near copies are sought.
        shingles: of each of these, hashed to uint64, in order and each once.
        agree: told the indices of two that share ``THRESHOLD`` or more, says whether they are nearly the same.
    """
    _, first, inverse = np.unique(digests, return_index=True, return_inverse=True)
    of = first[inverse]
    exact = of != np.arange(len(digests))
    own = np.flatnonzero(~exact[among])
    originals = among[own]
    sets = [shingles[i] for i in own.tolist()]
    of[originals] = originals[_nearly(sets, lambda a, b: agree(int(originals[a]), int(originals[b])))]
    return Copies(of[first[inverse]], exact)


def _nearly(sets: Sequence[Array], agree: Callable[[int, int], bool]) -> Array:
    """Return for each set the index of the first one that it is nearly the same as and that is no copy itself, or its own.

    Candidates are found by MinHash; what they share is then counted.
    """
    from datasketch import MinHash, MinHashLSH

    of, index = np.arange(len(sets)), MinHashLSH(threshold=THRESHOLD, num_perm=HASHES)
    sketches = MinHash.generator((s.tolist() for s in sets), num_perm=HASHES, hashfunc=_low_half)
    for row, sketch in enumerate(sketches):
        like = (o for o in sorted(index.query(sketch)) if similarity(sets[row], sets[o]) >= THRESHOLD and agree(o, row))
        of[row] = next(like, row)
        if of[row] == row:
            index.insert(row, sketch)
    return of


def _low_half(hashed: int) -> int:
    """Return the 32 bits that MinHash works with, of a number that is hashed already."""
    return hashed & 0xFFFFFFFF


def similarity(one: Array, other: Array) -> float:
    """Return what two sets, as arrays of each element once, share of what either has (Jaccard); of two empty ones 1."""
    shared = len(np.intersect1d(one, other, assume_unique=True))
    either = len(one) + len(other) - shared
    return shared / either if either else 1.0
