"""Seeded random streams, one for each purpose and position."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np


def stream(seed: int, purpose: str, *place: int) -> np.random.Generator:
    """Return the random stream of one purpose at one place (epoch, position).

    Streams are derived and not advanced, so that resuming needs no state and one method's draws do not move
    another's order.
    """
    return np.random.default_rng(_entropy(seed, purpose, *place))


class Streams:
    """The random streams of one epoch."""

    def __init__(self, seed: int, epoch: int) -> None:
        """Derive none yet."""
        self._seed, self._epoch = seed, epoch
        self._doors: dict[str, tuple[np.random.PCG64, Any, np.random.Generator]] = {}

    def of(self, purpose: str, *place: int) -> np.random.Generator:
        """Return the ``stream`` of a purpose at a place in this epoch."""
        return stream(self._seed, purpose, self._epoch, *place)

    def at(self, door: str, place: int) -> np.random.Generator:
        """Return the stream of a door at a place, 2^32 numbers from the next, until the door is asked about another.

        Derived as those of ``of`` are, and faster, since a door is asked for each look.
        """
        if door not in self._doors:
            bits = np.random.PCG64(_entropy(self._seed, door, self._epoch))
            self._doors[door] = bits, bits.state, np.random.Generator(bits)
        bits, start, generator = self._doors[door]
        bits.state = start
        bits.advance(place << 32)
        return generator


def _entropy(seed: int, purpose: str, *place: int) -> list[int]:
    # With the number of places: numpy takes a seed that ends in zeros for the shorter one.
    return [seed, zlib.crc32(purpose.encode()), len(place), *place]
