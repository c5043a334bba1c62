"""Exact and near duplicates, by MinHash (Broder 1997) of the library datasketch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from components.arrays import Array

#: Jaccard similarity of two sets of shingles from which on two examples are near duplicates.
THRESHOLD = 0.8
#: Hash functions; with 64, the estimated similarity has a standard deviation of 0.05.
HASHES = 64


@dataclass(frozen=True)
class Copies:
    """Duplicates among N examples.

    Attributes:
        of: ``(N,)`` int64, index of the first example that is equal or nearly so; the example's own if there is none.
        exact: ``(N,)`` bool, whether the two are equal to the byte.
    """

    of: Array
    exact: Array

    @property
    def near(self) -> Array:
        """``(N,)`` bool, whether an example is a near, not exact, duplicate of an earlier one."""
        return np.asarray((self.of != np.arange(len(self.of))) & ~self.exact)


def copies(digests: Array, among: Array, shingles: Sequence[Array], agree: Callable[[int, int], bool]) -> Copies:
    """Return which examples are duplicates of earlier ones.

    Args:
        digests: ``(N,)``, equal for equal examples.
        among: ``(K,)`` ascending indices of the examples to search for near duplicates.
        shingles: of each of these, hashed to uint64, sorted and unique.
        agree: returns whether two examples, given by index, that share ``THRESHOLD`` or more are near duplicates.
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
    """Return for each set the index of the first original that it nearly equals, or its own.

    MinHash finds the candidates, whose similarity is then computed exactly.
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
    """Return the low 32 bits of a hash, as MinHash needs them."""
    return hashed & 0xFFFFFFFF


def similarity(one: Array, other: Array) -> float:
    """Return the Jaccard similarity of two sets, given as arrays without repeats; 1 for two empty sets."""
    shared = len(np.intersect1d(one, other, assume_unique=True))
    either = len(one) + len(other) - shared
    return shared / either if either else 1.0
