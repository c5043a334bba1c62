"""evaluate@m: how good the model of the method m is on the test split."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines import artifacts, collector, tables
from pipelines.artifacts import plan_of, result
from pipelines.stage import main
from pipelines.subset import names

if TYPE_CHECKING:
    from components.evaluation import Columns


def evaluate(name: str) -> None:
    """Write the metrics and predictions of the method ``name``; with ``full``, also the score before training."""
    from components.energy import Clock
    from components.evaluation import in_unit, metrics, predict
    from pipelines import models
    from pipelines.building import learner_of, look_batch, prepare_torch
    from pipelines.splits import read_split

    plan = artifacts.read_json(plan_of("training"))
    manifest = artifacts.read_json(artifacts.MANIFEST)
    split, kind, scale = read_split("test", manifest), manifest["target"], manifest["label_scale"]
    place = prepare_torch(plan["training"], plan["seed"])
    learner = learner_of(plan, manifest, place, 1)
    collector.loaded()

    def predicted() -> Columns:
        found = predict(learner, split.examples, look_batch(plan["training"], place), kind)
        return in_unit(found, **scale) if scale else found

    before = {}
    if name == "full":
        before[f"base_{manifest['metric']}"] = metrics(predicted(), kind)[manifest["metric"]]
    weights = result("train", name, "model")
    models.load_weights(learner.model, weights)
    clock = Clock()
    with clock.lap("evaluate", len(split.examples)):
        predictions = predicted()
    artifacts.write_json(result("evaluate", name, "metrics.json"), metrics(predictions, kind) | before)
    columns = {"id": split.ids, **predictions}
    origin = {"seed": plan["seed"], "data": manifest["content"], "params": artifacts.digest(plan)}
    origin["checkpoint"] = artifacts.digest_of(weights / models.WEIGHTS)
    tables.write_table(result("evaluate", name, "predictions.parquet"), columns, origin)
    artifacts.write_json(artifacts.cost_of("evaluate", name), {"laps": clock.record()})


if __name__ == "__main__":
    main("evaluate", evaluate, named=names, model=True)
