"""A task whose frozen layers are kept: what is refused, where states lie, and what a run leaves."""

import shutil
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from components.selection.selector import Selector
from pipelines import subset, train, warm_up
from pipelines.core import artifacts, tables
from pipelines.core.artifacts import result
from pipelines.core.errors import Stopped, UserError
from pipelines.core.signals import STOP
from pipelines.costs.records import CostRecord
from pipelines.training import frozen_features
from pipelines.training import job as training_job
from pipelines.training.job import Job
from tests.pipelines.records import cost_record
from tests.pipelines.training.conftest import train_with_stops


class Meter:
    """Stands for the energy meter, which asks the machine for a second, and knows whether a window is open."""

    metering = False

    def __init__(self, country):
        self.kwh = {"cpu": 0.0, "gpu": 0.0, "memory": 0.0}

    def start(self):
        Meter.metering = True

    def stop(self):
        Meter.metering = False

    def record(self):
        return cost_record().metered


@pytest.fixture(autouse=True)
def on_the_cpu(torch_as_it_was, monkeypatch):
    monkeypatch.setenv("WINNOW_DEVICE", "cpu")
    monkeypatch.setattr(training_job, "EnergyMeter", Meter)


def trained(method, warm_up_name):
    """Run a method's stages here; return its weights, ledger and costs."""
    warm_up.warm_up(warm_up_name)
    subset.subset(method)
    train.train(method)
    weights = load_file(result("train", method, "model") / "model.safetensors")
    return weights, tables.read_table(result("train", method, "ledger.parquet"))[0], CostRecord.of_stage("train", method)


@pytest.mark.parametrize(("method", "warm_up_name"), [("full", "none"), ("swiftlearn", "two-epochs")])
def test_the_stages_leave_the_same_whole_model_and_charge_for_the_states(write_task, monkeypatch, method, warm_up_name):
    found, metered, compute = [], [], frozen_features.Keeping.compute
    monkeypatch.setattr(frozen_features.Keeping, "compute", lambda *given: metered.append(Meter.metering) or compute(*given))
    for keep in (False, True):
        write_task(keep)
        found.append(trained(method, warm_up_name))
    (weights, ledger, cost), (kept_weights, kept_ledger, kept_cost) = found
    torch.testing.assert_close(kept_weights, weights, atol=1e-5, rtol=1e-5)
    assert kept_cost.counts == cost.counts
    for column in ("drawn", "looked", "trained"):
        assert kept_ledger[column].tolist() == ledger[column].tolist()
    assert metered == [True] * (2 if warm_up_name == "two-epochs" else 1)
    assert "freeze" not in cost.laps
    lap, whole = kept_cost.laps["freeze"], kept_cost.laps["train"]
    assert (lap.times, lap.examples) == (1, 32)
    assert 0 < lap.cpu_seconds < whole.cpu_seconds
    assert sum(kept_cost.laps[n].cpu_seconds for n in ("freeze", "forward", "backward")) <= whole.cpu_seconds
    warmed = CostRecord.of_stage("warm_up", warm_up_name).laps
    assert ("freeze" in warmed) == (warm_up_name == "two-epochs")


def test_the_saved_model_is_read_as_any_other(write_task):
    from transformers import AutoModelForSequenceClassification

    write_task()
    trained("full", "none")
    read = AutoModelForSequenceClassification.from_pretrained(result("train", "full", "model"))
    assert len(read.bert.encoder.layer) == 2
    assert read.bert.embeddings.word_embeddings.weight.shape == (16, 16)


def test_a_run_that_was_stopped_goes_on_to_the_same_bytes(write_task, monkeypatch):
    monkeypatch.setenv("WINNOW_CHECKPOINT_SECONDS", "0")
    write_task()
    trained("full", "none")
    files = ("model/model.safetensors", "ledger.parquet", "history.json")
    expected = [(result("train", "full", file)).read_bytes() for file in files]
    shutil.rmtree(result("train", "full", "model"))
    train_with_stops(monkeypatch, frozen_features.KeptStates, (3, 14))
    assert [(result("train", "full", file)).read_bytes() for file in files] == expected
    assert CostRecord.of_stage("train", "full").laps["freeze"].times == 3


def test_states_are_not_waited_for_by_who_ends_the_run(write_task):
    write_task()
    job = Job("train", "full", Selector())
    STOP.set()
    try:
        with pytest.raises(Stopped):
            job.keeping.compute(job.training.clock)
    finally:
        STOP.clear()


def test_many_states_lie_in_a_file_and_too_many_are_refused(write_task, monkeypatch):
    write_task()
    job = Job("train", "full", Selector())
    job.keeping.compute(job.training.clock)
    tokens, width = job.keeping.examples.shape
    in_memory = job.keeping.examples._states
    assert in_memory.shape == (tokens, width) == (int(job.split.examples.lengths.sum()), 16)
    monkeypatch.setattr(frozen_features, "IN_MEMORY", tokens * width * 4 - 1)
    shapes, mapped = [], artifacts.mapped
    monkeypatch.setattr(artifacts, "mapped", lambda root, *shape: shapes.append(shape) or mapped(root, *shape))
    job.keeping.compute(job.training.clock)
    assert shapes == [(tokens, width)]
    np.testing.assert_array_equal(job.keeping.examples._states, in_memory)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1_234))
    needed = f"{tokens * width * 4:,}"
    with pytest.raises(
        UserError, match=rf"tasks.own.training.keep_frozen: .* take {needed} bytes, .* has 1,234 free; free some"
    ):
        job.keeping.compute(job.training.clock)


def test_a_model_that_cannot_be_divided_is_refused_by_its_class(write_task, monkeypatch):
    write_task()
    monkeypatch.setattr("components.models.frozen_states.embeddings_of", lambda _: {})
    said = r"tasks.own.training.keep_frozen: .* has no single frozen module 'embeddings'.*; leave it out"
    with pytest.raises(UserError, match=said):
        Job("train", "full", Selector())
