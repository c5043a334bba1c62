"""Stages run at once where there is room, and one at a time where they would share a GPU."""

from types import SimpleNamespace

import pytest

from pipelines.core.errors import UserError
from pipelines.flows.stages_at_once import stages_at_once
from pipelines.processes import machine


@pytest.fixture(autouse=True)
def eight_cores(monkeypatch):
    monkeypatch.delenv("WINNOW_STAGES", raising=False)
    monkeypatch.delenv("WINNOW_DEVICE", raising=False)
    monkeypatch.setattr(machine, "cores", lambda: 8)
    monkeypatch.setattr(machine, "free_gib", lambda: 30.0)
    monkeypatch.setattr(machine, "may_train_on_gpu", lambda: False)


def training(threads=1, devices=1):
    return SimpleNamespace(threads=threads, devices=devices)


@pytest.mark.parametrize(
    ("threads", "devices", "expected"), [(1, 1, 7), (2, 1, 4), (3, 1, 2), (8, 1, 1), (16, 1, 1), (2, 2, 2), (4, 3, 1)]
)
def test_cores_and_memory_bound_it(threads, devices, expected):
    assert stages_at_once(training(threads, devices)) == expected


def test_there_is_always_one(monkeypatch):
    monkeypatch.setattr(machine, "free_gib", lambda: 0.5)
    assert stages_at_once(training()) == 1


def test_a_gpu_has_one_at_a_time(monkeypatch):
    monkeypatch.setattr(machine, "may_train_on_gpu", lambda: True)
    assert stages_at_once(training()) == 1


def test_the_environment_has_the_last_word(monkeypatch):
    monkeypatch.setenv("WINNOW_STAGES", "12")
    assert stages_at_once(training(8)) == 12
    monkeypatch.setenv("WINNOW_STAGES", "0")
    with pytest.raises(UserError, match="WINNOW_STAGES: must be a whole number, 1 or more, got '0'; one at a time: 1"):
        stages_at_once(training())
