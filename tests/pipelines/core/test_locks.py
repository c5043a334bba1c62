"""A stage runs once in a working copy; others are refused, or wait."""

import os
import threading
from pathlib import Path

import pytest

from pipelines.core import locks
from pipelines.core.errors import UserError


def test_two_at_once_in_one_working_copy(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with (
        locks.alone("train@x"),
        pytest.raises(UserError, match=rf"train@x is already running in .* \(pid {os.getpid()}\)"),
        locks.alone("train@x"),
    ):
        pass
    with locks.alone("train@x"):
        assert (Path(".winnow/locks/train@x")).read_text() == str(os.getpid())


def test_who_comes_second_waits_for_the_first(tmp_path):
    path, order = tmp_path / "deep" / "lock", []

    def come():
        with locks.in_turn(path):
            order.append("second")

    second = threading.Thread(target=come)
    with locks.in_turn(path):
        second.start()
        second.join(0.3)
        assert second.is_alive()
        order.append("first")
    second.join(10)
    assert order == ["first", "second"]
