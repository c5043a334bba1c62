"""Resumable training state, and the plan of a run."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from torch import Tensor

from components.epoch_records import Tally
from components.tasks.batch import Rows


@dataclass(frozen=True)
class Plan:
    """What does not change while a run runs.

    Attributes:
        epochs: of a run over everything; a method may ask for fewer.
        batch_size: examples of a step.
        look_size: examples that are looked at before door 3 chooses among them.
        look_batch: examples of one forward pass of a look.
        seed: of every draw and order.
        first: the epoch that comes after the warm-up.
        refill: whether what door 3 keeps waits for a full batch.
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
    """Where a run stands, so that it can go on at the exact example.

    Attributes:
        epoch: the epoch under way, or the next one where ``rows`` is None.
        rows: what this epoch draws, in order.
        drawn: rows of it that have passed door 1.
        looking: rows that wait for a full look.
        training: rows that wait for a full step.
        steps: optimizer steps since the run began.
        tally: of the epoch under way.
    """

    epoch: int = 0
    rows: Rows | None = None
    drawn: int = 0
    looking: Rows = field(default_factory=Rows.none)
    training: Rows = field(default_factory=Rows.none)
    steps: int = 0
    tally: Tally = field(default_factory=Tally)

    def record(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """Return the position as plain numbers and as tensors, to be saved."""
        numbers = {n: getattr(self, n) for n in ("epoch", "drawn", "steps")}
        rows = {"rows": self.rows or Rows.none(), "looking": self.looking, "training": self.training}
        tensors = {f"{n}.{k}": getattr(r, k).contiguous() for n, r in rows.items() for k in ("index", "weight")}
        return {**numbers, "tally": asdict(self.tally), "begun": self.rows is not None}, tensors

    @staticmethod
    def of(numbers: dict[str, Any], tensors: dict[str, Tensor]) -> Position:
        """Return the position that ``record`` wrote."""
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
