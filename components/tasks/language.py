"""Running text, cut into blocks of as many tokens each."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import torch

from components.arrays import Array
from components.tasks.batch import Batch, Rows
from components.tasks.cheap_features import Bags
from components.tasks.examples import packed


class Blocks:
    """N blocks of T tokens, each of which is to be known from those before it.

    Attributes:
        tokens: ``(N, T)`` int32.
        target: ``(N,)`` zeros: what is learnt are the tokens, which a batch holds as its target ``(B, T)``.
        outputs: T - 1, one for each token that is told by another.
        lengths: None, since every block costs the same.
    """

    lengths: Array | None = None

    def __init__(self, tokens: Array) -> None:
        """Read ``tokens`` where they lie."""
        self.tokens, self.outputs = tokens, tokens.shape[1] - 1
        self.target: Array = np.zeros(len(tokens), np.int64)

    def __len__(self) -> int:
        return len(self.tokens)

    def fetch(self, rows: Rows, device: torch.device) -> Batch:
        """Return the blocks of ``rows`` as ``input_ids`` ``(B, T)`` int64; they are the target too."""
        ids = torch.from_numpy(self.tokens[rows.index.numpy()].astype(np.int64))
        return packed(rows, {"input_ids": ids}, ids, device)

    @cached_property
    def bags(self) -> Bags:
        """Which tokens each block has."""
        return Bags.of_tokens(self.tokens.ravel(), np.arange(len(self) + 1) * self.tokens.shape[1])
