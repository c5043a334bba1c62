"""Settings of the machine that cannot be are refused in a line."""

import pytest
import torch

from pipelines.core.errors import UserError
from pipelines.training import builders, checkpoints


@pytest.mark.parametrize(
    ("name", "gpus", "said"),
    [
        ("gpu", 0, "must be cpu, cuda or cuda:1, got 'gpu'; the nearest that works is cpu"),
        ("gpu", 2, "must be cpu, cuda or cuda:1, got 'gpu'; the nearest that works is cuda"),
        ("cuda", 0, "must be a device that there is, got 'cuda' and 0 GPUs; the nearest is cpu"),
        ("cuda:3", 2, "must be a device that there is, got 'cuda:3' and 2 GPUs; the nearest is cuda:1"),
    ],
)
def test_a_device_that_there_is_not(name, gpus, said, monkeypatch):
    monkeypatch.setenv("WINNOW_DEVICE", name)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpus > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    with pytest.raises(UserError, match=f"WINNOW_DEVICE: {said}"):
        builders.device()


@pytest.mark.parametrize(("said", "seconds"), [("5", 5.0), ("0", 0.0), ("", 60.0), ("1e3", 1000.0)])
def test_seconds_between_checkpoints(said, seconds, monkeypatch):
    monkeypatch.setenv("WINNOW_CHECKPOINT_SECONDS", said)
    assert checkpoints.seconds_between() == seconds


@pytest.mark.parametrize("said", ["10m", "-1", "nan"])
def test_seconds_that_are_none(said, monkeypatch):
    monkeypatch.setenv("WINNOW_CHECKPOINT_SECONDS", said)
    with pytest.raises(UserError, match=f"WINNOW_CHECKPOINT_SECONDS: must be a number, 0 or more, got '{said}'"):
        checkpoints.seconds_between()
