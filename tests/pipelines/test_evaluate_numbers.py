"""Several numbers an example, of texts and tables: what is told of a model is what it says, and what MLflow serves."""

import os

import mlflow
import numpy as np
import pytest
import torch
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

from components.tasks.batch import Rows
from pipelines.config.plans import TrainingPlan
from pipelines.core import artifacts
from pipelines.core.artifacts import read_json, result
from pipelines.core.tables import read_table
from pipelines.evaluate import evaluate
from pipelines.tracking import flavors
from pipelines.training import models

WORDS = ["a", "fine", "film", "dull", "bore", "joy"]
NAMES = ["when", "length in mm"]


@pytest.fixture
def whole_encoder(encoder):
    """The encoder of sixteen words, with weights."""
    from transformers import BertConfig, BertModel

    torch.manual_seed(0)
    BertModel(BertConfig.from_pretrained(encoder)).save_pretrained(encoder)
    return encoder


@pytest.fixture(params=["table", "text"])
def told(request, prepared, whole_encoder, tmp_path, torch_as_it_was, monkeypatch):
    """Evaluate an untrained model; return it, its plan, manifest and test split."""
    monkeypatch.setenv("WINNOW_DEVICE", "cpu")
    rng = np.random.default_rng(0)
    rows = ["text,x,y,when,length in mm"]
    for i in range(24):
        words = " ".join(rng.permutation(WORDS)[: rng.integers(1, 5)])
        rows.append(f"{words},{i},{i % 3},{1.7e9 + rng.integers(0, 40)},{rng.normal(5, 2):.3f}")
    (tmp_path / "rows.csv").write_text("\n".join(rows))
    columns = {"text": "text"} if request.param == "text" else {"numbers": ["x", "y"]}
    source = {"from": "files", "train": str(tmp_path / "rows.csv")}
    manifest, _, test = prepared(source, columns | {"label": NAMES}, request.param, predicts="numbers", test=8)
    plan = TrainingPlan.read(artifacts.plan_of("training")).model
    torch.manual_seed(3)
    built = models.build(plan, manifest)
    artifacts.write_folder(result("train", "full", "model"), lambda folder: models.save(built, folder, plan))
    evaluate("full")
    return built.eval(), plan, manifest, test


def in_units(output, manifest):
    """Return standardised outputs ``(N, K)`` in the numbers' own units."""
    scales = manifest.label_scales
    return output.astype(np.float64) * [scale.deviation for scale in scales] + [scale.mean for scale in scales]


def test_metrics_are_scikit_learns_of_the_models_own_numbers(told):
    built, _, manifest, test = told
    columns, _ = read_table(result("evaluate", "full", "predictions.parquet"))
    found = read_json(result("evaluate", "full", "metrics.json"))
    batch = test.examples.fetch(Rows(torch.arange(8), torch.ones(8)), torch.device("cpu"))
    with torch.inference_mode():
        output = built(**batch.inputs)
    expected = in_units(getattr(output, "logits", output).numpy(), manifest)
    target, predicted = (np.stack([columns[f"{key}.{name}"] for name in NAMES], axis=1) for key in ("target", "predicted"))
    assert predicted.dtype == np.float64
    np.testing.assert_allclose(predicted, expected, rtol=1e-9, atol=1e-5)
    np.testing.assert_allclose(target, in_units(test.examples.target, manifest))
    assert set(columns) == {"id", "loss", *(f"{key}.{name}" for key in ("target", "predicted") for name in NAMES)}
    for key, score in (("r2", r2_score), ("rmse", root_mean_squared_error), ("mae", mean_absolute_error)):
        assert found[key] == pytest.approx(score(target, predicted))
        each = score(target, predicted, multioutput="raw_values")
        assert [found[f"{key}.{name}"] for name in NAMES] == pytest.approx(each)
    means = np.array([[scale.mean for scale in manifest.label_scales]])
    assert found["chance_r2"] == pytest.approx(r2_score(target, np.repeat(means, 8, axis=0)))
    assert found["base_r2"] <= 1


@pytest.mark.slow
def test_what_mlflow_serves_are_the_numbers_of_the_evaluation(told, tmp_path, monkeypatch):
    _, plan, manifest, test = told
    for name in [n for n in os.environ if n.startswith("MLFLOW_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")
    place = tmp_path / "logged"
    flavors.save(result("train", "full", "model"), place, plan, manifest)
    columns, _ = read_table(result("evaluate", "full", "predictions.parquet"))
    served = mlflow.pyfunc.load_model(str(place))
    scales = served.metadata.metadata["label_scales"]
    assert [scale["name"] for scale in scales] == NAMES
    if manifest.kind == "table":
        given = test.examples.fetch(Rows(torch.arange(8), torch.ones(8)), torch.device("cpu")).inputs["input"]
        assert served.metadata.get_output_schema().inputs[0].shape == (-1, 2)
        said = dict(zip(NAMES, np.asarray(served.predict(given.numpy())).T, strict=True))
    else:
        answers = served.predict(test.table["text"].to_pylist())
        assert list(map(str, answers.columns)) == served.metadata.get_output_schema().input_names()
        rows = [{one["label"]: one["score"] for one in row} for row in answers.to_numpy()]
        said = {name: np.array([row[name] for row in rows]) for name in NAMES}
    for name, scale in zip(NAMES, scales, strict=True):
        found = said[name].astype(np.float64) * scale["deviation"] + scale["mean"]
        np.testing.assert_allclose(found, columns[f"predicted.{name}"], rtol=1e-9, atol=1e-5 * scale["deviation"])
