"""Logged models share all but their weights."""

import os
from pathlib import Path

import pytest
import torch

from pipelines.core import artifacts
from pipelines.core.artifacts import result
from pipelines.tracking.flavors import PARTS
from pipelines.tracking.models import Models
from pipelines.training import models
from pipelines.training.models import WEIGHTS
from tests.pipelines.tracking.seen import Seen


def test_of_a_later_model_the_weights_alone_are_copied(tmp_path):
    logged = Models(tmp_path / "logged", None, None)
    (logged.folder / PARTS).mkdir(parents=True)
    for path, held in ((logged.folder / "MLmodel", "first"), (logged.folder / PARTS / WEIGHTS, "old")):
        path.write_text(held)
    for name in (WEIGHTS, "config.json"):
        (tmp_path / name).write_text("new")
    logged._fill(tmp_path)
    files = {p.relative_to(logged.folder): p.read_text() for p in logged.folder.rglob("*") if p.is_file()}
    assert files == {Path("MLmodel"): "first", PARTS / WEIGHTS: "new"}


@pytest.mark.slow
def test_the_second_transformer_has_its_own_weights_and_the_rest_of_the_first(text_results, log_models, monkeypatch):
    built, plan, _ = text_results
    for name in [n for n in os.environ if n.startswith("MLFLOW_")]:
        monkeypatch.delenv(name)
    with torch.no_grad():
        built.classifier.bias += 1
    artifacts.write_folder(result("train", "other", "model"), lambda folder: models.save(built, folder, plan))
    log_models("full", "other")
    client = Seen().client
    of = {
        client.get_run(m.source_run_id).info.run_name: Path(m.artifact_location.removeprefix("file://"))
        for m in Seen().models()
    }
    for name, place in of.items():
        assert (place / "model/model.safetensors").read_bytes() == (result("train", name, "model") / WEIGHTS).read_bytes()
    files = {name: sorted(p.relative_to(place) for p in place.rglob("*") if p.is_file()) for name, place in of.items()}
    assert files["full"] == files["other"]
    for path in files["full"]:
        if path.name not in ("MLmodel", "model.safetensors"):
            assert (of["full"] / path).read_bytes() == (of["other"] / path).read_bytes(), path
