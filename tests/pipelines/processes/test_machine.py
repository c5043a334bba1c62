"""What a machine has is found by the operating system's own means."""

import os

import psutil
import pytest

from pipelines.processes import machine


def test_cores_are_those_that_this_process_may_use():
    assert 1 <= machine.cores() <= os.cpu_count()


def test_free_memory_is_what_the_system_says():
    assert 0 < machine.free_gib() < psutil.virtual_memory().total / 2**30


@pytest.mark.parametrize(
    ("driver", "device", "expected"), [(True, "", True), (True, "cpu", False), (False, "cuda:1", True), (False, "", False)]
)
def test_a_driver_may_mean_a_gpu_and_the_environment_has_the_last_word(monkeypatch, tmp_path, driver, device, expected):
    monkeypatch.setattr(machine, "GPU_DRIVERS", (tmp_path / "driver",))
    monkeypatch.setenv("WINNOW_DEVICE", device)
    if driver:
        (tmp_path / "driver").touch()
    assert machine.may_train_on_gpu() == expected
