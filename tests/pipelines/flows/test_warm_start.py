"""The block of a warm start has a fork server, and nothing is left of it."""

import importlib.util
import os
import subprocess
import sys

import psutil
import pytest

from pipelines.core.environment import FORK_SERVER
from pipelines.flows import warm_start


def test_the_server_is_named_in_the_block_and_gone_after_it(monkeypatch, tmp_path):
    monkeypatch.setattr(warm_start, "SCRATCH", tmp_path)
    monkeypatch.setattr(warm_start, "LOG", tmp_path / "log")
    monkeypatch.setattr(warm_start, "SOCKET", tmp_path / "s")
    monkeypatch.setattr(warm_start, "OF_ALL", ())
    before = {p.pid for p in psutil.Process().children(recursive=True)}
    socket = tmp_path / "s"
    socket.touch()  # of a flow that was killed
    with warm_start.warm_start("small"):
        assert FORK_SERVER.value() == str(socket)
        assert len({p.pid for p in psutil.Process().children(recursive=True)} - before) == 1
    assert FORK_SERVER.name not in os.environ
    assert not socket.exists()
    assert {p.pid for p in psutil.Process().children(recursive=True)} == before


def test_another_system_starts_its_stages_by_themselves(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(subprocess, "Popen", None)
    with warm_start.warm_start("small"):
        assert not FORK_SERVER.is_set


@pytest.mark.parametrize("name", [*warm_start.OF_ALL, *sum(warm_start.OF_FAMILY.values(), ())])
def test_what_is_imported_exists(name):
    # Libraries' own modules come and go with their versions, and the server would start without one and say nothing.
    assert importlib.util.find_spec(name) is not None
