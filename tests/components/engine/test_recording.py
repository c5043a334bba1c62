"""What passes the doors is counted, and written into the ledger in its order."""

import math

import pytest

from components.costs.clock import Clock
from components.engine import recording
from components.engine.recording import Recorder
from components.run_position import Position
from components.selection.selector import Selector


def test_sights_wait_until_they_are_settled_and_looks_are_written_before_steps(make_ledger, make_evidence, make_rows):
    ledger, clock, position = make_ledger(4, 2), Clock(), Position(rows=make_rows(range(4)))
    recorder = Recorder(ledger, clock, position)
    recorder.see(make_evidence([0, 2], [[1, 0], [3, 0]], [0, 1]))
    recorder.see(make_evidence([2], [[0, 5]], [1], looked=True))
    position.drawn = 3
    tally = position.tally
    assert (tally.looked, tally.trained, tally.steps) == (1, 2, 1)
    assert tally.loss == pytest.approx(math.log1p(math.exp(-1)) + math.log1p(math.exp(3)), rel=1e-5)
    assert ledger.column("seen").tolist() == [0] * 4
    for _ in range(2):
        recorder.settle()
        assert ledger.column("drawn").tolist() == [1, 1, 1, 0]
        assert ledger.column("looked").tolist() == [0, 0, 1, 0]
        assert ledger.column("seen").tolist() == [1, 0, 2, 0]
    # The step came after the look, whose loss was near 0.
    assert ledger.column("loss")[2] == pytest.approx(math.log1p(math.exp(3)), rel=1e-5)
    assert tally.correct == 1
    assert (clock.laps["record"].times, clock.laps["record"].examples) == (2, 3)


def test_as_many_sights_as_fit_wait_and_are_then_written_at_once(make_ledger, make_evidence, monkeypatch):
    monkeypatch.setattr(recording, "WAITING", 8)
    ledger = make_ledger(4, 2)
    recorder = Recorder(ledger, Clock(), Position())
    recorder.see(make_evidence([0, 1], [[1, 0], [3, 0]], [0, 1]))
    assert ledger.column("seen").tolist() == [0] * 4
    recorder.see(make_evidence([2, 3], [[1, 0], [3, 0]], [0, 1]))
    assert ledger.column("seen").tolist() == [1] * 4


class Telling(Selector):
    """Has one event to tell of, and always a figure."""

    def __init__(self):
        self.left = ["began"]

    def events(self):
        told, self.left = self.left, []
        return told

    def facts(self):
        return {"rate": 0.5}


def test_figures_are_asked_for_sixteen_times_an_epoch_and_events_are_told_once(make_ledger, make_rows):
    position = Position(rows=make_rows(range(32)), steps=7)
    recorder, selector = Recorder(make_ledger(32), Clock(), position), Telling()
    for drawn in range(1, 33):
        position.drawn = drawn
        recorder.note(selector, 1, drawn / 32)
    assert position.tally.course == [{"place": k / 16, "rate": 0.5} for k in range(1, 17)]
    assert position.tally.events == [{"place": 1 / 32, "step": 7, "event": "began"}]
