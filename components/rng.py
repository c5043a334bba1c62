"""Seeded random streams, one for each purpose and position."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np

from components.arrays import Array

#: Multipliers and key increments of Philox4x32 (Salmon et al. 2011, table 2 and section 4.3).
PHILOX = (0xD2511F53, 0xCD9E8D57), (0x9E3779B9, 0xBB67AE85)
LOW = np.uint64(2**32 - 1)


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


def draws_at(index: Array, count: int, seed: int, purpose: str, *position: int) -> Array:
    """Return ``count`` uniform numbers in [0, 1) for each example, ``(B, count)`` float64.

    An example's numbers depend on its index and the stream's key alone, whatever else is in the batch; more of them begin
    with the same ones. They have 32 bits.

    Args:
        index: ``(B,)`` int64, the examples' indices.
        count: numbers an example.
        seed: the run's seed.
        purpose: the stream's name.
        position: position of the stream, such as the epoch.
    """
    blocks, examples = -(-count // 4), index.astype(np.uint64)[:, None]
    each = np.broadcast_to(np.arange(blocks, dtype=np.uint64), (len(index), blocks))
    key = np.random.SeedSequence(_entropy(seed, purpose, *position)).generate_state(2)
    words = philox([each, np.zeros_like(each), examples & LOW, examples >> np.uint64(32)], key.tolist())
    numbers: Array = words.reshape(len(index), 4 * blocks)[:, :count] * 2.0**-32
    return numbers


def philox(counter: list[Array], key: list[int]) -> Array:
    """Return the four random words of each counter, ``(..., 4)``, by Philox4x32-10 (Salmon et al. 2011).

    Counters are four arrays, and a key two numbers, all of 32 bits; the arrays are uint64, which holds their products.
    """
    c0, c1, c2, c3 = counter
    high, multipliers = np.uint64(32), [np.uint64(m) for m in PHILOX[0]]
    for cycle in range(10):
        k0, k1 = (np.uint64((k + cycle * step) % 2**32) for k, step in zip(key, PHILOX[1], strict=True))
        one, two = c0 * multipliers[0], c2 * multipliers[1]
        c0, c1, c2, c3 = (two >> high) ^ c1 ^ k0, two & LOW, (one >> high) ^ c3 ^ k1, one & LOW
    return np.stack([c0, c1, c2, c3], -1)


def _entropy(seed: int, purpose: str, *position: int) -> list[int]:
    # The number of positions is part of it, since numpy treats seeds that differ only in trailing zeros alike.
    return [seed, zlib.crc32(purpose.encode()), len(position), *position]
