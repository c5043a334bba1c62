"""Protocol of a split of N prepared examples, which gives out batches."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from components.arrays import Array
from components.tasks.batch import Batch, Rows
from components.tasks.cheap_features import Bags


class Examples(Protocol):
    """Interface of a kind of data; columns are memory-mapped and indexed batch by batch.

    Attributes:
        target: ``(N,)`` int64 class, or float32 number, or ``(N, C)`` uint8 of several classes; a batch's may be wider.
        outputs: d, size of the output compared between two passes over an example: C if targets are classes.
        lengths: ``(N,)`` cost of each example, to bucket batches by; None if all cost the same.
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
        """Cheap features of the examples, available without fetching; computed once, at first use."""


def packed(rows: Rows, inputs: dict[str, Tensor], target: Tensor, device: torch.device) -> Batch:
    """Return the batch of ``rows`` with its data on ``device`` and the rows themselves on the host."""
    if device.type == "cpu":
        return Batch(rows, inputs, target, rows.weight)
    there = {name: to_device(value, device) for name, value in inputs.items()}
    # The target may be the input itself.
    same = next((there[name] for name, value in inputs.items() if value is target), None)
    return Batch(rows, there, to_device(target, device) if same is None else same, to_device(rows.weight, device))


def picked(batch: Batch, rows: Rows, answer: Array) -> Batch:
    """Return the rows of ``batch`` that passed a door with ``answer``, ``rows``, without fetching them again."""
    device = batch.target.device
    kept = torch.from_numpy(np.flatnonzero(answer))
    there = kept if device.type == "cpu" else to_device(kept, device)
    target = batch.target.index_select(0, there)
    inputs = {n: target if v is batch.target else v.index_select(0, there) for n, v in batch.inputs.items()}
    return Batch(rows, inputs, target, rows.weight if device.type == "cpu" else to_device(rows.weight, device))


def to_device(value: Tensor, device: torch.device) -> Tensor:
    """Return ``value`` copied to ``device`` asynchronously.

    CUDA copies come from pinned memory, since any other copy first waits for the GPU's whole queue.
    """
    return (value.pin_memory() if device.type == "cuda" else value).to(device, non_blocking=True)
