"""Runs on instructions: every door, and stops and kills that leave the same bytes."""

import json
import random
import shutil
from types import SimpleNamespace

import mlflow
import pytest
import torch

from components.tasks.sequences import Conversations
from pipelines import train
from pipelines.config.plans import TrainingPlan
from pipelines.core import artifacts
from pipelines.core.artifacts import result
from pipelines.core.errors import Stopped
from pipelines.core.signals import STOP
from pipelines.core.tables import read_table
from pipelines.data.manifest import Manifest
from pipelines.data.split_files import read_split
from pipelines.evaluate import evaluate
from pipelines.plan import plan
from pipelines.prepare import prepare
from pipelines.subset import subset
from pipelines.tracking import flavors
from pipelines.training import job, models
from pipelines.training.models import WEIGHTS, adapters
from pipelines.warm_up import warm_up
from tests.pipelines.killed_stages import finish, kill_until_done, outputs, start
from tests.pipelines.records import cost_record
from tests.pipelines.talks import TALKS, talks, written
from tests.pipelines.training.conftest import COMPARED, SETTINGS, train_with_stops

TRAINED = (f"model/{WEIGHTS}", "ledger.parquet", "history.json")


@pytest.fixture
def instructions(write_params, tmp_path, torch_as_it_was, monkeypatch):
    """Plan and prepare a task of instructions; return its folder."""
    monkeypatch.setenv("WINNOW_DEVICE", "cpu")
    spent = {"kwh": dict.fromkeys(("cpu", "gpu", "memory"), 0.0), "record": lambda: cost_record().metered}
    monkeypatch.setattr(job, "EnergyMeter", lambda _: SimpleNamespace(**spent, start=lambda: None, stop=lambda: None))

    def write(**training):
        task = {
            **TALKS,
            "source": written(tmp_path, talks()),
            "licence": "none",
            "citation": "none",
            "training": SETTINGS | training,
        }
        folder = write_params({"task": "own", "tasks": {"own": task}, "compare": COMPARED})
        plan()
        prepare()
        return folder

    return write


def begin(name):
    warm_up(COMPARED[name])
    subset(name)


def trained(name):
    train.train(name)
    return outputs(artifacts.HERE, "train", name, TRAINED)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "more"),
    [("full", {}), ("swiftlearn", {}), ("big-loss", {}), ("big-loss", {"precision": "bf16", "micro_batch": 3})],
)
def test_a_run_goes_on_from_a_stop_to_the_same_bytes(instructions, monkeypatch, name, more):
    monkeypatch.setenv("WINNOW_CHECKPOINT_SECONDS", "0")
    instructions(**more)
    begin(name)
    expected = trained(name)
    shutil.rmtree(result("train", name, "model"))
    done, fetch = [0], Conversations.fetch

    def counted(self, rows, device):
        done[0] += 1
        if done[0] == 2:
            STOP.set()
        return fetch(self, rows, device)

    monkeypatch.setattr(Conversations, "fetch", counted)
    with pytest.raises(Stopped):
        trained(name)
    STOP.clear()
    torch.rand(random.randrange(1, 9))
    assert trained(name) == expected


@pytest.mark.slow
def test_killed_at_random_instants_it_ends_with_the_same_bytes(instructions):
    folder, seed = instructions(), random.randrange(10**6)
    begin("big-loss")
    finish(start(folder, "pipelines.train", "big-loss", seconds="60"))
    expected = outputs(folder, "train", "big-loss", TRAINED)
    shutil.rmtree(folder / "results/train/big-loss")
    assert kill_until_done(folder, "train", "big-loss", random.Random(seed)) >= 2, f"seed {seed}: too quick to be killed"
    assert outputs(folder, "train", "big-loss", TRAINED) == expected, f"seed {seed}"


@pytest.fixture
def pretrained_gpt(instructions, write_params, tmp_path):
    """Plan and prepare the same task with a GPT-2 of a folder, which is trained by adapters; return the plan of the model."""
    instructions()
    planned, manifest = TrainingPlan.read(artifacts.plan_of("training")).model, Manifest.prepared()
    torch.manual_seed(0)
    built = models.build(planned, manifest)
    artifacts.write_folder(tmp_path / "gpt", lambda folder: models.save(built, folder, planned))
    task = {key: value for key, value in TALKS.items() if key != "vocabulary"} | {"licence": "none", "citation": "none"}
    task |= {"source": written(tmp_path, talks()), "training": SETTINGS}
    task["model"] = {"family": "transformers", "source": {"from": "folder", "folder": str(tmp_path / "gpt")}}
    write_params({"task": "own", "tasks": {"own": task}, "compare": COMPARED})
    plan()
    prepare()
    return TrainingPlan.read(artifacts.plan_of("training")).model


@pytest.mark.slow
def test_adapters_alone_go_on_from_a_stop_and_what_is_served_answers_as_evaluated(pretrained_gpt, monkeypatch, tmp_path):
    monkeypatch.setenv("WINNOW_CHECKPOINT_SECONDS", "0")
    begin("full")
    files = (f"model/{adapters.WEIGHTS}", f"model/{adapters.CONFIG}", "ledger.parquet", "history.json")
    train.train("full")
    expected = outputs(artifacts.HERE, "train", "full", files)
    shutil.rmtree(result("train", "full", "model"))
    train_with_stops(monkeypatch, Conversations, [2, 5])
    assert outputs(artifacts.HERE, "train", "full", files) == expected
    evaluate("full")
    told, _ = read_table(result("evaluate", "full", "predictions.parquet"))
    manifest = Manifest.prepared()
    with models.whole(result("train", "full", "model"), pretrained_gpt, manifest) as whole:
        flavors.save(whole, tmp_path / "served", pretrained_gpt, manifest)
    served = mlflow.pyfunc.load_model(str(tmp_path / "served"))
    asked = [json.loads(one) for one in read_split("test", manifest).table["conversation"].to_pylist()]
    assert served.predict(asked) == told["generated"].tolist()
