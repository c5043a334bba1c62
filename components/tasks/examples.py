"""A split of N prepared examples that gives out batches."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from components.arrays import Array
from components.tasks.batch import Batch, Rows
from components.tasks.cheap_features import Bags


class Examples(Protocol):
    """What the road asks of a kind of data; columns are memory-mapped and indexed a batch at a time.

    Attributes:
        target: ``(N,)`` int64 class, or float32 number; what a batch holds as target may be wider.
        outputs: d, numbers that the model gives an example and two sights are compared by: C where targets are classes.
        lengths: ``(N,)`` cost of an example where it varies, by which batches are bucketed; else None.
    """

    target: Array
    outputs: int
    lengths: Array | None

    def __len__(self) -> int:
        """Return N."""

    def fetch(self, rows: Rows, device: torch.device) -> Batch:
        """Return ``rows`` collated, padded and moved to ``device``."""

    @property
    def bags(self) -> Bags:
        """What can be known of the examples without fetching them; made once, when it is first asked for."""


def packed(rows: Rows, inputs: dict[str, Tensor], target: Tensor, device: torch.device) -> Batch:
    """Return the batch of ``rows``, everything in it on ``device``, the rows themselves on the host."""
    if device.type == "cpu":
        return Batch(rows, inputs, target, rows.weight)
    there = {name: to_device(value, device) for name, value in inputs.items()}
    # What is learnt may be the input itself.
    same = next((there[name] for name, value in inputs.items() if value is target), None)
    return Batch(rows, there, to_device(target, device) if same is None else same, to_device(rows.weight, device))


def picked(batch: Batch, rows: Rows, answer: Array) -> Batch:
    """Return ``rows``, which are those of ``batch`` that passed a door with ``answer``, without fetching them again."""
    device = batch.target.device
    kept = torch.from_numpy(np.flatnonzero(answer))
    there = kept if device.type == "cpu" else to_device(kept, device)
    target = batch.target.index_select(0, there)
    inputs = {n: target if v is batch.target else v.index_select(0, there) for n, v in batch.inputs.items()}
    return Batch(rows, inputs, target, rows.weight if device.type == "cpu" else to_device(rows.weight, device))


def to_device(value: Tensor, device: torch.device) -> Tensor:
    """Return ``value`` on its way to ``device``.

    To CUDA from pinned memory, since a copy from any other first waits for everything that the GPU has been asked to do.
    """
    return (value.pin_memory() if device.type == "cuda" else value).to(device, non_blocking=True)
