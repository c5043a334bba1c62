"""Several labels an example, of texts and tables: what is told of a model is what it says, and what MLflow serves."""

import json
import os

import mlflow
import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score, f1_score

from components.tasks.batch import Rows
from pipelines.config.plans import TrainingPlan
from pipelines.core import artifacts
from pipelines.core.artifacts import read_json, result
from pipelines.core.tables import read_table
from pipelines.evaluate import evaluate
from pipelines.tracking import flavors
from pipelines.training import models

WORDS = ["good", "bad", "film", "book"]
TAGS = {"good": "praise", "bad": "blame", "film": "cinema", "book": "print"}


@pytest.fixture
def whole_encoder(encoder):
    """The encoder of sixteen words, with weights."""
    from transformers import BertConfig, BertModel

    torch.manual_seed(0)
    BertModel(BertConfig.from_pretrained(encoder)).save_pretrained(encoder)
    return encoder


@pytest.fixture(params=["table", "text"])
def told(request, prepared, whole_encoder, tmp_path, torch_as_it_was, monkeypatch):
    """Evaluate an untrained model; return it, its plan, manifest and test split, and what is told of it."""
    monkeypatch.setenv("WINNOW_DEVICE", "cpu")
    rng = np.random.default_rng(0)
    words = [list(rng.permutation(WORDS)[: rng.integers(1, 4)]) for _ in range(24)]
    rows = [{"text": " ".join(w), "x": i, "y": i % 3, "tags": [TAGS[word] for word in w]} for i, w in enumerate(words)]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    columns = {"text": "text"} if request.param == "text" else {"numbers": ["x", "y"]}
    source = {"from": "files", "train": str(tmp_path / "rows.jsonl")}
    manifest, _, test = prepared(source, columns | {"label": "tags"}, request.param, predicts="classes", test=8)
    plan = TrainingPlan.read(artifacts.plan_of("training")).model
    torch.manual_seed(3)
    built = models.build(plan, manifest)
    with torch.no_grad():
        for parameter in built.parameters():
            parameter.mul_(3)  # so that not all probabilities are near a half
    artifacts.write_folder(result("train", "full", "model"), lambda folder: models.save(built, folder, plan))
    evaluate("full")
    return built.eval(), plan, manifest, test


def test_metrics_are_scikit_learns_of_the_models_own_probabilities(told):
    built, _, manifest, test = told
    columns, _ = read_table(result("evaluate", "full", "predictions.parquet"))
    found = read_json(result("evaluate", "full", "metrics.json"))
    batch = test.examples.fetch(Rows(torch.arange(8), torch.ones(8)), torch.device("cpu"))
    with torch.inference_mode():
        output = built(**batch.inputs)
    probability = getattr(output, "logits", output).sigmoid().numpy()
    np.testing.assert_allclose(columns["probability"], probability, atol=1e-6)
    assert np.array_equal(columns["target"], test.examples.target)
    assert np.array_equal(columns["predicted"], columns["probability"] >= 0.5)
    there = test.examples.target.any(0)
    expected = average_precision_score(columns["target"][:, there], columns["probability"][:, there])
    assert found["mean_average_precision"] == pytest.approx(expected)
    f1 = f1_score(columns["target"], columns["predicted"], average="macro", zero_division=np.nan)
    assert found["macro_f1"] == pytest.approx(f1)
    assert found["base_mean_average_precision"] >= 0
    assert found["chance_mean_average_precision"] == pytest.approx(test.examples.target[:, there].mean())
    assert manifest.target == "classes"


@pytest.mark.slow
def test_what_mlflow_serves_are_the_probabilities_of_the_evaluation(told, tmp_path, monkeypatch):
    _, plan, manifest, test = told
    for name in [n for n in os.environ if n.startswith("MLFLOW_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")
    place = tmp_path / "logged"
    flavors.save(result("train", "full", "model"), place, plan, manifest)
    columns, _ = read_table(result("evaluate", "full", "predictions.parquet"))
    served = mlflow.pyfunc.load_model(str(place))
    assert served.metadata.metadata["labels"] == manifest.labels == sorted(TAGS.values())
    if manifest.kind == "table":
        given = test.examples.fetch(Rows(torch.arange(8), torch.ones(8)), torch.device("cpu")).inputs["input"]
        probability = 1 / (1 + np.exp(-np.asarray(served.predict(given.numpy()))))
    else:
        told = served.predict(test.table["text"].to_pylist())
        assert list(map(str, told.columns)) == served.metadata.get_output_schema().input_names()
        said = [{one["label"]: one["score"] for one in row} for row in told.to_numpy()]
        probability = np.array([[row[name] for name in manifest.labels] for row in said])
    np.testing.assert_allclose(probability, columns["probability"], atol=1e-5)
    assert np.array_equal(probability >= 0.5, columns["predicted"] > 0)
