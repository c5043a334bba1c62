"""A run says in a file how far it is, for the flow that started it to tell."""

import json

import pytest

from components.moments import Step
from pipelines import progress
from pipelines.progress import Watch


@pytest.fixture
def clock(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def test_the_file_says_where_the_run_is_and_how_long_it_takes_yet(tmp_path, monkeypatch, clock):
    path = tmp_path / "progress.json"
    monkeypatch.setenv(progress.FILE, str(path))
    with Watch("train full", 4.0) as watch:
        # It has gone on from a checkpoint: what was done before took no time of this process.
        watch.see(Step(1, 50, 100))
        assert json.loads(path.read_text())["seconds_left"] is None
        clock[0] += 30
        watch.see(Step(2, 25, 100))
        said = json.loads(path.read_text())
        assert said == {
            "title": "train full", "epochs": 4.0, "epoch": 2, "done": 25, "total": 100, "percent": 56.25, "seconds_left": 70.0,
        }  # fmt: skip
        clock[0] += 0.5
        watch.see(Step(3, 0, 100))
        assert json.loads(path.read_text()) == said
    assert list(tmp_path.iterdir()) == [path]


def test_without_being_asked_it_writes_nothing(tmp_path, monkeypatch):
    monkeypatch.delenv(progress.FILE, raising=False)
    monkeypatch.chdir(tmp_path)
    with Watch("train full", 4.0) as watch:
        watch.see(Step(0, 1, 2))
    assert list(tmp_path.iterdir()) == []
