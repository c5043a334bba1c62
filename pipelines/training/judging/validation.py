"""Validation while a model trains: its metrics by epoch, best weights, early stopping."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from components.costs.clock import Clock
from components.engine.learner import Learner
from components.engine.training import Training
from components.epoch_records import EpochRecord, Step, ValidatedEpoch
from components.evaluation.improvement import best_of, is_exhausted
from components.evaluation.metrics import metrics
from pipelines.config.plans import TrainingPlan
from pipelines.config.schema import training as schema
from pipelines.core import artifacts
from pipelines.data.manifest import Manifest
from pipelines.data.split_files import Split, read_split
from pipelines.training.checkpoints import Tensors, moving
from pipelines.training.cost_record import VALIDATE
from pipelines.training.judging.predictions import predicted

if TYPE_CHECKING:
    from torch import nn

    from pipelines.costs.energy_meter import EnergyMeter


def of(
    training: Training, plan: TrainingPlan, manifest: Manifest, whole: nn.Module | None, begun: int, *, final: bool, root: Path
) -> Validation | None:
    """Return the validation of ``training`` in the folder ``root``; None if the plan asks for none.

    Args:
        training: of the task's own model, in the state of its warm-up.
        plan: with the settings of validation.
        manifest: of the prepared data.
        whole: the whole model, where the training has stored states of its frozen part; None for the training's own.
        begun: number of epochs that a warm-up trained.
        final: whether the job's end is that of training, and not that of a warm-up.
        root: the folder of the run.
    """
    if plan.training.evaluate_every is None:
        return None
    split = read_split("validation", manifest, root / artifacts.PREPARED)
    # Validation examples have no stored states: they take the whole model's forward pass, as in evaluation.
    learner = training.learner if whole is None else replace(training.learner, model=whole)
    return Validation(training, learner, split, plan, manifest, begun, final, root)


@dataclass
class Validation:
    """Judge of one training on the validation split; it changes nothing that the training does.

    Attributes:
        training: the run.
        learner: looks with the whole model.
        split: the validation split.
        plan: which epochs are judged, which weights are kept, and when to stop.
        manifest: of the data.
        begun: number of epochs that a warm-up trained; only later ones can be best, or stop the training.
        final: whether the last epoch of the run is judged too.
        root: the folder of the run.
        best: weights of the best epoch so far, by name; empty unless they are kept.
    """

    training: Training
    learner: Learner
    split: Split
    plan: TrainingPlan
    manifest: Manifest
    begun: int
    final: bool
    root: Path
    best: Tensors = field(default_factory=dict)

    def follow(
        self, moments: Iterator[Step | EpochRecord], records: Sequence[EpochRecord], end: float, meter: EnergyMeter
    ) -> Iterator[Step | EpochRecord]:
        """Yield ``moments``, judged epochs with their metrics, until no better epoch is waited for.

        Args:
            moments: of the training.
            records: of all earlier epochs; the caller appends each epoch that it is given.
            end: the epoch at which the run ends.
            meter: of the training's energy, from which that of judging is taken out.
        """
        if self._is_over(records):
            return
        for moment in moments:
            if not isinstance(moment, EpochRecord):
                yield moment
                continue
            if self._is_due(moment.epoch + 1, end):
                with meter.apart():
                    judged = ValidatedEpoch(**vars(moment), validation=self._judged())
                self._keep(records, judged)
                yield judged
            else:
                yield moment
            if self._is_over(records):
                return

    @property
    def settings(self) -> schema.Training:
        """The settings of training and validation."""
        return self.plan.training

    def settle(self) -> None:
        """Give the model the best weights, if they are kept and the training is over."""
        if self.final and self.best:
            self.training.learner.model.load_state_dict(self.best, strict=False)

    def _is_due(self, epochs: int, end: float) -> bool:
        assert self.settings.evaluate_every is not None
        return epochs % self.settings.evaluate_every == 0 or (self.final and epochs >= end)

    def _judged(self) -> dict[str, float]:
        """Return the metrics of the model as it is, the judging one first."""
        learner = self.learner
        clock, norms = learner.clock, learner.norms
        # The looks of a judge are no looks of the method, and it needs no gradient norms.
        learner.clock, learner.norms = Clock(), False
        try:
            with self.training.clock.lap(VALIDATE, len(self.split.examples)):
                found = predicted(learner, self.split, self.plan, self.manifest, self.root)
        finally:
            learner.clock, learner.norms = clock, norms
        values = metrics(found, self.manifest.target)
        return {self.manifest.metric: values[self.manifest.metric]} | values

    def _keep(self, records: Sequence[EpochRecord], judged: ValidatedEpoch) -> None:
        """Remember the weights after the epoch ``judged`` if none before it was as good."""
        values = self._values([*records, judged])
        if self.settings.keep == "best" and best_of(values, higher=self.manifest.higher) == len(values) - 1:
            self.best = {name: value.clone() for name, value in moving(self.training.learner.model).items()}

    def _is_over(self, records: Sequence[EpochRecord]) -> bool:
        patience = self.settings.stop_after
        return (
            self.final and patience is not None and is_exhausted(self._values(records), patience, higher=self.manifest.higher)
        )

    def _values(self, records: Sequence[EpochRecord]) -> list[float]:
        """Return the judging metric of each judged epoch after the warm-up."""
        return [r.validation[self.manifest.metric] for r in records[self.begun :] if isinstance(r, ValidatedEpoch)]
