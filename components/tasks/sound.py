"""Sounds stored as features, of one class or with a transcript each."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import torch
from typing_extensions import override

from components.arrays import Array
from components.tasks.batch import Batch, Rows
from components.tasks.cheap_features import Bags
from components.tasks.examples import packed
from components.tasks.image import TILED, tiles
from components.tasks.sequences import IGNORED

#: Parts that a waveform's loudness is told of.
PARTS = 16


class Sounds:
    """N sounds, as log-mel bands ``(1, bands, frames)`` or otherwise, given out scaled by mean and deviation.

    Attributes:
        values: ``(N, *shape)`` float32.
        lengths: None, since every sound costs the same.
    """

    lengths: Array | None = None

    def __init__(self, values: Array, target: Array, outputs: int, mean: float, deviation: float) -> None:
        """Wrap ``values`` without a copy; ``mean`` and ``deviation`` are of the training split, or 0 and 1."""
        self.values, self.target, self.outputs = values, target, outputs
        self._mean, self._scale = mean, 1 / max(deviation, 1e-6)

    def __len__(self) -> int:
        return len(self.target)

    def fetch(self, rows: Rows, device: torch.device) -> Batch:
        """Return the sounds of ``rows`` as ``input`` ``(B, *shape)``; they are scaled on ``device``."""
        index = rows.index.numpy()
        batch = packed(rows, {"input": torch.from_numpy(self.values[index])}, torch.from_numpy(self.target[index]), device)
        batch.inputs["input"] = batch.inputs["input"].sub_(self._mean).mul_(self._scale)
        return batch

    def reduced(self, rows: Array, most: int = 4) -> Array:
        """Return the sounds ``rows`` ``(K,)`` in short, ``(K, d)`` float32.

        Of bands, these are the means of ``most`` x ``most`` tiles; of a waveform, how loud each of ``most`` squared parts is.
        """
        parts = [self.values[part] for part in np.array_split(rows, 1 + len(rows) // TILED)]
        return np.concatenate([_tiles(part, most) if part.ndim > 2 else _loudness(part, most**2) for part in parts])

    @cached_property
    def bags(self) -> Bags:
        """Mean of each of 4 x 4 tiles, or the loudness of each sixteenth, in bins."""
        return Bags.of_columns(self.reduced(np.arange(len(self))))


class Transcribed(Sounds):
    """N sounds with a transcript each, whose tokens are to be heard in their frames.

    Attributes:
        values: ``(N, time, bands)`` or ``(N, time)`` float32, zeros behind an example's last moment.
        lengths: ``(N,)`` moments of each sound.
        target: ``(N,)`` zeros; the targets are tokens, which a batch has as its target ``(B, most)``.
        frames: ``(N,)`` that a model of the task gives tokens for, fewer than moments.
        most: tokens of the longest transcript.
    """

    def __init__(self, values: Array, lengths: Array, frames: Array, tokens: Array, offsets: Array) -> None:
        """Wrap ``values`` without a copy; ``tokens`` ``(T,)`` of all transcripts begin at ``offsets`` ``(N + 1,)``."""
        super().__init__(values, np.zeros(len(lengths), np.int64), 1, 0.0, 1.0)
        self.lengths, self.frames, self.tokens, self.offsets = lengths, frames, tokens, offsets
        self.most = int(np.diff(offsets).max(initial=1))

    @override
    def fetch(self, rows: Rows, device: torch.device) -> Batch:
        """Return the sounds as ``input``, as long as the longest of ``rows``, and their ``length`` ``(B,)``."""
        index = rows.index.numpy()
        assert self.lengths is not None
        length = self.lengths[index].astype(np.int64)
        # As wide in every batch, so that the targets of several passes can be joined.
        inputs = {"input": self.values[index, : length.max()], "length": length}
        return packed(rows, {n: torch.from_numpy(v) for n, v in inputs.items()}, torch.from_numpy(self.written(index)), device)

    def written(self, index: Array) -> Array:
        """Return the tokens of the transcripts of ``index``, ``(B, most)`` int64, ``IGNORED`` behind the last."""
        column, start = np.arange(self.most), self.offsets[index]
        there = column < (self.offsets[index + 1] - start)[:, None]
        at = np.where(there, start[:, None] + column, 0)
        return np.where(there, self.tokens[at], IGNORED).astype(np.int64)


def _tiles(values: Array, most: int) -> Array:
    """Return the tiles of values ``(M, height, width)`` or ``(M, 1, height, width)``."""
    return tiles(values if values.ndim == 4 else values[:, None], most)


def _loudness(waves: Array, parts: int) -> Array:
    """Return the mean absolute value of each part of waveforms ``(M, S)``, ``(M, parts)`` float32."""
    return np.stack([np.abs(part).mean(1) for part in np.array_split(waves, parts, axis=1)], axis=1)
