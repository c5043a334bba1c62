"""Encoding of number and category columns as one matrix, fitted to the training split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from components.arrays import Array

#: The most values of one category: each takes a column of the matrix.
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
        """Return the number as the rows ``train`` of ``values`` ``(N,)`` have it."""
        return Number(column, *spread(values[train]))

    def write(self, values: Array, into: Array) -> None:
        """Write ``(value - mean) / deviation``."""
        into[:, 0] = standardised(values, self.mean, self.deviation)

    def record(self) -> dict[str, Any]:
        """Return mean and deviation."""
        return {"column": self.column, "kind": "number", "mean": self.mean, "deviation": self.deviation}


@dataclass(frozen=True)
class Category:
    """One of the values that the training split has, or none of them: missing, or never seen there."""

    column: str
    values: tuple[str, ...]

    @staticmethod
    def fitted(column: str, values: Array, train: Array) -> Category:
        """Return the category with the values that the rows ``train`` of ``values`` ``(N,)`` have.

        Raises:
            ValueError: where there are too many.
        """
        found = sorted({value for value in values[train] if value is not None})
        if len(found) > MOST_VALUES:
            raise ValueError(f"must have at most {MOST_VALUES} values as a category, got {len(found)}")
        return Category(column, tuple(found))

    @property
    def width(self) -> int:
        """One column a value, and one for none of them."""
        return len(self.values) + 1

    def write(self, values: Array, into: Array) -> None:
        """Write a 1 where the value is."""
        column_of = {value: i for i, value in enumerate(self.values)}
        into[np.arange(len(values)), [column_of.get(value, len(column_of)) for value in values]] = 1

    def record(self) -> dict[str, Any]:
        """Return the values in the order of their columns; none of them comes last."""
        return {"column": self.column, "kind": "category", "values": list(self.values)}


#: A column of the source: its name, how many columns of the matrix it takes, and how it is written there.
Feature = Number | Category


def spread(values: Array) -> tuple[float, float]:
    """Return mean and standard deviation; a deviation of 0 as 1, so that what never varies becomes 0."""
    mean, deviation = float(values.mean(dtype=np.float64)), float(values.std(dtype=np.float64))
    return mean, deviation if deviation > 1e-12 * max(1.0, abs(mean)) else 1.0


def standardised(values: Array, mean: float, deviation: float) -> Array:
    """Return ``values`` in standard deviations around the mean, float32."""
    return ((values - mean) / deviation).astype(np.float32)


def matrix(features: Sequence[Feature], values: Sequence[Array]) -> Array:
    """Return the rows ``(N, columns)`` float32 of ``values``, ``(N,)`` a feature."""
    ends = np.cumsum([feature.width for feature in features])
    rows = np.zeros((len(values[0]), ends[-1]), np.float32)
    for feature, column, part in zip(features, values, np.split(rows, ends[:-1], axis=1), strict=True):
        feature.write(column, part)
    return rows
