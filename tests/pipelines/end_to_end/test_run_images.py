"""Pretrained image models are trained, resumed, evaluated and served alike."""

import shutil

import mlflow
import numpy as np
import pytest
import timm
import torch
from safetensors.torch import load_file, save_file

from components.models.head_inputs import KeptInputs
from components.tasks.batch import Rows
from components.tasks.image import Images
from pipelines import evaluate, subset, train, warm_up
from pipelines.config.plans import TrainingPlan
from pipelines.core import artifacts, tables
from pipelines.core.artifacts import read_json, result
from pipelines.costs.records import CostRecord
from pipelines.data.manifest import Manifest
from pipelines.data.split_files import read_split
from pipelines.plan import plan
from pipelines.prepare import prepare
from pipelines.tracking import flavors
from pipelines.training import job as training_job
from tests.pipelines.tracking.test_serving import predicted
from tests.pipelines.training.conftest import SETTINGS, train_with_stops
from tests.pipelines.training.test_frozen_features import Meter
from tests.pipelines.vision_encoders import saved_at, swin, vit

pytestmark = pytest.mark.slow
#: What a training leaves but its cost record, which holds timings.
TRAINED = ("model/model.safetensors", "ledger.parquet", "history.json")


def of_timm(name):
    def save(folder):
        torch.manual_seed(0)
        folder.mkdir()
        save_file(timm.create_model(name, num_classes=7).state_dict(), folder / "model.safetensors")
        return {"family": "timm", "name": name, "source": {"from": "folder", "folder": str(folder)}}

    return save


def of_transformers(build):
    return lambda folder: {"family": "transformers", "source": saved_at(folder, build)[1]}


MODELS = {
    "a network of timm": of_timm("test_resnet"),
    "a transformer of timm": of_timm("test_vit"),
    "a ViT": of_transformers(vit),
    "a Swin": of_transformers(swin),
}


@pytest.fixture
def write_task(write_params, tmp_path, torch_as_it_was, monkeypatch):
    """Plan and prepare a task of a few digits in grey, of 16 x 16, with a pretrained model."""
    monkeypatch.setenv("WINNOW_DEVICE", "cpu")
    monkeypatch.setattr(training_job, "EnergyMeter", Meter)

    def write(save, *, keep_frozen=False, **model):
        own = {"kind": "image", "source": {"from": "scikit-learn", "name": "digits"}, "test": 40, "limit": 60}
        own |= {
            "image_size": 16,
            "licence": "none",
            "citation": "none",
            "training": SETTINGS | {"batch_size": 8, "keep_frozen": keep_frozen},
        }
        shutil.rmtree(tmp_path / "encoder", ignore_errors=True)
        own["model"] = save(tmp_path / "encoder") | model
        write_params({"task": "own", "compare": {"full": "none"}, "tasks": {"own": own}})
        plan()
        prepare()
        warm_up.warm_up("none")
        subset.subset("full")

    return write


@pytest.mark.parametrize("save", MODELS.values(), ids=MODELS)
def test_what_is_served_says_what_was_evaluated(write_task, tmp_path, monkeypatch, save):
    write_task(save)
    train.train("full")
    evaluate.evaluate("full")
    manifest, planned = Manifest.prepared(), TrainingPlan.read(artifacts.plan_of("training")).model
    monkeypatch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")
    flavors.save(result("train", "full", "model"), tmp_path / "served", planned, manifest)
    assert not [p for p in (tmp_path / "served").rglob("*") if p.suffix in (".bin", ".pkl", ".pickle", ".pt", ".pth")]
    split = read_split("test", manifest)
    given = split.examples.fetch(Rows.unweighted(torch.arange(40)), torch.device("cpu")).inputs["input"].numpy()
    pixels = split.table["pixels"].chunk(0).flatten().to_numpy().reshape(40, 1, 16, 16)
    np.testing.assert_allclose(given, (pixels - manifest.mean) / manifest.deviation, atol=1e-5)
    logits = mlflow.pyfunc.load_model(str(tmp_path / "served")).predict(given)
    table, _ = tables.read_table(result("evaluate", "full", "predictions.parquet"))
    assert logits.argmax(1).tolist() == table["predicted"].tolist()
    losses = torch.nn.functional.cross_entropy(torch.tensor(logits), torch.tensor(table["target"]), reduction="none")
    np.testing.assert_allclose(table["loss"], losses, rtol=1e-3, atol=1e-4)
    assert read_json(result("evaluate", "full", "metrics.json"))["accuracy"] == (table["predicted"] == table["target"]).mean()
    if save is MODELS["a network of timm"]:  # the command takes ten seconds
        told = predicted(str(tmp_path / "served"), tmp_path / "served" / "serving_input_example.json", tmp_path)
        np.testing.assert_allclose(told, logits[: len(told)], atol=1e-5)


@pytest.mark.parametrize(
    ("name", "layers", "keep_frozen", "trained"),
    [
        ("a network of timm", 0, False, {"fc"}),
        ("a network of timm", 0, True, {"fc"}),
        ("a network of timm", 1, False, {"fc", "layer4"}),
        ("a ViT", 0, False, {"classifier"}),
    ],
)
def test_a_stopped_run_goes_on_to_the_same_bytes_and_leaves_what_is_frozen(
    write_task, tmp_path, monkeypatch, name, layers, keep_frozen, trained
):
    monkeypatch.setenv("WINNOW_CHECKPOINT_SECONDS", "0")
    write_task(MODELS[name], train_layers=layers, keep_frozen=keep_frozen)
    train.train("full")
    expected = [result("train", "full", file).read_bytes() for file in TRAINED]
    before, after = (load_file(p / "model.safetensors") for p in (tmp_path / "encoder", result("train", "full", "model")))
    before.pop("conv1.0.weight", None)  # fitted to grey images
    changed = {key.split(".")[0] for key, value in before.items() if not torch.equal(value, after[key])}
    assert changed == trained
    shutil.rmtree(result("train", "full", "model"))
    train_with_stops(monkeypatch, KeptInputs if keep_frozen else Images, (3, 12))
    assert [result("train", "full", file).read_bytes() for file in TRAINED] == expected


@pytest.mark.parametrize("name", ["a network of timm", "a ViT"])
def test_a_frozen_network_is_run_once_an_image_and_the_model_is_the_same(write_task, monkeypatch, name):
    found, seen, original = [], [], Images.fetch
    monkeypatch.setattr(Images, "fetch", lambda *given: seen.append(len(given[1])) or original(*given))
    for keep in (False, True):
        write_task(MODELS[name], train_layers=0, keep_frozen=keep)
        seen.clear()
        train.train("full")
        weights = load_file(result("train", "full", "model") / "model.safetensors")
        found.append(
            (weights, tables.read_table(result("train", "full", "ledger.parquet"))[0], CostRecord.of_stage("train", "full"))
        )
        assert sum(seen) == (2 + 60 if keep else 3 * 60)  # two to compare both ways
        evaluate.evaluate("full")
    (weights, ledger, cost), (kept_weights, kept_ledger, kept_cost) = found
    torch.testing.assert_close(kept_weights, weights, atol=1e-5, rtol=1e-5)
    np.testing.assert_allclose(kept_ledger["loss"], ledger["loss"], atol=1e-4)
    assert kept_cost.counts == cost.counts
    assert (kept_cost.laps["freeze"].examples, "freeze" in cost.laps) == (60, False)
