"""evaluate@m: how good the model of the method m is on the test split."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from pipelines import artifacts
from pipelines.artifacts import plan_of, result
from pipelines.stage import main
from pipelines.subset import names


def evaluate(name: str) -> None:
    """Write the metrics and predictions of the method ``name``; with ``full``, also the accuracy before training."""
    from components.energy import Clock
    from components.evaluation import metrics, predict
    from pipelines import models
    from pipelines.running import learner_of, look_batch, prepare_torch
    from pipelines.splits import read_split

    plan = artifacts.read_json(plan_of("training"))
    manifest = artifacts.read_json(artifacts.MANIFEST)
    split = read_split("test", manifest)
    place = prepare_torch(plan["training"], plan["seed"])
    learner = learner_of(plan, manifest, place, 1)
    size = look_batch(plan["training"], place)
    found: dict[str, Any] = {}
    if name == "full":
        found["base_accuracy"] = metrics(predict(learner, split.examples, size))["accuracy"]
    weights = result("train", name, "model")
    models.load_weights(learner.model, weights)
    clock = Clock()
    with clock.lap("evaluate", len(split.examples)):
        predictions = predict(learner, split.examples, size)
    artifacts.write_json(result("evaluate", name, "metrics.json"), metrics(predictions) | found)
    columns = {"id": split.ids, **asdict(predictions)}
    origin = {"seed": plan["seed"], "data": manifest["content"], "params": artifacts.digest(plan)}
    origin["checkpoint"] = artifacts.digest_of(weights / models.WEIGHTS)
    artifacts.write_table(result("evaluate", name, "predictions.parquet"), columns, origin)
    artifacts.write_json(artifacts.cost_of("evaluate", name), {"laps": clock.record()})


if __name__ == "__main__":
    main("evaluate", evaluate, named=names)
