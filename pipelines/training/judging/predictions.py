"""Predictions of a model for a split, as its metrics read them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from components.evaluation.metrics import Columns, in_unit, predict
from pipelines.config.plans import TrainingPlan
from pipelines.core import artifacts
from pipelines.data.manifest import Manifest
from pipelines.data.split_files import Split
from pipelines.training.builders import look_batch

if TYPE_CHECKING:
    from components.engine.learner import Learner


def predicted(learner: Learner, split: Split, plan: TrainingPlan, manifest: Manifest, root: Path) -> Columns:
    """Return the columns of ``components.evaluation.metrics.predict``, numbers in the label's unit, and texts written.

    Args:
        learner: with the model.
        split: to predict.
        plan: of the training.
        manifest: of the prepared data.
        root: the folder of the run, with any tokenizer trained on the data.
    """
    found = predict(learner, split.examples, look_batch(plan.training, learner.device), manifest.target)
    if manifest.target == "sequence":
        return found | _written(learner, split, plan, root)
    scale = manifest.label_scale
    return in_unit(found, scale.mean, scale.deviation) if scale else found


def _written(learner: Learner, split: Split, plan: TrainingPlan, root: Path) -> Columns:
    """Return columns on what the model writes for each source of ``split``."""
    from components.evaluation.generation import generate
    from components.evaluation.text_scores import compared
    from components.tasks.sequences import Pairs
    from pipelines.training.models.sequence_models import tokenizer_of

    assert isinstance(split.examples, Pairs)
    ids = generate(learner, split.examples, look_batch(plan.training, learner.device))
    texts = tokenizer_of(plan.model, root / artifacts.TOKENIZER).batch_decode(ids, skip_special_tokens=True)
    return compared(texts, split.table["reference"].to_pylist())
