"""Step and epoch records of a run; without torch, for those who only read them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


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
