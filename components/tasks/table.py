"""Rows of numbers and categories, kept as one matrix."""

from __future__ import annotations

from functools import cached_property

import torch

from components.arrays import Array
from components.tasks.batch import Batch, Rows
from components.tasks.cheap_features import Bags
from components.tasks.examples import packed


class Records:
    """N rows, given out as ``input`` ``(B, columns)``.

    Attributes:
        values: ``(N, columns)`` float32: numbers in standard deviations, a column of 0 and 1 for each value of a category.
        lengths: None, since every row costs the same.
    """

    lengths: Array | None = None

    def __init__(self, values: Array, target: Array, outputs: int) -> None:
        """Read ``values`` where they lie."""
        self.values, self.target, self.outputs = values, target, outputs

    def __len__(self) -> int:
        return len(self.target)

    def fetch(self, rows: Rows, device: torch.device) -> Batch:
        """Return ``rows`` on ``device``."""
        index = rows.index.numpy()
        return packed(rows, {"input": torch.from_numpy(self.values[index])}, torch.from_numpy(self.target[index]), device)

    @cached_property
    def bags(self) -> Bags:
        """In which bin of its column each value is."""
        return Bags.of_columns(self.values)
