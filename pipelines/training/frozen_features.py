"""Training on stored states of the frozen layers (``keep_frozen``)."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from components.models import head_inputs
from components.models.frozen_states import KeptStates, check, divided
from components.models.head_inputs import KeptInputs
from components.models.normalised import Normalised
from components.tasks.batch import Rows
from pipelines.core import artifacts
from pipelines.core.errors import Stopped, UserError
from pipelines.core.progress import Lines
from pipelines.core.signals import STOP
from pipelines.data.manifest import Manifest

if TYPE_CHECKING:
    from torch import nn

    from components.arrays import Array
    from components.costs.clock import Clock
    from components.tasks.examples import Examples

#: Bytes of states kept in memory; larger ones are memory-mapped from a file.
IN_MEMORY = 2**30


class Keeping:
    """A model split into a frozen part, whose states are stored, and the trained part above it.

    Attributes:
        model: the trained part; it shares its parameters with the whole model.
        examples: give out the stored states.
    """

    def __init__(self, whole: nn.Module, examples: Examples, manifest: Manifest, root: Path = artifacts.HERE) -> None:
        """Split ``whole`` at the end of its frozen layers, and check both parts on a batch.

        Raises:
            UserError: if the model cannot be split.
        """
        self._key = f"params.yaml: tasks.{manifest.task}.training.keep_frozen"
        self._root, self._device = root, next(whole.parameters()).device
        images = isinstance(whole, Normalised)
        self._what, self._less = ("images", "limit") if images else ("tokens", "max_length or limit")
        try:
            self.model, self.examples = self._divided(whole, examples)
        except ValueError as error:
            raise UserError(f"{self._key}: {error}; leave it out to train the same at a higher cost") from None

    def _divided(self, whole: nn.Module, examples: Examples) -> tuple[nn.Module, KeptStates | KeptInputs]:
        if isinstance(whole, Normalised):
            below, head = head_inputs.divided(whole)
            few = Rows.unweighted(torch.arange(2) % len(examples))
            return head, KeptInputs(
                examples, below, head_inputs.check(whole, below, head, examples.fetch(few, self._device).inputs["input"])
            )
        frozen, above = divided(whole)
        width = check(whole, frozen, above, examples.fetch(_short_and_long(examples), self._device).inputs)
        return above, KeptStates(examples, frozen, width)

    def compute(self, clock: Clock) -> None:
        """Compute the states of all examples, timed as ``freeze`` within training.

        Raises:
            Stopped: if the run was told to stop.
            UserError: if they do not fit on the disk.
        """
        lines = Lines("frozen layers", len(self.examples))
        with clock.lap("train"), clock.lap("freeze", len(self.examples)):
            for done in self.examples.compute(self._room(), self._device):
                lines.see(done)
                if STOP.is_set():
                    raise Stopped

    def _room(self) -> Array:
        """Return an array for the states: in memory if small, else memory-mapped."""
        count, width = self.examples.shape
        if (needed := count * width * np.dtype(np.float32).itemsize) <= IN_MEMORY:
            return np.empty(self.examples.shape, np.float32)
        scratch = self._root / artifacts.SCRATCH
        scratch.mkdir(parents=True, exist_ok=True)
        if needed > (free := shutil.disk_usage(scratch).free):
            raise UserError(
                f"{self._key}: the states of {count:,} {self._what} take {needed:,} bytes, and {scratch} has {free:,} free; "
                f"free some space, lower {self._less}, or leave keep_frozen out"
            )
        room: Array = artifacts.mapped(self._root, count, width).numpy()
        return room


def _short_and_long(examples: Examples) -> Rows:
    """Return the shortest, the median and the longest example: a batch with padding."""
    assert examples.lengths is not None
    order = np.argsort(examples.lengths, kind="stable")
    index = torch.from_numpy(np.unique(order[[0, len(order) // 2, -1]]))
    return Rows.unweighted(index)
