"""Running text, cut into blocks of equally many tokens."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import torch

from components.arrays import Array
from components.tasks.batch import Batch, Rows
from components.tasks.cheap_features import Bags
from components.tasks.examples import packed


class Blocks:
    """N blocks of T tokens, each to be predicted from those before it.

    Attributes:
        tokens: ``(N, T)`` int32.
        target: ``(N,)`` zeros; the targets are the tokens, which a batch has as its target ``(B, T)``.
        outputs: T - 1, one per predicted token.
        lengths: None, since every block costs the same.
    """

    lengths: Array | None = None

    def __init__(self, tokens: Array) -> None:
        """Wrap ``tokens`` without a copy."""
        self.tokens, self.outputs = tokens, tokens.shape[1] - 1
        self.target: Array = np.zeros(len(tokens), np.int64)

    def __len__(self) -> int:
        return len(self.tokens)

    def fetch(self, rows: Rows, device: torch.device) -> Batch:
        """Return the blocks of ``rows`` as ``input_ids`` ``(B, T)`` int64, which are the target too."""
        ids = torch.from_numpy(self.tokens[rows.index.numpy()].astype(np.int64))
        return packed(rows, {"input_ids": ids}, ids, device)

    @cached_property
    def bags(self) -> Bags:
        """The set of tokens of each block."""
        return Bags.of_tokens(self.tokens.ravel(), np.arange(len(self) + 1) * self.tokens.shape[1])
