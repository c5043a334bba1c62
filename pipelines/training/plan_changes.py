"""Substitutes for the planned model, settings and classes of a training job."""

from __future__ import annotations

from dataclasses import dataclass

from components.arrays import Array
from pipelines.config.plans import TrainingPlan
from pipelines.config.schema.model import Model
from pipelines.config.schema.training import Training
from pipelines.data.manifest import Manifest


@dataclass(frozen=True)
class Substitute:
    """Replacements for parts of the plan, for a model that is not the task's.

    None keeps the plan's.

    Attributes:
        model: the model; ``model_key`` is its key in params.yaml.
        training: the training settings.
        target: target of each training example.
        classes: names of the classes of ``target``.
    """

    model: Model | None = None
    model_key: str | None = None
    training: Training | None = None
    target: Array | None = None
    classes: list[str] | None = None

    def planned(self, plan: TrainingPlan) -> TrainingPlan:
        """Return ``plan`` with this model and these settings."""
        given = {"model": self.model, "training": self.training}
        return plan.model_copy(update={key: value for key, value in given.items() if value is not None})

    def described(self, manifest: Manifest) -> Manifest:
        """Return ``manifest`` with these classes."""
        if self.classes is None:
            return manifest
        return manifest.model_copy(update={"classes": self.classes, "outputs": len(self.classes)})


#: No replacements.
NOTHING = Substitute()
