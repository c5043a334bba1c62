"""Runs that train adapters alone: every door, stops and kills, and what is evaluated and served."""

import json
import os
import random
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from components.models.frozen_states import KeptStates
from components.tasks.batch import Rows
from components.tasks.text import Texts
from pipelines.core import artifacts, tables
from pipelines.core.artifacts import result
from pipelines.core.errors import Stopped
from pipelines.core.signals import STOP
from pipelines.data.manifest import Manifest
from pipelines.data.split_files import read_split
from pipelines.evaluate import evaluate
from pipelines.subset import subset
from pipelines.training import job, models
from pipelines.training.checkpoints import Checkpoint
from pipelines.training.models.adapters import CONFIG, WEIGHTS
from pipelines.warm_up import warm_up
from tests.pipelines.killed_stages import finish, kill_until_done, outputs, start
from tests.pipelines.records import cost_record
from tests.pipelines.training.conftest import COMPARED

LORA = {"rank": 2, "alpha": 4.0, "dropout": 0.1, "targets": ["query", "value"]}
TRAINED = (f"model/{WEIGHTS}", f"model/{CONFIG}", "ledger.parquet", "history.json")


@pytest.fixture(autouse=True)
def on_the_cpu(torch_as_it_was, monkeypatch):
    monkeypatch.setenv("WINNOW_DEVICE", "cpu")
    spent = {"kwh": dict.fromkeys(("cpu", "gpu", "memory"), 0.0), "record": lambda: cost_record().metered}
    monkeypatch.setattr(job, "EnergyMeter", lambda _: SimpleNamespace(**spent, start=lambda: None, stop=lambda: None))


def train(name):
    from pipelines import train

    train.train(name)
    return outputs(artifacts.HERE, "train", name, TRAINED)


def begin(name):
    warm_up(COMPARED[name])
    subset(name)


def stopped_at(monkeypatch, fetches, kind):
    """Tell the run to stop at its ``fetches``-th batch."""
    done, fetch = [0], kind.fetch

    def counted(self, rows, device):
        done[0] += 1
        if done[0] == fetches:
            STOP.set()
        return fetch(self, rows, device)

    monkeypatch.setattr(kind, "fetch", counted)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "keep", "training"),
    [
        ("full", False, {}), ("full", True, {}), ("swiftlearn", False, {}), ("big-loss", False, {}),
        ("big-loss", False, {"precision": "bf16", "micro_batch": 3}),
    ],
)  # fmt: skip
def test_methods_of_every_door_train_the_adapters_and_go_on_from_a_stop_to_the_same_bytes(
    write_task, monkeypatch, name, keep, training
):
    monkeypatch.setenv("WINNOW_CHECKPOINT_SECONDS", "0")
    write_task(keep, training, lora=LORA)
    begin(name)
    expected = train(name)
    saved = load_file(result("train", name, "model") / WEIGHTS)
    base = "base_model.model."
    of = {key.removeprefix(f"{base}bert.encoder.layer.1.attention.self.") for key in saved}
    assert of == {
        f"{base}classifier.weight", f"{base}classifier.bias",
        *(f"{m}.lora_{p}.weight" for m in ("query", "value") for p in "AB"),
    }  # fmt: skip
    assert all(tensor.any() for key, tensor in saved.items() if ".lora_B." in key)  # B begins as zeros
    shutil.rmtree(result("train", name, "model"))
    save, sizes = Checkpoint.save, []
    monkeypatch.setattr(Checkpoint, "save", lambda self, *given, **more: sizes.append(save(self, *given, **more) or self.path))
    stopped_at(monkeypatch, 2, KeptStates if keep else Texts)
    with pytest.raises(Stopped):
        train(name)
    STOP.clear()
    _, tensors = artifacts.read_state(sizes[-1])
    moved = {key.removeprefix("model.") for key in tensors if key.startswith("model.")}
    assert moved
    assert all("lora_" in key or key.startswith("classifier.") for key in moved)
    torch.rand(random.randrange(1, 9))
    assert train(name) == expected


@pytest.mark.parametrize("merged", [False, True])
def test_what_is_evaluated_is_what_was_trained(write_task, merged):
    write_task(False, lora=LORA | {"merged": merged})
    begin("full")
    from pipelines import train

    train.train("full")
    evaluate("full")
    folder = result("train", "full", "model")
    assert (folder / WEIGHTS).exists() != merged
    plan, manifest = job.TrainingPlan.read(artifacts.plan_of("training")), Manifest.prepared()
    with models.whole(folder, plan.model, manifest) as place:
        from transformers import AutoModelForSequenceClassification

        plain = AutoModelForSequenceClassification.from_pretrained(place).eval()
    split = read_split("test", manifest)
    found, origin = tables.read_table(result("evaluate", "full", "predictions.parquet"))
    batch = split.examples.fetch(Rows.unweighted(torch.arange(len(split.examples))), torch.device("cpu"))
    with torch.no_grad():
        chances = plain(**batch.inputs).logits.softmax(1).numpy()
    assert found["predicted"].tolist() == chances.argmax(1).tolist()
    np.testing.assert_allclose(found["confidence"], chances[np.arange(len(chances)), found["target"]], atol=1e-5)
    assert origin["checkpoint"] == artifacts.digest_of(models.weights_in(folder))


@pytest.mark.slow
def test_killed_at_random_instants_it_ends_with_the_same_bytes(write_task):
    folder, seed = write_task(False, lora=LORA), random.randrange(10**6)
    begin("big-loss")
    finish(start(folder, "pipelines.train", "big-loss", seconds="60"))
    expected = outputs(folder, "train", "big-loss", TRAINED)
    shutil.rmtree(folder / "results/train/big-loss")
    assert kill_until_done(folder, "train", "big-loss", random.Random(seed)) >= 2, f"seed {seed}: too quick to be killed"
    assert outputs(folder, "train", "big-loss", TRAINED) == expected, f"seed {seed}"


@pytest.mark.slow
def test_the_served_model_is_the_merged_one_and_predicts_what_evaluate_did(write_task, monkeypatch, tmp_path):
    from pipelines.tracking.client import with_tracker
    from pipelines.tracking.models import models_of
    from tests.pipelines.tracking.test_serving import model_of, predicted

    for key in [key for key in os.environ if key.startswith("MLFLOW_")]:
        monkeypatch.delenv(key)
    write_task(False, lora=LORA | {"rank": 8, "alpha": 64.0})
    plan, manifest = job.TrainingPlan.read(artifacts.plan_of("training")), Manifest.prepared()
    begin("full")
    begin("big-loss")
    for name in ("full", "big-loss"):
        train(name)
        evaluate(name)

    def work(tracker):
        with models_of(plan.model, manifest) as each:
            runs = [(n, tracker.create(n, {"method": n}).info.run_id) for n in ("full", "big-loss")]
            return [each.log(tracker, run, n, {}, {}) for n, run in runs]

    assert with_tracker(work)
    given = tmp_path / "given.json"
    given.write_text(json.dumps({"inputs": read_split("test", manifest).table["text"].to_pylist()}))
    for name in ("full", "big-loss"):
        found = predicted(str(model_of(name)), given, tmp_path)
        expected, _ = tables.read_table(result("evaluate", name, "predictions.parquet"))
        assert [manifest.classes.index(f["label"]) for f in found] == expected["predicted"].tolist()
        right = expected["predicted"] == expected["target"]
        scores = np.array([f["score"] for f in found])[right]
        np.testing.assert_allclose(scores, expected["confidence"][right], atol=1e-5)
