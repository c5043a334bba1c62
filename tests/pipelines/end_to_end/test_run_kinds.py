"""A task of each kind, end to end: from its package to a model that MLflow serves."""

from pathlib import Path

import mlflow
import numpy as np
import pytest
import torch

from components.tasks.batch import Rows
from pipelines.core import artifacts, tables
from pipelines.core.artifacts import read_json, result
from pipelines.data.manifest import Manifest
from pipelines.data.split_files import read_split
from pipelines.tracking import comparison as tracking

pytestmark = pytest.mark.slow


@pytest.fixture
def published(run_alone, monkeypatch):
    """Run a task on everything alone, publish it and go there; return where its model was logged."""

    def run(task, **changes):
        copy = run_alone(task, **changes)
        monkeypatch.chdir(copy)
        monkeypatch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{copy / 'mlflow.db'}")
        assert tracking.publish() is not None
        client = mlflow.MlflowClient(f"sqlite:///{copy / 'mlflow.db'}")
        experiment = client.get_experiment_by_name("winnow").experiment_id
        (logged,) = client.search_logged_models([experiment])
        run = client.get_run(logged.source_run_id)
        found = read_json(result("evaluate", "full", "metrics.json"))
        metric = read_json(artifacts.MANIFEST)["metric"]
        assert run.data.metrics[f"test_{metric}"] == pytest.approx(found[metric])
        assert {d.dataset.name for d in run.inputs.dataset_inputs} == {f"{task} train", f"{task} test"}
        place = Path(logged.artifact_location.removeprefix("file://"))
        assert not [p for p in place.rglob("*") if p.suffix in (".bin", ".pkl", ".pickle", ".pt", ".pth")]
        return place

    return run


def whole(split):
    """Return all of a split as one batch."""
    every = Rows(torch.arange(len(split.ids)), torch.ones(len(split.ids)))
    return split.examples.fetch(every, torch.device("cpu"))


def test_bicycles_in_two_epochs(published):
    place = published("bike-sharing", training={"epochs": 2})
    manifest, found = Manifest.prepared(), read_json(result("evaluate", "full", "metrics.json"))
    assert manifest.counts.dumped() == {"train": 13_903, "test": 3_476}
    assert found["r2"] > 0.6 > 0.1 > found["base_r2"]
    row = read_json(artifacts.COMPARISON / "comparison.json")["rows"][0]
    assert {k: row[k] for k in ("r2", "rmse")} == {k: found[k] for k in ("r2", "rmse")}
    table, _ = tables.read_table(result("evaluate", "full", "predictions.parquet"))
    assert ((table["target"] - table["predicted"]) ** 2).mean() ** 0.5 == pytest.approx(found["rmse"], rel=1e-4)
    np.testing.assert_allclose(table["target"], np.round(table["target"]), atol=1e-3)
    split = read_split("test", manifest)
    said = mlflow.pytorch.load_model(str(place))(whole(split).inputs["input"]).detach().numpy()[:, 0]
    scale = manifest.label_scale
    np.testing.assert_allclose(said * scale.deviation + scale.mean, table["predicted"], rtol=1e-3, atol=0.1)


def test_the_brown_corpus_on_a_few_blocks(published):
    model = {"family": "gpt", "layers": 1, "width": 32, "heads": 2}
    place = published("brown", limit=96, block=32, test=3, vocabulary=512, model=model, training={"epochs": 2})
    manifest, found = Manifest.prepared(), read_json(result("evaluate", "full", "metrics.json"))
    assert manifest.counts.train == 96
    assert 512 * 1.3 > found["base_perplexity"] > found["perplexity"] > 1
    assert found["perplexity"] == pytest.approx(np.exp(found["loss"]), rel=1e-6)
    rows = read_json(artifacts.COMPARISON / "comparison.json")["rows"]
    assert (rows[0]["perplexity"], rows[0]["agot"]) == (found["perplexity"], 1)
    split = read_split("test", manifest)
    table, _ = tables.read_table(result("evaluate", "full", "predictions.parquet"))
    assert set(table) == {"id", "tokens", "loss"}
    writer = mlflow.transformers.load_model(str(place))
    ids = whole(split).inputs["input_ids"][:4]
    with torch.inference_mode():
        losses = [float(writer.model(input_ids=row[None], labels=row[None]).loss) for row in ids]
    np.testing.assert_allclose(losses, table["loss"][:4], rtol=1e-4)
    assert "Jury" in writer("The Fulton County Grand Jury", max_new_tokens=2)[0]["generated_text"]


def test_a_small_vision_transformer_on_digits(published):
    options = {"patch_size": 2, "num_layers": 1, "num_heads": 2, "hidden_dim": 16, "mlp_dim": 32}
    place = published("digits", model={"family": "torchvision", "name": "vit", "options": options}, training={"epochs": 2})
    manifest = Manifest.prepared()
    table, _ = tables.read_table(result("evaluate", "full", "predictions.parquet"))
    logits = mlflow.pytorch.load_model(str(place))(whole(read_split("test", manifest)).inputs["input"])
    assert (logits.argmax(1).numpy() == table["predicted"]).mean() > 0.99
    found = read_json(result("evaluate", "full", "metrics.json"))
    assert found["accuracy"] == pytest.approx((table["target"] == table["predicted"]).mean())
    assert found["accuracy"] > found["base_accuracy"]
