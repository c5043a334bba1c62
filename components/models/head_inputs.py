"""Inputs of an image model's head, computed once for every example."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import numpy as np
import torch
from torch import Tensor, nn

from components.arrays import Array
from components.models.frozen_states import TOGETHER, TOLERANCE
from components.models.normalised import Normalised
from components.tasks.batch import Batch, Rows
from components.tasks.cheap_features import Bags
from components.tasks.examples import Examples, packed


class _Head(nn.Module):
    """The trained head of a model; its input is called ``input``."""

    def __init__(self, head: nn.Linear) -> None:
        super().__init__()
        self.head = head

    def forward(self, input: Tensor) -> Tensor:
        """Return logits ``(B, classes)`` of inputs ``(B, F)``."""
        logits: Tensor = self.head(input)
        return logits


class Below:
    """The frozen part of an image model: everything below its head."""

    def __init__(self, model: Normalised, head: nn.Linear) -> None:
        """Wrap a ``model`` of which only ``head`` is trained."""
        self._model, self._head = model, head

    def states(self, images: Tensor) -> Tensor:
        """Return the head's inputs ``(B, F)`` for a batch of images ``(B, C, height, width)``."""
        seen: list[Tensor] = []
        hook = self._head.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
        try:
            self._model.eval()(images)
        finally:
            hook.remove()
        return seen[0]


def divided(model: Normalised) -> tuple[Below, nn.Module]:
    """Return the frozen part of ``model``, and its head, which shares its parameters.

    Raises:
        ValueError: if more than a single linear layer is trained.
    """
    trained = [m for m in model.modules() if any(p.requires_grad for p in m.parameters(recurse=False))]
    if len(trained) != 1 or not isinstance(trained[0], nn.Linear):
        raise ValueError(f"{type(model.body).__name__} trains more than a single linear layer above what is frozen")
    return Below(model, trained[0]), _Head(trained[0])


def check(model: Normalised, below: Below, head: nn.Module, images: Tensor) -> int:
    """Check that ``model`` and its two parts in sequence compute the same for a batch of ``images``.

    Returns F, the width of the head's input.

    Raises:
        ValueError: if they do not, in training mode (as with dropout before the head) or in evaluation mode.
    """
    name = type(model.body).__name__
    with torch.no_grad():
        states = below.states(images)
        if states.dim() != 2 or len(states) != len(images):
            raise ValueError(f"{name} cannot be run in two parts: its head takes {list(states.shape)}, not a vector an image")
        found = head(states)
        for mode in (True, False):
            expected = _logits(model.train(mode), images)
            far, most = float((found - expected).abs().max()), TOLERANCE * max(1.0, float(expected.abs().max()))
            if not far <= most:
                raise ValueError(f"{name} cannot be run in two parts: its logits differ by {far:.2g}; allowed: {most:.2g}")
    return states.shape[1]


def _logits(model: nn.Module, images: Tensor) -> Tensor:
    """Return the logits of a pass that leaves the random generators as they were."""
    with torch.random.fork_rng([images.device] if images.device.type == "cuda" else []):
        logits: Tensor = model(input=images)
        return logits


class KeptInputs:
    """Images as precomputed inputs of the head: ``input`` ``(B, F)`` float32.

    Attributes:
        shape: ``(N, F)``.
        lengths: None, since every image costs the same.
    """

    lengths: Array | None = None

    def __init__(self, examples: Examples, below: Below, width: int) -> None:
        """Wrap ``examples``; ``compute`` fills in the inputs."""
        self._examples, self._below = examples, below
        self.target, self.outputs = examples.target, examples.outputs
        self.shape = (len(examples), width)
        self._states: Array = np.empty((0, width), np.float32)

    def __len__(self) -> int:
        return len(self._examples)

    def compute(self, room: Array, device: torch.device) -> Iterator[int]:
        """Compute the inputs of all examples into ``room`` ``(N, F)`` float32, in their order.

        Yields the number done, after each batch.
        """
        for rows in Rows.unweighted(torch.arange(len(self))).split(TOGETHER):
            with torch.inference_mode():
                found = self._below.states(self._examples.fetch(rows, device).inputs["input"])
            room[rows.index.numpy()] = found.float().cpu().numpy()
            yield int(rows.index[-1]) + 1
        self._states = room

    def fetch(self, rows: Rows, device: torch.device) -> Batch:
        """Return the head's inputs of ``rows`` on ``device``."""
        index = rows.index.numpy()
        return packed(rows, {"input": torch.from_numpy(self._states[index])}, torch.from_numpy(self.target[index]), device)

    def means(self) -> Array:
        """Return the inputs themselves, ``(N, F)`` float32."""
        return self._states

    @cached_property
    def bags(self) -> Bags:
        """Cheap features of the wrapped examples."""
        return self._examples.bags
