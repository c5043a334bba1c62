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
    # With the number of places: numpy takes a seed that ends in zeros for the shorter one.
    return np.random.default_rng([seed, zlib.crc32(purpose.encode()), len(place), *place])


def count_of(fraction: float, total: int) -> int:
    """Return how many of ``total`` a ``fraction`` is: rounded, at least one."""
    return max(1, round(fraction * total))
