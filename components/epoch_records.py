"""Step and epoch records of a run, importable without torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Step:
    """A point where a run may be saved: ``done`` of the epoch's ``total`` rows are drawn."""

    epoch: int
    done: int
    total: int


@dataclass(frozen=True)
class EpochRecord:
    """Counts and means of one epoch: equal for equal data, parameters and seed.

    Attributes:
        looked: examples of looks, which take no gradient.
        kept: looked-at examples that door 3 kept; each had a second forward pass.
        loss: mean unweighted loss of the trained examples; None if none was trained.
        accuracy: share of the trained examples that were correct in the step's forward pass; None without classes or training.
        learning_rate: at the epoch's last step.
        course: diagnostics of the method over the epoch, each with its ``place`` in epochs.
        events: events of the method: ``place`` in epochs, number of the ``step`` before it, and the text of the ``event``.
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


@dataclass(frozen=True)
class ValidatedEpoch(EpochRecord):
    """An epoch after which the model was judged on the validation split.

    Attributes:
        validation: the metrics there, by name.
    """

    validation: dict[str, float]


def epoch_record(columns: Mapping[str, Any]) -> EpochRecord:
    """Return the record with these ``columns``, as ``dataclasses.asdict`` gives them."""
    return (ValidatedEpoch if "validation" in columns else EpochRecord)(**columns)


@dataclass
class Tally:
    """Running counts and sums of an epoch: drawn, looked, kept and trained examples, steps, summed loss."""

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
        """Return this tally as the record of ``epoch``; ``classes``: whether targets are classes."""
        means = {"loss": self.loss, "accuracy": self.correct if classes else None}
        means = {name: None if total is None or not self.trained else total / self.trained for name, total in means.items()}
        return EpochRecord(epoch=epoch, **{k: v for k, v in vars(self).items() if k != "correct"} | means)
