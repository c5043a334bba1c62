"""Texts on kept states, numbers and running text are judged while they train, as they are evaluated."""

import random
import shutil

import pytest
import torch

from components.epoch_records import ValidatedEpoch
from components.evaluation.metrics import in_unit, metrics, predict
from pipelines import train
from pipelines.config.plans import TrainingPlan
from pipelines.core.artifacts import plan_of, result
from pipelines.costs.history import history_of
from pipelines.data.manifest import Manifest
from pipelines.data.split_files import read_split
from pipelines.plan import plan
from pipelines.prepare import prepare
from pipelines.subset import subset
from pipelines.training import builders, job, models
from pipelines.warm_up import warm_up
from tests.pipelines.books import LANGUAGE, folder_of
from tests.pipelines.killed_stages import finish, kill_until_done, outputs, start
from tests.pipelines.training.conftest import SETTINGS
from tests.pipelines.training.judging.test_validation import Meter


@pytest.fixture(autouse=True)
def on_the_cpu(torch_as_it_was, monkeypatch):
    monkeypatch.setenv("WINNOW_DEVICE", "cpu")
    monkeypatch.setattr(job, "EnergyMeter", lambda _: Meter(kwh=dict.fromkeys(("cpu", "gpu", "memory"), 0.0), apart_kwh=0.0))


def trained():
    """Train ``full``, and return its judged epochs and the metrics of its model on the validation split."""
    warm_up("none")
    subset("full")
    train.train("full")
    manifest, planned = Manifest.prepared(), TrainingPlan.read(plan_of("training"))
    split = read_split("validation", manifest)
    learner = builders.learner_of(planned, manifest, torch.device("cpu"), 1)
    models.load_weights(learner.model, result("train", "full", "model"))
    found = predict(learner, split.examples, builders.look_batch(planned.training, learner.device), manifest.target)
    if (scale := manifest.label_scale) is not None:
        found = in_unit(found, scale.mean, scale.deviation)
    history = [r for r in history_of(result("train", "full", "history.json")) if isinstance(r, ValidatedEpoch)]
    return manifest, history, metrics(found, manifest.target)


@pytest.mark.parametrize("keep", [True, False])
def test_texts_on_kept_states_are_judged_by_the_whole_model(write_task, keep):
    write_task(keep=keep, training={"evaluate_every": 1}, validation=0.3)
    manifest, history, last = trained()
    assert (manifest.counts.train, manifest.counts.validation, manifest.counts.test) == (22, 10, 8)
    assert [r.epoch for r in history] == [0, 1, 2]
    assert history[-1].validation == pytest.approx(last, rel=1e-4)


def test_numbers_are_judged_in_their_unit_and_running_text_by_its_documents(write_params, tmp_path):
    rows = [f"{i % 7},{3 * (i % 7) + 100}" for i in range(40)]
    (tmp_path / "own.csv").write_text("\n".join(["x,y", *rows]))
    common = {"licence": "none", "citation": "none", "validation": 0.25}
    sgd = {"optimizer": {"name": "sgd", "learning_rate": 0.1}, "evaluate_every": 1, "keep": "best"}
    numbers = {"kind": "table", "predicts": "number", "source": {"from": "files", "train": "own.csv"}, "test": 8}
    numbers |= {"columns": {"numbers": ["x"], "label": "y"}, "model": {"family": "small", "name": "table-mlp"}}
    text = {**LANGUAGE, "source": folder_of(tmp_path)}
    for own, metric in ((numbers, "r2"), (text, "perplexity")):
        write_params(
            {"task": "own", "compare": {"full": "none"}, "tasks": {"own": own | common | {"training": SETTINGS | sgd}}}
        )
        plan()
        prepare()
        manifest, history, last = trained()
        assert len(history) == 3
        best = max(history, key=lambda r: r.validation[metric] * (1 if manifest.higher else -1))
        assert best.validation == pytest.approx(last, rel=1e-4)
        ids = [set(read_split(name, manifest).ids.tolist()) for name in ("train", "validation", "test")]
        assert sum(map(len, ids)) == len(set.union(*ids))
    documents = [set(read_split(n, manifest).table["document"].to_pylist()) for n in ("train", "validation", "test")]
    assert sum(map(len, documents)) == len(set.union(*documents))


@pytest.mark.slow
def test_killed_at_random_instants_it_ends_with_the_same_bytes(write_task):
    asked = {"evaluate_every": 1, "keep": "best", "stop_after": 1, "epochs": 5}
    folder, seed = write_task(training=asked, validation=0.3), random.randrange(10**6)
    warm_up("none")
    subset("big-loss")
    files = ("model/model.safetensors", "ledger.parquet", "history.json")
    finish(start(folder, "pipelines.train", "big-loss", seconds="60"))
    expected = outputs(folder, "train", "big-loss", files)
    shutil.rmtree(folder / "results/train/big-loss")
    assert kill_until_done(folder, "train", "big-loss", random.Random(seed)) >= 2, f"seed {seed}: too quick to be killed"
    assert outputs(folder, "train", "big-loss", files) == expected, f"seed {seed}"
