"""Texts of any length, kept as the token ids that the model's tokenizer gave."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import torch

from components.arrays import Array
from components.tasks.batch import Batch, Rows
from components.tasks.cheap_features import Bags
from components.tasks.examples import packed


class Texts:
    """N texts, end to end in one array of token ids.

    Attributes:
        tokens: ``(T,)`` int32, all texts one after the other.
        offsets: ``(N + 1,)`` int, where each text starts.
        lengths: ``(N,)`` tokens of each text.
        second: ``(N,)`` int, where in each example the second text of a pair begins; None for a model that is not told.
    """

    def __init__(
        self, tokens: Array, offsets: Array, target: Array, outputs: int, pad: int, second: Array | None = None
    ) -> None:
        """Read ``tokens`` where they lie; ``pad`` is the token id that fills a batch up."""
        self.tokens, self.offsets, self.target, self.outputs, self.pad = tokens, offsets, target, outputs, pad
        self.second = second
        self._sizes: Array = np.diff(offsets)
        self.lengths: Array | None = self._sizes

    def __len__(self) -> int:
        return len(self.target)

    def fetch(self, rows: Rows, device: torch.device) -> Batch:
        """Return the texts of ``rows``: ``input_ids`` and ``attention_mask`` ``(B, longest of them)`` int64.

        Where the model is told which tokens are of the second text, ``token_type_ids`` of the same shape: 1 for those.
        """
        index = rows.index.numpy()
        lengths = self._sizes[index]
        column = np.arange(lengths.max())
        mask = column < lengths[:, None]
        at = np.where(mask, self.offsets[index][:, None] + column, 0)
        ids = np.where(mask, self.tokens[at], self.pad)
        inputs = {
            "input_ids": torch.from_numpy(ids.astype(np.int64)),
            "attention_mask": torch.from_numpy(mask.astype(np.int64)),
        }
        if self.second is not None:
            types = mask & (column >= self.second[index][:, None])
            inputs["token_type_ids"] = torch.from_numpy(types.astype(np.int64))
        return packed(rows, inputs, torch.from_numpy(self.target[index]), device)

    @cached_property
    def bags(self) -> Bags:
        """Which tokens each text has."""
        return Bags.of_tokens(self.tokens, self.offsets)
