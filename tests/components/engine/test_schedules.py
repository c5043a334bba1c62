import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.engine.schedules import Schedule


@pytest.mark.parametrize(
    ("epoch", "factor"), [(0, 0), (0.05, 0.25), (0.1, 0.5), (0.2, 1), (1, 1), (2, 1), (3, 0.75), (4, 0.5), (6, 0), (6.5, 0)]
)
def test_linear_by_hand(epoch, factor):
    assert Schedule("linear", ramp=0.2, hold=2, end=6)(epoch) == pytest.approx(factor, abs=1e-12)


@pytest.mark.parametrize(("epoch", "factor"), [(2, 1), (3, (1 + math.sqrt(0.5)) / 2), (4, 0.5), (6, 0)])
def test_cosine_by_hand(epoch, factor):
    assert Schedule("cosine", ramp=0.2, hold=2, end=6)(epoch) == pytest.approx(factor, abs=1e-12)


def test_constant_ramps_and_then_stays():
    schedule = Schedule("constant", ramp=0.5, hold=1, end=3)
    assert [schedule(e) for e in (0.25, 0.5, 2, 3)] == [0.5, 1, 1, 1]


def test_a_short_run_holds_for_half_of_itself_and_still_reaches_zero():
    schedule = Schedule("linear", ramp=0.2, hold=2, end=2.6)
    assert schedule(1.3) == 1
    assert schedule(1.95) == pytest.approx(0.5)
    assert schedule(2.6) == 0


def test_without_a_ramp_the_first_step_is_whole():
    assert Schedule("linear", ramp=0, hold=0, end=2)(0) == 1


@given(st.floats(0, 2), st.floats(4, 50), st.floats(4, 50), st.sampled_from(["linear", "cosine", "constant"]))
def test_until_the_hold_ends_runs_of_any_length_agree(epoch, one, other, name):
    assert Schedule(name, 0.5, 2, one)(epoch) == Schedule(name, 0.5, 2, other)(epoch)


@given(st.floats(0.5, 20), st.floats(0.5, 20), st.sampled_from(["linear", "cosine"]))
def test_after_the_ramp_it_never_rises_and_stays_in_bounds(one, other, name):
    schedule = Schedule(name, 0.5, 2, 12.5)
    early, late = sorted([one, other])
    assert 0 <= schedule(late) <= schedule(early) <= 1
