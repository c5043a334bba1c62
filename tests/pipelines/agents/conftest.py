"""A clock that moves by sleep alone."""

from types import SimpleNamespace

import pytest


@pytest.fixture
def clock(monkeypatch):
    """Let a second pass with each sleep, and no other time at all."""
    from pipelines.agents import run_watcher
    from pipelines.core.environment import LOST_SECONDS

    time = SimpleNamespace(now=1000.0)

    def sleep(seconds):
        time.now += seconds

    monkeypatch.setattr(run_watcher.time, "monotonic", lambda: time.now)
    monkeypatch.setattr(run_watcher.time, "sleep", sleep)
    monkeypatch.setenv(LOST_SECONDS.name, "10")
    return time
