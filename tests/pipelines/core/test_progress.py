"""A run says in a file how far it is, for the flow that started it to tell."""

import json

import pytest

from components.epoch_records import Step, Tally, ValidatedEpoch
from pipelines.core import progress
from pipelines.core.environment import PROGRESS
from pipelines.core.progress import Watch


@pytest.fixture
def clock(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def test_the_file_says_where_the_run_is_and_how_long_it_takes_yet(tmp_path, monkeypatch, clock):
    path = tmp_path / "progress.json"
    monkeypatch.setenv(PROGRESS.name, str(path))
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
    monkeypatch.delenv(PROGRESS.name, raising=False)
    monkeypatch.chdir(tmp_path)
    with Watch("train full", 4.0) as watch:
        watch.see(Step(0, 1, 2))
    assert list(tmp_path.iterdir()) == []


def test_away_from_a_terminal_a_line_a_minute_says_how_far_it_is(clock, capsys):
    with Watch("train full", 4.0) as watch:
        for place in range(8):
            watch.see(Step(place // 4, 25 * (place % 4), 100))
            clock[0] += 25
    # The first minute is over at the fourth step, at three quarters of an epoch; the second, three steps later, at 1.5.
    assert capsys.readouterr().err.splitlines() == [
        "train full: 19 %, about 5 min left",
        "train full: 38 %, about 4 min left",
    ]
    with progress.quiet(), Watch("train full", 4.0) as watch:
        for place in range(8):
            watch.see(Step(place, 0, 100))
            clock[0] += 25
    assert capsys.readouterr().err == ""


def test_frozen_layers_say_how_far_they_are_too(clock, capsys):
    lines = progress.Lines("frozen layers", 1000)
    for done in (100, 200, 400):
        lines.see(done)
        clock[0] += 61
    assert capsys.readouterr().err.splitlines() == [
        "frozen layers: 20 %, about 8 min left",
        "frozen layers: 40 %, about 4 min left",
    ]


def test_an_evaluation_is_a_line(capsys):
    record = Tally(trained=8, loss=4.0).closed(2, classes=False)
    with Watch("train full", 4.0) as watch:
        watch.see(ValidatedEpoch(**vars(record), validation={"macro_f1": 0.5, "accuracy": 0.75, "loss": 0.25}))
        watch.see(record)
    assert capsys.readouterr().err.splitlines() == [
        "train full: epoch 3, drawn 0, looked 0, trained 8, loss 0.5000",
        "train full: validation after epoch 3: macro_f1 0.5000, loss 0.2500",
        "train full: epoch 3, drawn 0, looked 0, trained 8, loss 0.5000",
    ]
