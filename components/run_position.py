"""Resumable training state, and the plan of a run."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from torch import Tensor

from components.epoch_records import Tally
from components.tasks.batch import Rows


@dataclass(frozen=True)
class Plan:
    """Settings of a run that do not change while it runs.

    Attributes:
        epochs: epochs of training on everything; a method may run fewer.
        batch_size: examples per step.
        look_size: examples that door 3 chooses among at once.
        look_batch: examples per forward pass of a look.
        seed: seed of every draw and order.
        first: the first epoch after the warm-up.
        refill: whether examples that door 3 keeps are collected into full batches.
    """

    epochs: int
    batch_size: int
    look_size: int
    look_batch: int
    seed: int
    first: int = 0
    refill: bool = True


@dataclass
class Position:
    """State from which a run resumes at the exact example.

    Attributes:
        epoch: the current epoch, or the next one if ``rows`` is None.
        rows: the rows that this epoch draws, in order.
        drawn: how many of them have passed door 1.
        looking: rows waiting for a full look.
        training: rows waiting for a full batch.
        steps: optimizer steps since the run began.
        tally: counts of the current epoch.
    """

    epoch: int = 0
    rows: Rows | None = None
    drawn: int = 0
    looking: Rows = field(default_factory=Rows.none)
    training: Rows = field(default_factory=Rows.none)
    steps: int = 0
    tally: Tally = field(default_factory=Tally)

    def record(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """Return the position as numbers and tensors that can be saved."""
        numbers = {n: getattr(self, n) for n in ("epoch", "drawn", "steps")}
        rows = {"rows": self.rows or Rows.none(), "looking": self.looking, "training": self.training}
        tensors = {f"{n}.{k}": getattr(r, k).contiguous() for n, r in rows.items() for k in ("index", "weight")}
        return {**numbers, "tally": asdict(self.tally), "begun": self.rows is not None}, tensors

    @staticmethod
    def of(numbers: dict[str, Any], tensors: dict[str, Tensor]) -> Position:
        """Return the position saved by ``record``."""
        rows = {n: Rows(tensors[f"{n}.index"], tensors[f"{n}.weight"]) for n in ("rows", "looking", "training")}
        return Position(
            numbers["epoch"],
            rows["rows"] if numbers["begun"] else None,
            numbers["drawn"],
            rows["looking"],
            rows["training"],
            numbers["steps"],
            Tally(**numbers["tally"]),
        )
