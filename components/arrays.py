"""The array type, and how many a fraction of something is."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

Array = NDArray[Any]


def count_of(fraction: float, total: int) -> int:
    """Return how many of ``total`` a ``fraction`` is: rounded, at least one."""
    return max(1, round(fraction * total))
