"""A job trains at the rate, batch and look sizes that are asked for."""

import pytest

from components.epoch_records import EpochRecord
from components.selection.draw.short import Short
from components.selection.keep.rule import ByRule
from pipelines.config.methods import build
from pipelines.config.plans import Member, TrainingPlan
from pipelines.core import artifacts
from pipelines.training import job


def test_a_block_has_a_learning_rate_and_a_batch_of_its_own(prepared, torch_as_it_was, monkeypatch):
    monkeypatch.setenv("WINNOW_DEVICE", "cpu")
    monkeypatch.setattr(job, "EnergyMeter", lambda country: None)
    prepared({"from": "scikit-learn", "name": "digits"}, {}, kind="image", test=0.2)
    fast = build([Member(method="short", arguments={"epochs": 1}, factors={"learning_rate": 3, "batch": 4})])
    plain, changed = (job.Job("train", "one", s).training for s in (Short(1), fast))
    ends = [next(m for m in t.until() if isinstance(m, EpochRecord)) for t in (plain, changed)]
    assert [e.steps for e in ends] == [719, 180]
    assert [t.learner.optimizer.param_groups[0]["initial_lr"] for t in (plain, changed)] == pytest.approx([0.1, 0.3])


@pytest.mark.parametrize(("asked", "size"), [(None, 8), (4, 4)])
def test_a_look_is_as_large_as_asked_or_as_the_method_wants(prepared, torch_as_it_was, monkeypatch, asked, size):
    monkeypatch.setenv("WINNOW_DEVICE", "cpu")
    monkeypatch.setattr(job, "EnergyMeter", lambda country: None)
    prepared({"from": "scikit-learn", "name": "digits"}, {}, kind="image", test=0.2)
    path = artifacts.plan_of("training")
    planned = TrainingPlan.read(path)
    changed = planned.training.model_copy(update={"look_size": asked})
    planned.model_copy(update={"training": changed}).write(path)
    assert job.Job("train", "big", ByRule("big-loss", 0.25)).training.plan.look_size == size
