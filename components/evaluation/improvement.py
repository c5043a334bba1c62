"""The best of a training's evaluations, and when to stop waiting for a better one."""

from __future__ import annotations

from collections.abc import Sequence


def best_of(values: Sequence[float], *, higher: bool) -> int | None:
    """Return the index of the best of ``values``, the first of equals; None without any.

    A NaN is never the best.
    """
    known = [i for i, value in enumerate(values) if value == value]
    return max(known, key=lambda i: values[i] if higher else -values[i], default=None)


def is_exhausted(values: Sequence[float], patience: int, *, higher: bool) -> bool:
    """Return whether the last ``patience`` of ``values`` were not better than the best before them.

    Source: Goodfellow, Bengio and Courville, Deep Learning (2016), algorithm 7.1; any improvement counts.
    """
    best = best_of(values, higher=higher)
    return len(values) - (0 if best is None else best + 1) >= patience
