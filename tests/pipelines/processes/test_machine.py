"""What a machine has is found by the operating system's own means."""

import os

import psutil

from pipelines.processes import machine


def test_cores_are_those_that_this_process_may_use():
    assert 1 <= machine.cores() <= os.cpu_count()


def test_free_memory_is_what_the_system_says():
    assert 0 < machine.free_gib() < psutil.virtual_memory().total / 2**30


def test_a_driver_is_a_gpu(monkeypatch, tmp_path):
    monkeypatch.setattr(machine, "GPU_DRIVERS", (tmp_path / "driver",))
    assert not machine.may_have_gpu()
    (tmp_path / "driver").touch()
    assert machine.may_have_gpu()
