"""The objective of a training: that of its target, with planned class weights and smoothing."""

from __future__ import annotations

import numpy as np
import torch

from components.arrays import Array
from components.evidence.class_losses import POWERS, WeighedClassification, weights_by_size
from components.evidence.objective import Objective
from components.evidence.objectives import OBJECTIVES
from components.evidence.transcripts import Transcripts
from pipelines.config.schema.training import Training
from pipelines.core.errors import UserError, unknown
from pipelines.data.manifest import Manifest


def objective_of(training: Training, manifest: Manifest, device: torch.device) -> Objective:
    """Return the objective of the prepared targets, whose class weights are on ``device``.

    Raises:
        UserError: for a weight of a class that there is not.
    """
    if manifest.target == "transcript":
        return Transcripts(manifest.pad or 0)
    if training.class_weights is None and not training.label_smoothing:
        return OBJECTIVES[manifest.target]
    weights = class_weights(training, manifest)
    return WeighedClassification(None if weights is None else torch.from_numpy(weights).to(device), training.label_smoothing)


def class_weights(training: Training, manifest: Manifest) -> Array | None:
    """Return the planned weights ``(C,)`` float32 of the manifest's classes; None without.

    Raises:
        UserError: for a weight of a class that there is not.
    """
    given = training.class_weights
    if given is None:
        return None
    if isinstance(given, str):
        assert manifest.by_class is not None, "the manifest of classes"
        return weights_by_size(np.array(manifest.by_class.train), POWERS[given])
    for name in given:
        if name not in manifest.classes:
            where = f"params.yaml: tasks.{manifest.task}.training.class_weights: {name!r}"
            raise UserError(unknown(where, "class", name, manifest.classes))
    return np.array([given.get(name, 1.0) for name in manifest.classes], np.float32)
