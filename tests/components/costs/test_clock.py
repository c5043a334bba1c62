"""Laps of a run's clock: summed, nested, and resumed."""

import pytest

from components.costs import clock as clocks
from components.costs.clock import Clock, Lap


@pytest.fixture
def hands(monkeypatch):
    """The two clocks of the machine, moved by hand."""
    at = {"wall": 100.0, "cpu": 10.0}
    monkeypatch.setattr(clocks.time, "perf_counter", lambda: at["wall"])
    monkeypatch.setattr(clocks.time, "process_time", lambda: at["cpu"])
    return at


def test_laps_add_up_and_may_nest(hands):
    clock = Clock()
    with clock.lap("train"):
        for _ in range(2):
            with clock.lap("forward", 8):
                hands["wall"] += 1.5
                hands["cpu"] += 2.0
        hands["wall"] += 1.0
    assert clock.laps["forward"] == Lap(times=2, examples=16, wall_seconds=3.0, cpu_seconds=4.0)
    assert clock.laps["train"] == Lap(times=1, examples=0, wall_seconds=4.0, cpu_seconds=4.0)


def test_a_lap_may_repeat_inside_its_own_name(hands):
    clock = Clock()
    with clock.lap("look", 1), clock.lap("look", 2):
        hands["wall"] += 1
    assert clock.laps["look"] == Lap(2, 3, 2.0, 0.0)


def test_a_clock_goes_on_from_its_record(hands):
    clock = Clock()
    with clock.lap("look", 3):
        hands["cpu"] += 1
    again = Clock.of(clock.record())
    with again.lap("look", 4):
        hands["cpu"] += 2
    assert again.record() == {"look": {"times": 2, "examples": 7, "wall_seconds": 0.0, "cpu_seconds": 3.0}}
