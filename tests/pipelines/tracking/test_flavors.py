"""Models are logged in their native flavours, with what reads them."""

import os
from pathlib import Path

import mlflow
import numpy as np
import pytest
import torch

from components.tasks.batch import Rows
from pipelines.data.split_files import read_split
from pipelines.tracking import flavors
from tests.pipelines.records import manifest
from tests.pipelines.tracking.seen import Seen


def test_a_model_says_what_its_input_and_its_output_mean():
    assert flavors._metadata(manifest(mean=1.5)) == {
        "input": flavors.INPUT["table"], "target": "class", "classes": ["cat", "dog"], "mean": 1.5, "label_scale": None,
    }  # fmt: skip


def test_a_model_requires_the_versions_that_are_here():
    assert flavors._requirements("numpy", "torch") == [f"numpy=={np.__version__}", f"torch=={torch.__version__.split('+')[0]}"]


@pytest.mark.slow
def test_a_transformer_is_logged_in_its_own_flavour(text_results, log_models, monkeypatch):
    built, _, manifest = text_results
    for name in [n for n in os.environ if n.startswith("MLFLOW_")]:
        monkeypatch.delenv(name)
    log_models("full")
    (logged,) = Seen().models()
    place = Path(logged.artifact_location.removeprefix("file://"))
    assert list(place.rglob("*.safetensors"))
    assert not [p for p in place.rglob("*") if p.suffix in (".bin", ".pkl", ".pt", ".pth")]
    assert "transformers==" in (place / "requirements.txt").read_text()
    monkeypatch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")
    classify = mlflow.transformers.load_model(str(place))
    split = read_split("test", manifest)
    rows = Rows(torch.arange(4), torch.ones(4))
    with torch.inference_mode():
        expected = built(**split.examples.fetch(rows, torch.device("cpu")).inputs).logits
    numbers = manifest.target == "number"
    expected = expected if numbers else expected.softmax(1)
    found = classify(split.table["text"].to_pylist(), top_k=None)
    scores = [[next(f["score"] for f in fs if f["label"] == c) for c in manifest.classes or ["label"]] for fs in found]
    np.testing.assert_allclose(scores, expected.numpy(), atol=1e-6)
    flavor = mlflow.pyfunc.load_model(str(place))
    assert len(flavor.predict(["good " * 100])) == 1
