"""Encoding of number and category columns as one matrix, fitted to the training split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from components.arrays import Array

#: Largest number of values of a category, each of which takes a column of the matrix.
MOST_VALUES = 1000


@dataclass(frozen=True)
class Number:
    """A number, in standard deviations around the mean of the training split."""

    column: str
    mean: float
    deviation: float
    width = 1

    @staticmethod
    def fitted(column: str, values: Array, train: Array) -> Number:
        """Return the encoding of a number, fitted to the rows ``train`` of ``values`` ``(N,)``."""
        return Number(column, *spread(values[train]))

    def write(self, values: Array, into: Array) -> None:
        """Write ``(value - mean) / deviation``."""
        into[:, 0] = standardised(values, self.mean, self.deviation)

    def record(self) -> dict[str, Any]:
        """Return name, kind, mean and deviation."""
        return {"column": self.column, "kind": "number", "mean": self.mean, "deviation": self.deviation}


@dataclass(frozen=True)
class Category:
    """A category, one-hot, with a last column for missing or new values."""

    column: str
    values: tuple[str, ...]

    @staticmethod
    def fitted(column: str, values: Array, train: Array) -> Category:
        """Return the encoding of a category, fitted to the rows ``train`` of ``values`` ``(N,)``.

        Raises:
            ValueError: if there are more than ``MOST_VALUES``.
        """
        found = sorted({value for value in values[train] if value is not None})
        if len(found) > MOST_VALUES:
            raise ValueError(f"must have at most {MOST_VALUES} values as a category, got {len(found)}")
        return Category(column, tuple(found))

    @property
    def width(self) -> int:
        """Number of columns: one per value, and one for missing or new values."""
        return len(self.values) + 1

    def write(self, values: Array, into: Array) -> None:
        """Write a 1 into the value's column."""
        column_of = {value: i for i, value in enumerate(self.values)}
        into[np.arange(len(values)), [column_of.get(value, len(column_of)) for value in values]] = 1

    def record(self) -> dict[str, Any]:
        """Return name, kind, and the values in the order of their columns."""
        return {"column": self.column, "kind": "category", "values": list(self.values)}


#: Encoding of a source column: its name, its width in the matrix, and how it is written.
Feature = Number | Category


def spread(values: Array) -> tuple[float, float]:
    """Return mean and standard deviation; a deviation of 0 becomes 1, so that constant columns become 0."""
    mean, deviation = float(values.mean(dtype=np.float64)), float(values.std(dtype=np.float64))
    return mean, deviation if deviation > 1e-12 * max(1.0, abs(mean)) else 1.0


def standardised(values: Array, mean: float, deviation: float) -> Array:
    """Return ``values`` in standard deviations around the mean, float32."""
    return ((values - mean) / deviation).astype(np.float32)


def matrix(features: Sequence[Feature], values: Sequence[Array]) -> Array:
    """Return the encoded rows ``(N, columns)`` float32 of ``values``, ``(N,)`` per feature."""
    ends = np.cumsum([feature.width for feature in features])
    rows = np.zeros((len(values[0]), ends[-1]), np.float32)
    for feature, column, part in zip(features, values, np.split(rows, ends[:-1], axis=1), strict=True):
        feature.write(column, part)
    return rows
