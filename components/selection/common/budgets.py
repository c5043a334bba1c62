"""Budgets of draws, shared out among classes and among epochs."""

from __future__ import annotations

import numpy as np

from components.arrays import Array

#: Budget -> exponent of the class size that the class's share is proportional to.
POWERS = {"proportional": 1.0, "square-root": 0.5, "equal": 0.0}


def by_class(sizes: Array, k: int, power: float) -> Array:
    """Return the draws of each class, ``(C,)``, k in all: proportional to ``sizes ** power``, at most the class's rows.

    Draws that a class has no rows for go to the others. Remainders go to the largest, among equal ones to the first class.


    Args:
        sizes: ``(C,)`` rows of each class, k or more in all.
        k: number of draws.
        power: 1 keeps the shares of the classes, 0 makes them equal.
    """
    share = np.where(sizes > 0, np.maximum(sizes, 1).astype(np.float64) ** power, 0.0)
    budget = np.zeros(len(sizes))
    full = np.zeros(len(sizes), bool)
    while True:
        rest = ~full & (share > 0)
        left = k - sizes[full].sum()
        budget = np.where(full, sizes, left * np.where(rest, share, 0) / max(share[rest].sum(), 1e-300))
        if not (over := rest & (budget >= sizes)).any():
            break
        full |= over
    whole = np.floor(budget + 1e-9).astype(np.int64)
    order = np.argsort(-(budget - whole), kind="stable")
    whole[order[: k - whole.sum()]] += 1
    return whole


def course(index: int, start: int, stop: int, slope: float) -> float:
    """Return an epoch's share relative to the mean of the epochs from ``start`` up to ``stop``.

    With a ``slope`` of 1 it rises from about 0 to about 2, with -1 it falls, with 0 it is 1.
    """
    return 1 + slope * ((2 * (index - start) + 1) / (stop - start) - 1)


def check_slope(slope: float) -> float:
    """Return ``slope`` if it is in [-1, 1], else raise ValueError."""
    if not -1 <= slope <= 1:
        raise ValueError(f"slope must be in [-1, 1], got {slope!r}; the nearest that works is {min(max(slope, -1), 1)}")
    return slope
