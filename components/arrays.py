"""Array type, and conversion of a fraction to a count."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

Array = NDArray[Any]


def count_of(fraction: float, total: int) -> int:
    """Return the count that ``fraction`` of ``total`` rounds to, at least 1."""
    return max(1, round(fraction * total))
