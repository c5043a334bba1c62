"""Rows (indices and weights), batches (data), and the queues between draw and step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from components.arrays import Array

Shuffle = Callable[[], np.random.Generator]
#: Batches' worth of rows that are collected after door 2 has mixed lengths, to be sorted by length.
MIXED = 8
#: Batches that are sorted by length together: enough for little padding, few enough to stay shuffled.
BUCKET = 50


@dataclass(frozen=True)
class Rows:
    """M drawn examples that are not fetched yet.

    Attributes:
        index: ``(M,)`` int64, each example's index in the training split.
        weight: ``(M,)`` float32, factor of each example's loss; of stride 0 if all are 1.
    """

    index: Tensor
    weight: Tensor

    @staticmethod
    def unweighted(index: Tensor) -> Rows:
        """Return the rows of ``index``, each of weight 1, stored as one number with stride 0."""
        return Rows(index, torch.ones(1).expand(len(index)))

    def __len__(self) -> int:
        return self.index.numel()  # a tensor's own len() takes four times as long

    def through(self, weight: Array) -> Rows:
        """Return the rows that pass a door: those of positive ``weight`` ``(M,)``, reweighted, or of true values."""
        passed = weight if weight.dtype == np.bool_ else weight > 0
        index = torch.from_numpy(self.index.numpy()[passed])
        if passed is weight and not self.weight.stride(0):
            return Rows(index, self.weight[: len(index)])
        return Rows(index, torch.from_numpy((self.weight.numpy() * weight)[passed]))

    def between(self, start: int, stop: int) -> Rows:
        """Return the rows from row ``start`` up to ``stop``."""
        return Rows(self.index[start:stop], self.weight[start:stop])

    def split(self, size: int) -> Iterator[Rows]:
        """Yield the rows in order, ``size`` at a time; the last part may be shorter."""
        for start in range(0, len(self), size):
            yield self.between(start, start + size)

    def then(self, other: Rows) -> Rows:
        """Return these rows followed by ``other``, as a copy: tensors of a checkpoint must not share memory."""
        return Rows(torch.cat([self.index, other.index]), torch.cat([self.weight, other.weight]))

    @staticmethod
    def none() -> Rows:
        """Return no rows."""
        return Rows(torch.empty(0, dtype=torch.int64), torch.empty(0))


@dataclass(frozen=True)
class Batch:
    """B examples, fetched.

    Attributes:
        rows: their indices and weights, on the host.
        inputs: the model's keyword arguments, each ``(B, ...)``.
        target: ``(B,)`` int64 class, or float32 value for regression; ``(B, C)`` uint8 of several classes.
        weight: ``(B,)`` float32, ``rows.weight`` on the device of the data.
    """

    rows: Rows
    inputs: dict[str, Tensor]
    target: Tensor
    weight: Tensor

    def __len__(self) -> int:
        return self.weight.numel()

    @property
    def fetched(self) -> Rows:
        """The rows whose data this process has: all of them."""
        return self.rows

    def parts(self, size: int) -> Iterator[Batch]:
        """Yield the fetched rows in order, at most ``size`` at a time, as views of the batch's data."""
        for start in range(0, len(self.fetched), size):
            stop = start + size
            target = self.target[start:stop]
            # The target may be the input itself.
            inputs = {n: target if v is self.target else v[start:stop] for n, v in self.inputs.items()}
            yield Batch(self.fetched.between(start, stop), inputs, target, self.weight[start:stop])


class Refill:
    """Queue that gives out full batches only, so that all steps have the planned size.

    The rest of an epoch is a short batch; a single example joins the batch before it, since batch norm over maps of one pixel
    cannot take it alone.

    Attributes:
        size: batch size.
        waiting: rows of an incomplete batch.
    """

    def __init__(self, size: int, waiting: Rows | None = None, lengths: Array | None = None) -> None:
        """Begin with ``waiting``; ``lengths`` ``(N,)`` are those of all examples, if they differ in cost."""
        self.size, self.waiting, self._lengths = size, waiting or Rows.none(), lengths

    def push(self, rows: Rows, shuffle: Shuffle | None = None, *, last: bool = False) -> Iterator[Rows]:
        """Add ``rows``, and yield every batch that is now full.

        With ``shuffle``, rows have mixed lengths: some batches' worth is collected and sorted by length. The ``last`` rows of
        an epoch wait for ``flush`` if a single one of them would be left.
        """
        if not len(self.waiting) and len(rows) == self.size:
            yield rows
            return
        mixed = shuffle is not None and self._lengths is not None
        rows, self.waiting = self.waiting.then(rows), Rows.none()
        if last and leaves_one(len(rows), self.size):
            self.waiting = rows
            return
        full = len(rows) - len(rows) % self.size
        if mixed and len(rows) < self.size * MIXED:
            full = 0
        if full and mixed:
            rows = self._sorted(rows)
        self.waiting = rows.between(full, len(rows))
        yield from self._out(rows.between(0, full), shuffle if mixed else None)

    def flush(self, shuffle: Shuffle | None = None) -> Iterator[Rows]:
        """Yield the waiting rows.

        The last batch may be short, but not a single row after a full batch.
        """
        rest, self.waiting = self.waiting, Rows.none()
        mixed = shuffle is not None and self._lengths is not None
        yield from self._out(self._sorted(rest) if mixed else rest, shuffle if mixed else None)

    def _sorted(self, rows: Rows) -> Rows:
        assert self._lengths is not None
        order = torch.from_numpy(np.argsort(self._lengths[rows.index.numpy()], kind="stable"))
        return Rows(rows.index[order], rows.weight[order])

    def _out(self, rows: Rows, shuffle: Shuffle | None) -> Iterator[Rows]:
        batches = list(rows.split(self.size))
        if leaves_one(len(rows), self.size):
            batches[-2:] = [rows.between((len(batches) - 2) * self.size, len(rows))]
        order = range(len(batches)) if shuffle is None else shuffle().permutation(len(batches))
        for number in order:
            yield batches[number]


def leaves_one(rows: int, size: int) -> bool:
    """Return whether ``rows`` in batches of ``size`` leave a single one after a full batch."""
    return rows > size > 1 and rows % size == 1


def epoch_order(weight: Array, lengths: Array | None, size: int, rng: np.random.Generator) -> Rows:
    """Return the rows of positive ``weight`` ``(N,)`` in a fresh random order.

    All N rows are shuffled before any is dropped, so a smaller draw has the larger one's order, thinned out. With ``lengths``
    ``(N,)``, rows of similar length are grouped in runs of ``size``.
    """
    order = rng.permutation(len(weight))
    order = order[weight[order] > 0]
    if lengths is not None:
        order = _bucketed(order, lengths, size, rng)
    index, drawn = torch.from_numpy(order), weight[order].astype(np.float32)
    return Rows.unweighted(index) if (drawn == 1).all() else Rows(index, torch.from_numpy(drawn))


def _bucketed(order: Array, lengths: Array, size: int, rng: np.random.Generator) -> Array:
    """Sort runs of ``BUCKET`` batches by length, then shuffle the full batches; a short one stays last."""
    span = size * BUCKET
    chunks = (order[start : start + span] for start in range(0, len(order), span))
    by_length = np.concatenate([c[np.argsort(lengths[c], kind="stable")] for c in chunks] or [order])
    full = len(order) // size
    batches = by_length[: full * size].reshape(full, size)
    return np.concatenate([batches[rng.permutation(full)].ravel(), by_length[full * size :]])
