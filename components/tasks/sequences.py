"""Pairs of texts, and conversations with responses to be learnt, as token ids."""

from __future__ import annotations

import numpy as np
import torch
from typing_extensions import override

from components.arrays import Array
from components.tasks.batch import Batch, Rows
from components.tasks.examples import packed
from components.tasks.text import Texts

#: The target's value after an example's last token; the loss leaves it out.
IGNORED = -100


class Pairs(Texts):
    """N sources, each followed by its target: every token of a target is to be predicted from those before it.

    Attributes:
        target: ``(N,)`` zeros; the targets are tokens, which a batch has as its target ``(B, outputs)``.
        outputs: most tokens of a target.
        lengths: ``(N,)`` tokens of source and target together.
        start: token id that a decoder reads before the target's first one.
    """

    def __init__(self, tokens: Array, offsets: Array, second: Array, outputs: int, pad: int, start: int) -> None:
        """Wrap ``tokens`` ``(T,)`` without a copy; ``second`` ``(N,)`` is where in its example each target starts."""
        super().__init__(tokens, offsets, np.zeros(len(second), np.int64), outputs, pad, second)
        self.start = start

    @override
    def fetch(self, rows: Rows, device: torch.device) -> Batch:
        """Return the sources, and the targets shifted by one as ``decoder_input_ids`` ``(B, longest of them)``."""
        index = rows.index.numpy()
        source, mask = self._part(index, np.zeros(len(index), np.int64), self._sources[index])
        target, written = self._part(index, self._sources[index], self._sizes[index] - self._sources[index])
        before = np.concatenate([np.full((len(index), 1), self.start), np.where(written, target, self.pad)[:, :-1]], 1)
        inputs = {"input_ids": source, "attention_mask": mask, "decoder_input_ids": before}
        tensors = {name: torch.from_numpy(np.asarray(value, np.int64)) for name, value in inputs.items()}
        # As wide in every batch, so that what is kept of two passes can be compared.
        wanted = np.full((len(index), self.outputs), IGNORED)
        wanted[:, : target.shape[1]] = np.where(written, target, IGNORED)
        return packed(rows, tensors, torch.from_numpy(wanted), device)

    def _part(self, index: Array, start: Array, sizes: Array) -> tuple[Array, Array]:
        """Return a part of each example, padded, ``(B, T)``, and which of it are tokens."""
        column = np.arange(sizes.max())
        mask = column < sizes[:, None]
        at = np.where(mask, (self.offsets[index] + start)[:, None] + column, 0)
        return np.where(mask, self.tokens[at], self.pad), mask

    @property
    def _sources(self) -> Array:
        assert self.second is not None
        return self.second

    def written(self) -> tuple[Array, Array]:
        """Return the tokens of all targets, concatenated, and the number of each ``(N,)``."""
        inside = np.arange(len(self.tokens)) - np.repeat(self.offsets[:-1], self._sizes)
        return self.tokens[inside >= np.repeat(self._sources, self._sizes)], self._sizes - self._sources


class Conversations(Texts):
    """N conversations: the tokens of their responses are to be predicted, each from all before it.

    Attributes:
        target: ``(N,)`` zeros; the targets are tokens, which a batch has as its target ``(B, outputs)``.
        outputs: most tokens of a conversation, less the first.
        learnt: ``(T,)`` which of ``tokens`` are of responses; the first of an example is none, and the last is one.
    """

    def __init__(self, tokens: Array, offsets: Array, learnt: Array, outputs: int, pad: int) -> None:
        """Wrap ``tokens`` ``(T,)`` and ``learnt`` without a copy."""
        super().__init__(tokens, offsets, np.zeros(len(offsets) - 1, np.int64), outputs, pad)
        self.learnt = learnt

    @override
    def fetch(self, rows: Rows, device: torch.device) -> Batch:
        """Return conversations without their last token, padded on the right, and the tokens after each as the target.

        A causal model sees no padding from the tokens before it, so that positions are those of an example alone.
        """
        index = rows.index.numpy()
        column = np.arange(self._sizes[index].max())
        there = column < self._sizes[index][:, None]
        at = np.where(there, self.offsets[index][:, None] + column, 0)
        ids = np.where(there, self.tokens[at], self.pad)
        # The last token of each is none to predict from: what is read ends before it.
        mask = there[:, 1:]
        inputs = {"input_ids": np.where(mask, ids[:, :-1], self.pad), "attention_mask": mask}
        tensors = {name: torch.from_numpy(np.asarray(value, np.int64)) for name, value in inputs.items()}
        wanted = np.full((len(index), self.outputs), IGNORED)
        wanted[:, : len(column) - 1] = np.where(there & (self.learnt[at] > 0), ids, IGNORED)[:, 1:]
        return packed(rows, tensors, torch.from_numpy(wanted), device)

    def written(self) -> tuple[Array, Array]:
        """Return the tokens of all responses, concatenated, and the number in each example ``(N,)``."""
        learnt = self.learnt > 0
        return self.tokens[learnt], np.add.reduceat(learnt, self.offsets[:-1], dtype=np.int64)
