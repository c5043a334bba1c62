"""Logged models, served: ``mlflow models predict`` on an input example gives what evaluate wrote."""

import json
import os
import subprocess
import sys
from pathlib import Path

import mlflow
import numpy as np
import pytest

from pipelines.core import tables
from pipelines.core.artifacts import result
from pipelines.tracking import comparison as tracking

pytestmark = pytest.mark.slow


def predicted(uri, given, folder):
    """Return what the command of MLflow predicts of the JSON file ``given``."""
    told = folder / "predicted.json"
    command = [sys.executable, "-m", "mlflow", "models", "predict", "-m", uri, "-i", str(given), "-o", str(told)]
    env = os.environ | {"MLFLOW_TRACKING_URI": "sqlite:///mlflow.db", "MLFLOW_DISABLE_TELEMETRY": "true", "PYTHONWARNINGS": ""}
    env |= {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run([*command, "--env-manager", "local"], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(told.read_text())["predictions"]


def model_of(name):
    """Return the folder of the model that the method ``name`` has logged."""
    client = mlflow.MlflowClient(f"sqlite:///{Path('mlflow.db').resolve()}")
    experiment = client.get_experiment_by_name("winnow").experiment_id
    (run,) = client.search_runs([experiment], f"tags.method = '{name}'")
    (model,) = client.search_logged_models([experiment], f"source_run_id = '{run.info.run_id}'")
    return Path(model.artifact_location.removeprefix("file://"))


def evaluated(name, rows):
    columns, _ = tables.read_table(result("evaluate", name, "predictions.parquet"))
    return {key: column[:rows] for key, column in columns.items()}


def test_the_registered_model_of_images_predicts_what_evaluate_did(no_tracker, tmp_path):
    tracking.publish()
    client = mlflow.MlflowClient(f"sqlite:///{Path('mlflow.db').resolve()}")
    method = client.get_model_version_by_alias("winnow-digits", "best-accuracy").tags["method"]
    given = model_of(method) / "serving_input_example.json"
    logits = np.array(predicted("models:/winnow-digits@best-accuracy", given, tmp_path))
    expected = evaluated(method, len(logits))
    np.testing.assert_array_equal(logits.argmax(1), expected["predicted"])
    chances = np.exp(logits - logits.max(1, keepdims=True))
    chances /= chances.sum(1, keepdims=True)
    np.testing.assert_allclose(chances[np.arange(len(logits)), expected["target"]], expected["confidence"], atol=1e-5)
    text = (model_of(method) / "MLmodel").read_text()
    assert "(pixel - mean) / deviation" in text
    assert "logit" in text


def test_the_logged_model_of_texts_predicts_what_evaluate_did(text_results, log_models, monkeypatch, tmp_path):
    """Publish an untrained model of texts, evaluated by the stage itself."""
    from pipelines.data.split_files import read_split
    from pipelines.evaluate import evaluate

    _, _, manifest = text_results
    for name in [n for n in os.environ if n.startswith("MLFLOW_")]:
        monkeypatch.delenv(name)
    evaluate("full")

    log_models("full")
    texts = read_split("test", manifest).table["text"].to_pylist()
    given = tmp_path / "given.json"
    given.write_text(json.dumps({"inputs": texts}))
    found = predicted(str(model_of("full")), given, tmp_path)
    scores, expected = np.array([f["score"] for f in found]), evaluated("full", len(texts))
    if manifest.target == "number":
        # A model knows nothing of the label's unit; its metadata do.
        unit = manifest.label_scale
        np.testing.assert_allclose(scores * unit.deviation + unit.mean, expected["predicted"], rtol=1e-5)
        return
    assert [manifest.classes.index(f["label"]) for f in found] == expected["predicted"].tolist()
    right = expected["predicted"] == expected["target"]
    np.testing.assert_allclose(scores, np.where(right, expected["confidence"], 1 - expected["confidence"]), atol=1e-5)
