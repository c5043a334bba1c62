"""Rows of numbers and categories, stored as one matrix."""

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
        values: ``(N, columns)`` float32: numbers in standard deviations, categories one-hot.
        lengths: None, since every row costs the same.
    """

    lengths: Array | None = None

    def __init__(self, values: Array, target: Array, outputs: int) -> None:
        """Wrap ``values`` without a copy."""
        self.values, self.target, self.outputs = values, target, outputs

    def __len__(self) -> int:
        return len(self.target)

    def fetch(self, rows: Rows, device: torch.device) -> Batch:
        """Return ``rows`` on ``device``."""
        index = rows.index.numpy()
        return packed(rows, {"input": torch.from_numpy(self.values[index])}, torch.from_numpy(self.target[index]), device)

    @cached_property
    def bags(self) -> Bags:
        """Each value's bin within its column."""
        return Bags.of_columns(self.values)
