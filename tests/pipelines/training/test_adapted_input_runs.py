"""Runs that train adapters of image models: stops, checkpoints, and what is evaluated and served."""

import random
import shutil

import mlflow
import numpy as np
import pytest
import torch

from components.tasks.batch import Rows
from components.tasks.image import Images
from pipelines.core import artifacts, tables
from pipelines.core.artifacts import result
from pipelines.core.errors import Stopped
from pipelines.core.signals import STOP
from pipelines.data.manifest import Manifest
from pipelines.data.split_files import read_split
from pipelines.evaluate import evaluate
from pipelines.plan import plan
from pipelines.prepare import prepare
from pipelines.tracking import flavors
from pipelines.training import job, models
from pipelines.training.checkpoints import Checkpoint
from tests.pipelines.training.conftest import COMPARED, SETTINGS
from tests.pipelines.training.test_adapted_runs import begin, on_the_cpu, stopped_at, train
from tests.pipelines.vision_encoders import resnet, saved_at, vit

__all__ = ["on_the_cpu"]
TARGETS = {vit: ["q_proj", "v_proj"], resnet: ["convolution"]}


@pytest.fixture
def adapted(write_params, tmp_path):
    """Plan and prepare a task of digits whose model is trained by adapters."""

    def write(build, **training):
        _, source = saved_at(tmp_path / "encoder", build)
        model = {"family": "transformers", "source": source, "lora": {"rank": 2, "alpha": 8.0, "targets": TARGETS[build]}}
        task = {"kind": "image", "source": {"from": "scikit-learn", "name": "digits"}, "test": 20, "limit": 40, "model": model}
        task |= {"image_size": 16, "licence": "none", "citation": "none", "training": SETTINGS | training}
        write_params({"task": "own", "tasks": {"own": task}, "compare": COMPARED})
        plan()
        prepare()

    return write


@pytest.mark.slow
@pytest.mark.parametrize(
    ("build", "name", "more"), [(vit, "full", {}), (vit, "swiftlearn", {}), (resnet, "big-loss", {"micro_batch": 3})]
)
def test_a_run_goes_on_from_a_stop_to_the_same_bytes_of_adapters_alone(adapted, monkeypatch, build, name, more):
    monkeypatch.setenv("WINNOW_CHECKPOINT_SECONDS", "0")
    adapted(build, **more)
    begin(name)
    expected = train(name)
    shutil.rmtree(result("train", name, "model"))
    states, save = [], Checkpoint.save
    monkeypatch.setattr(Checkpoint, "save", lambda self, *a, **k: states.append(save(self, *a, **k) or self.path))
    stopped_at(monkeypatch, 2, Images)
    with pytest.raises(Stopped):
        train(name)
    STOP.clear()
    _, tensors = artifacts.read_state(states[-1])
    moved = {key.removeprefix("model.body.") for key in tensors if key.startswith("model.")}
    assert any("lora_" in key for key in moved)
    buffers = ("running_mean", "running_var", "num_batches_tracked")
    assert all("lora_" in key or key.startswith("classifier.") or key.endswith(buffers) for key in moved)
    torch.rand(random.randrange(1, 9))
    assert train(name) == expected


@pytest.mark.slow
@pytest.mark.parametrize("build", [vit, resnet])
def test_what_is_served_is_the_merged_model_and_predicts_what_evaluate_did(adapted, monkeypatch, tmp_path, build):
    adapted(build)
    begin("full")
    train("full")
    evaluate("full")
    planned, manifest = job.TrainingPlan.read(artifacts.plan_of("training")).model, Manifest.prepared()
    monkeypatch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")
    with models.whole(result("train", "full", "model"), planned, manifest) as trained:
        flavors.save(trained, tmp_path / "served", planned, manifest)
    served = mlflow.pyfunc.load_model(str(tmp_path / "served"))
    split = read_split("test", manifest)
    batch = split.examples.fetch(Rows.unweighted(torch.arange(len(split.ids))), torch.device("cpu"))
    found = torch.tensor(served.predict(batch.inputs["input"].numpy()))
    told, _ = tables.read_table(result("evaluate", "full", "predictions.parquet"))
    assert found.argmax(1).tolist() == told["predicted"].tolist()
    chances = found.softmax(1).numpy()[np.arange(len(found)), told["target"]]
    np.testing.assert_allclose(chances, told["confidence"], atol=1e-4)
    graph = torch.export.load(tmp_path / "served" / flavors.EXPORTED)
    assert not any("lora" in name for name in graph.state_dict)
