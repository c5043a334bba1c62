"""Substitutes for the planned model, settings and classes of a training job."""

from __future__ import annotations

from dataclasses import dataclass

from components.arrays import Array
from pipelines.config.plans import TrainingPlan
from pipelines.config.schema.model import Model
from pipelines.config.schema.sections import Training
from pipelines.data.manifest import Manifest


@dataclass(frozen=True)
class Substitute:
    """What stands in the place of the plan's own, for a model that is not the task's; None where it is as planned.

    Attributes:
        model: what is trained; ``model_key`` names it in params.yaml.
        training: the settings.
        target: of each training example.
        classes: what the model is told of the classes of ``target``, by name.
    """

    model: Model | None = None
    model_key: str | None = None
    training: Training | None = None
    target: Array | None = None
    classes: list[str] | None = None

    def planned(self, plan: TrainingPlan) -> TrainingPlan:
        """Return ``plan`` with the substitutes for its own model and settings."""
        given = {"model": self.model, "training": self.training}
        return plan.model_copy(update={key: value for key, value in given.items() if value is not None})

    def described(self, manifest: Manifest) -> Manifest:
        """Return ``manifest`` with the substitutes for its own classes."""
        if self.classes is None:
            return manifest
        return manifest.model_copy(update={"classes": self.classes, "outputs": len(self.classes)})


#: All is as planned.
NOTHING = Substitute()
