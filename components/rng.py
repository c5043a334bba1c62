"""Seeded random streams, one for each purpose and position."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np


def stream(seed: int, purpose: str, *position: int) -> np.random.Generator:
    """Return the random stream of one purpose at one position (epoch, row).

    Streams are derived from their key, not advanced: resuming needs no state, and one method's draws do not change the
    order of another's.
    """
    return np.random.default_rng(_entropy(seed, purpose, *position))


class Streams:
    """The random streams of one epoch."""

    def __init__(self, seed: int, epoch: int) -> None:
        """Create an epoch's streams; each is derived when it is requested."""
        self._seed, self._epoch = seed, epoch
        self._doors: dict[str, tuple[np.random.PCG64, Any, np.random.Generator]] = {}

    def of(self, purpose: str, *position: int) -> np.random.Generator:
        """Return the ``stream`` of a purpose at a position in this epoch."""
        return stream(self._seed, purpose, self._epoch, *position)

    def at(self, door: str, position: int) -> np.random.Generator:
        """Return the stream of a door at a position.

        It is valid until the next call for the same door.

        Streams of neighbouring positions are 2^32 numbers apart in one sequence. This is faster than ``of``, which matters
        because a door needs one for each look.
        """
        if door not in self._doors:
            bits = np.random.PCG64(_entropy(self._seed, door, self._epoch))
            self._doors[door] = bits, bits.state, np.random.Generator(bits)
        bits, start, generator = self._doors[door]
        bits.state = start
        bits.advance(position << 32)
        return generator


def _entropy(seed: int, purpose: str, *position: int) -> list[int]:
    # The number of positions is part of it, since numpy treats seeds that differ only in trailing zeros alike.
    return [seed, zlib.crc32(purpose.encode()), len(position), *position]
