"""Where a run stands, what it is to do, and what it says of itself on the way."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from torch import Tensor

from components.batch import Rows


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


@dataclass(frozen=True)
class Step:
    """A place where a run may be saved: ``done`` of the ``total`` rows of epoch ``epoch`` have been drawn."""

    epoch: int
    done: int
    total: int


@dataclass(frozen=True)
class EpochRecord:
    """One epoch's facts: the same for the same data, parameters and seed.

    Attributes:
        looked: examples that were seen without a gradient being taken.
        kept: how many of the looked-at door 3 let pass, each of which had a second forward pass.
        loss: mean unweighted loss of the trained; None where none was trained.
        accuracy: share of the trained that the step's forward pass got right; None where there are no classes either.
        learning_rate: of the epoch's last step.
        course: what the method said of itself now and then, each with its ``place`` in epochs.
        events: what happened to the method: its ``place`` in epochs, the ``step`` before it, and the ``event`` in words.
    """

    epoch: int
    drawn: int
    looked: int
    kept: int
    trained: int
    steps: int
    loss: float | None
    accuracy: float | None
    learning_rate: float
    course: list[dict[str, float]]
    events: list[dict[str, Any]]


@dataclass
class Tally:
    """How many examples of an epoch got how far, in how many steps, and the summed loss of the trained."""

    drawn: int = 0
    looked: int = 0
    kept: int = 0
    trained: int = 0
    steps: int = 0
    loss: float = 0.0
    correct: int = 0
    learning_rate: float = 0.0
    course: list[dict[str, float]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)

    def closed(self, epoch: int, *, classes: bool) -> EpochRecord:
        """Return the record of the epoch that this tally is of; ``classes``: whether targets are."""
        means = {"loss": self.loss, "accuracy": self.correct if classes else None}
        means = {name: None if total is None or not self.trained else total / self.trained for name, total in means.items()}
        return EpochRecord(epoch=epoch, **{k: v for k, v in vars(self).items() if k != "correct"} | means)


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
        tensors = {f"{n}.{k}": getattr(r, k) for n, r in rows.items() for k in ("index", "weight")}
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
