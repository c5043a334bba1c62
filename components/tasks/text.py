"""Texts of any length, stored as token ids of the model's tokenizer."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import torch

from components.arrays import Array
from components.tasks.batch import Batch, Rows
from components.tasks.cheap_features import Bags
from components.tasks.examples import packed


class Texts:
    """N texts, concatenated in one array of token ids.

    Attributes:
        tokens: ``(T,)`` int32, all texts concatenated.
        offsets: ``(N + 1,)`` int, start of each text.
        lengths: ``(N,)`` tokens of each text.
        second: ``(N,)`` int, start of a pair's second text in each example; None for models without token types.
    """

    def __init__(
        self, tokens: Array, offsets: Array, target: Array, outputs: int, pad: int, second: Array | None = None
    ) -> None:
        """Wrap ``tokens`` without a copy; ``pad`` is the padding token id."""
        self.tokens, self.offsets, self.target, self.outputs, self.pad = tokens, offsets, target, outputs, pad
        self.second = second
        self._sizes: Array = np.diff(offsets)
        self.lengths: Array | None = self._sizes

    def __len__(self) -> int:
        return len(self.target)

    def fetch(self, rows: Rows, device: torch.device) -> Batch:
        """Return the texts of ``rows``: ``input_ids`` and ``attention_mask`` ``(B, longest of them)`` int64.

        Models with token types also get ``token_type_ids`` of the same shape: 1 for tokens of the second text.
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
        """The set of tokens of each text."""
        return Bags.of_tokens(self.tokens, self.offsets)
