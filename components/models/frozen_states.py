"""Frozen part of a transformer, computed once for every example."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from itertools import takewhile

import numpy as np
import torch
from torch import Tensor, nn

from components.arrays import Array
from components.models.small import blocks_of, embeddings_of
from components.tasks.batch import Batch, Rows
from components.tasks.cheap_features import Bags
from components.tasks.examples import Examples, packed

#: Batch size of the frozen part: fixed, so that a resumed run computes the same bytes.
TOGETHER = 64
#: Largest relative difference between the logits of both ways: float32 rounding in another order.
TOLERANCE = 1e-4


class _GivenStates(nn.Module):
    """Replaces a model's embeddings and passes on the given states."""

    def forward(self, *given: object, inputs_embeds: Tensor | None = None, **_: object) -> Tensor:
        """Return the states ``(B, L, H)``, given by keyword or position."""
        if inputs_embeds is not None:
            return inputs_embeds
        return next(value for value in given if isinstance(value, Tensor) and value.is_floating_point())


class FrozenPart:
    """The embeddings and frozen first blocks of a transformer."""

    def __init__(self, model: nn.Module, last: str) -> None:
        """Wrap a ``model`` cut after the module named ``last``."""
        self._model, self._last = model.eval(), model.get_submodule(last)

    def states(self, inputs: dict[str, Tensor]) -> Tensor:
        """Return the hidden states ``(B, L, H)`` of a batch's ``inputs``."""
        seen: list[Tensor] = []
        hook = self._last.register_forward_hook(lambda _, __, out: seen.append(out[0] if isinstance(out, tuple) else out))
        try:
            self._model(**inputs)
        finally:
            hook.remove()
        return seen[0]


def divided(model: nn.Module) -> tuple[FrozenPart, nn.Module]:
    """Return the frozen part of ``model``, and the model above it, which takes the states as ``inputs_embeds``.

    All three share parameters and buffers, so training the model above trains ``model``.

    Raises:
        ValueError: if the model has no module called ``embeddings``, or it is not frozen.
    """
    name, blocks = blocks_of(model)
    embeddings = [n for n in embeddings_of(model) if n.split(".")[-1] == "embeddings"]
    if len(embeddings) != 1 or not _is_frozen(model.get_submodule(embeddings[0])):
        raise ValueError(f"{type(model).__name__} has no single frozen module 'embeddings'")
    count = len(list(takewhile(_is_frozen, blocks)))
    below, above = _sharing(model), _sharing(model)
    below.set_submodule(name, below.get_submodule(name)[:count])  # type: ignore[index]
    above.set_submodule(name, above.get_submodule(name)[count:])  # type: ignore[index]
    above.set_submodule(embeddings[0], _GivenStates())
    return FrozenPart(below, f"{name}.{count - 1}" if count else embeddings[0]), above


def _is_frozen(module: nn.Module) -> bool:
    return not any(p.requires_grad for p in module.parameters())


def _sharing(model: nn.Module) -> nn.Module:
    """Return a copy of ``model`` that shares its parameters and buffers."""
    return copy.deepcopy(model, {id(t): t for t in [*model.parameters(), *model.buffers()]})


def check(model: nn.Module, frozen: FrozenPart, above: nn.Module, inputs: dict[str, Tensor]) -> int:
    """Check that ``model`` and its two parts in sequence compute the same for a batch's ``inputs``.

    Returns H, the width of a state.

    Raises:
        ValueError: if they do not, in training mode (with the same dropout) or in evaluation mode.
    """
    name = type(model).__name__
    try:
        states = frozen.states(inputs)
        mask = inputs["attention_mask"]
        given = {"inputs_embeds": states.detach().masked_fill(mask[..., None] == 0, 0), "attention_mask": mask}
        pairs = [(_logits(model.train(mode), inputs), _logits(above.train(mode), given)) for mode in (True, False)]
    except Exception as error:  # models raise anything for inputs that they do not support
        raise ValueError(f"{name} cannot be run in two parts: {type(error).__name__}: {error}") from None
    if states.requires_grad:
        raise ValueError(f"{name} cannot be run in two parts: a trained layer lies below a frozen one")
    for expected, found in pairs:
        far, most = float((found - expected).abs().max()), TOLERANCE * max(1.0, float(expected.abs().max()))
        if not far <= most:
            raise ValueError(f"{name} cannot be run in two parts: its logits differ by {far:.2g}; allowed: {most:.2g}")
    return states.shape[-1]


def _logits(model: nn.Module, inputs: dict[str, Tensor]) -> Tensor:
    """Return the logits ``(B, C)`` of a pass whose dropout uses a fixed seed."""
    device = next(iter(inputs.values())).device
    with torch.random.fork_rng([device] if device.type == "cuda" else []), torch.no_grad():
        torch.manual_seed(0)
        logits: Tensor = model(**inputs).logits
    return logits


class KeptStates:
    """Texts as precomputed hidden states: ``inputs_embeds`` ``(B, L, H)`` float32 and ``attention_mask`` ``(B, L)``.

    Attributes:
        shape: ``(T, H)``: tokens of all texts, and the width of a state.
    """

    def __init__(self, examples: Examples, frozen: FrozenPart, width: int) -> None:
        """Wrap ``examples``; ``compute`` fills in the states."""
        assert examples.lengths is not None, "only texts have a state a token"
        self._examples, self._frozen, self._sizes = examples, frozen, examples.lengths
        self.target, self.outputs = examples.target, examples.outputs
        self.lengths: Array | None = self._sizes
        self._ends: Array = np.cumsum(self._sizes, dtype=np.int64)
        self.shape = (int(self._ends[-1]), width)
        self._states: Array = np.empty((0, width), np.float32)

    def __len__(self) -> int:
        return len(self._examples)

    def compute(self, room: Array, device: torch.device) -> Iterator[int]:
        """Compute the states of all examples into ``room`` ``(T, H)`` float32, shortest first.

        Yields the number done, after each batch.
        """
        order = torch.from_numpy(np.argsort(self._sizes, kind="stable"))
        done = 0
        for rows in Rows.unweighted(order).split(TOGETHER):
            with torch.inference_mode():
                found = self._frozen.states(self._examples.fetch(rows, device).inputs).float().cpu().numpy()
            for index, state in zip(rows.index.tolist(), found, strict=True):
                end, length = self._ends[index], self._sizes[index]
                room[end - length : end] = state[:length]
            done += len(rows)
            yield done
        self._states = room

    def fetch(self, rows: Rows, device: torch.device) -> Batch:
        """Return the states of ``rows``, padded with zeros to the longest."""
        index = rows.index.numpy()
        lengths, ends = self._sizes[index], self._ends[index]
        longest = int(lengths.max())
        states = np.zeros((len(index), longest, self.shape[1]), np.float32)
        for row, length, end in zip(states, lengths.tolist(), ends.tolist(), strict=True):
            row[:length] = self._states[end - length : end]
        mask = (np.arange(longest) < lengths[:, None]).astype(np.int64)
        inputs = {"inputs_embeds": torch.from_numpy(states), "attention_mask": torch.from_numpy(mask)}
        return packed(rows, inputs, torch.from_numpy(self.target[index]), device)

    def means(self) -> Array:
        """Return the mean state of each text, ``(N, H)`` float32."""
        starts = self._ends - self._sizes
        return np.asarray(np.add.reduceat(self._states, starts, axis=0) / self._sizes[:, None], np.float32)

    @property
    def bags(self) -> Bags:
        """Cheap features of the wrapped examples."""
        return self._examples.bags
