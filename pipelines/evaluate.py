"""evaluate@m: metrics of the model of the method m on the test split."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.config.plan_freshness import check_plan
from pipelines.config.plans import TrainingPlan
from pipelines.core import artifacts, python_gc
from pipelines.core.artifacts import plan_of, result
from pipelines.core.command import main
from pipelines.data.manifest import Manifest

if TYPE_CHECKING:
    from components.evaluation.metrics import Columns
    from pipelines.data.split_files import Split


def evaluate(name: str, root: Path = artifacts.HERE) -> None:
    """Write the metrics and predictions of the method ``name``; for ``full`` also the untrained model's score."""
    from components.costs.clock import Clock
    from components.evaluation.metrics import metrics
    from pipelines.costs.records import CostRecord
    from pipelines.data.split_files import read_split
    from pipelines.training import models
    from pipelines.training.builders import learner_of, prepare_torch
    from pipelines.training.judging.predictions import predicted

    plan, manifest = TrainingPlan.read(root / plan_of("training")), Manifest.prepared(root)
    split, kind = read_split("test", manifest, root / artifacts.PREPARED), manifest.target
    device = prepare_torch(plan.training, plan.seed)
    learner = learner_of(plan, manifest, device, 1)
    python_gc.loaded()

    before = {}
    if name == "full":
        before[f"base_{manifest.metric}"] = metrics(predicted(learner, split, plan, manifest, root), kind)[manifest.metric]
    weights = root / result("train", name, "model")
    models.load_weights(learner.model, weights)
    clock = Clock()
    with clock.lap("evaluate", len(split.examples)):
        predictions = predicted(learner, split, plan, manifest, root)
    learnt = read_split("train", manifest, root / artifacts.PREPARED)
    found = metrics(predictions, kind) | before | _chance_metrics(predictions, split, learnt, manifest)
    artifacts.write_json(root / result("evaluate", name, "metrics.json"), found)
    origin = {"seed": plan.seed, "data": manifest.content, "params": artifacts.digest(plan.dumped())}
    origin["checkpoint"] = artifacts.digest_of(models.weights_in(weights))
    _write_predictions(root / result("evaluate", name, "predictions.parquet"), {"id": split.ids, **predictions}, origin)
    CostRecord.timed(clock).write(root / artifacts.cost_of("evaluate", name))


def _write_predictions(path: Path, columns: Columns, origin: dict[str, object]) -> None:
    """Write the predictions to ``path``, with their inputs (``origin``) in the metadata."""
    from pipelines.core import tables

    tables.write_table(path, columns, origin)


def _chance_metrics(predictions: Columns, tested: Split, learnt: Split, manifest: Manifest) -> dict[str, float]:
    """Return the metric of a constant prediction, and a lower bound of the model's margin over it."""
    from components.evaluation.chance import margin_over

    constant = _constant(predictions, tested, learnt, manifest)
    chance, above = margin_over(predictions, constant, manifest.target, manifest.judging_metric)
    return {f"chance_{manifest.metric}": chance, "above_chance": above}


def _constant(predictions: Columns, tested: Split, learnt: Split, manifest: Manifest) -> Columns:
    """Return the constant prediction of the training split's targets: commonest class or text, mean or token frequencies."""
    import numpy as np

    from components.evaluation.chance import constant
    from components.evaluation.text_scores import compared
    from components.evaluation.transcript_errors import counted
    from components.tasks.language import Blocks

    scale, blocks, others = manifest.label_scale, learnt.examples, tested.examples
    if isinstance(blocks, Blocks) and isinstance(others, Blocks):
        assert manifest.vocabulary is not None, "the manifest of running text"
        return constant(predictions, "tokens", blocks.tokens, others.tokens, manifest.vocabulary)
    if manifest.target == "sequence":
        ((commonest, _),) = Counter(learnt.table["reference"].to_pylist()).most_common(1)
        return predictions | compared([commonest] * len(tested.ids), tested.table["reference"].to_pylist())
    if manifest.target == "transcript":  # nothing heard is the constant of the fewest errors
        return predictions | counted([""] * len(tested.ids), tested.table["reference"].to_pylist())
    if scale:
        return constant(predictions, "number", np.array([scale.mean]))
    if manifest.label_scales:
        return constant(predictions, "numbers", np.array([[each.mean for each in manifest.label_scales]]))
    return constant(predictions, manifest.target, learnt.examples.target)


if __name__ == "__main__":
    main("evaluate", evaluate, named=artifacts.planned_methods, model=True, before=check_plan)
