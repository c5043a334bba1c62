"""What a run sets for the whole process."""

import pytest
import torch

from components.epoch_records import EpochRecord
from components.selection.draw.short import Short
from components.selection.keep.rule import ByRule
from pipelines.config.methods import build
from pipelines.config.plans import Member, TrainingPlan
from pipelines.config.schema.sections import Optimizer, Schedule, Training
from pipelines.core import artifacts
from pipelines.core.errors import UserError
from pipelines.training import job
from pipelines.training.builders import prepare_torch, refuse_unrepeatable


def settings(**changes):
    """Return settings of a training in one thread, ``changes`` among them."""
    optimizer, schedule = Optimizer(name="sgd", learning_rate=0.1), Schedule(name="constant", ramp=0.0, hold=0.0)
    return Training(epochs=1, batch_size=2, optimizer=optimizer, schedule=schedule, threads=1, **changes)


def test_kernels_repeat_on_a_cpu_and_no_memory_is_filled_for_it(torch_as_it_was, monkeypatch):
    monkeypatch.setenv("WINNOW_DEVICE", "cpu")
    prepare_torch(settings(), seed=5)
    assert torch.are_deterministic_algorithms_enabled()
    assert not torch.utils.deterministic.fill_uninitialized_memory
    first = torch.rand(3)
    prepare_torch(settings(), seed=5)
    assert torch.equal(torch.rand(3), first)


def test_a_run_may_do_without_kernels_that_repeat(torch_as_it_was):
    prepare_torch(settings(deterministic=False), seed=5)
    assert not torch.are_deterministic_algorithms_enabled()


def test_a_kernel_that_cannot_repeat_is_refused_by_the_key_that_allows_it(torch_as_it_was, monkeypatch):
    monkeypatch.setenv("WINNOW_DEVICE", "cpu")
    prepare_torch(settings(), seed=5)
    with pytest.raises(RuntimeError, match="deterministic") as caught:
        torch.zeros(3).put_(torch.tensor([0, 0]), torch.ones(2))
    with pytest.raises(UserError, match=r"tasks\.digits\.training\.deterministic: must be false on cpu .* whose put_ has no"):
        refuse_unrepeatable(caught.value, "digits")
    refuse_unrepeatable(RuntimeError("out of memory"), "digits")


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
