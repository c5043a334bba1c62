"""Names that the rooms share and that cost nothing to import."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def stream(seed: int, purpose: str, *place: int) -> np.random.Generator:
    """Return the random stream of one purpose at one place (epoch, position).

    Streams are derived and not advanced, so that resuming needs no state and one method's draws do not move
    another's order.
    """
    return np.random.default_rng(_entropy(seed, purpose, *place))


class Streams:
    """The random streams of one purpose in one epoch, by their place: each takes a third of the time of a ``stream``."""

    def __init__(self, seed: int, purpose: str, epoch: int) -> None:
        """Derive what they have in common."""
        self._bits = np.random.PCG64(_entropy(seed, purpose, epoch))
        self._start = self._bits.state
        self._generator = np.random.Generator(self._bits)

    def at(self, place: int) -> np.random.Generator:
        """Return the stream at ``place``, 2^32 numbers from the next one; it is good until another is asked for."""
        self._bits.state = self._start
        self._bits.advance(place << 32)
        return self._generator


def _entropy(seed: int, purpose: str, *place: int) -> list[int]:
    # With the number of places: numpy takes a seed that ends in zeros for the shorter one.
    return [seed, zlib.crc32(purpose.encode()), len(place), *place]


def count_of(fraction: float, total: int) -> int:
    """Return how many of ``total`` a ``fraction`` is: rounded, at least one."""
    return max(1, round(fraction * total))
