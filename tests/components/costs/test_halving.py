"""Successive halving beside controls: by hand on a table of outcomes, and by its promises on any."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.costs.halving import ALIKE, Goal, Outcome, paid_back_after, proposal, survivors

WITHIN = Goal("tolerance", 0.01, higher=True)
BUDGET = Goal("budget", 60.0, higher=True)


def method(name, score, cost, *controls):
    return Outcome(name, "method", score, cost, controls)


def control(name, score, cost):
    return Outcome(name, "control", score, cost)


#: a: within a hundredth at 40, above both its controls. b: cheaper, and too bad. c: as a at 60, and no better than short.
TABLE = [
    Outcome("full", "full", 0.90, 100.0),
    method("a", 0.895, 40.0, "u40", "s40"),
    method("b", 0.80, 20.0, "u20", "s20"),
    method("c", 0.898, 60.0, "u60", "s60"),
    control("u40", 0.87, 40.0),
    control("s40", 0.88, 40.0),
    control("u20", 0.82, 20.0),
    control("s20", 0.81, 20.0),
    control("u60", 0.885, 60.0),
    control("s60", 0.898, 60.0),
]


def without(*names):
    return [o for o in TABLE if o.name not in names]


def test_the_cheapest_within_the_tolerance_is_proposed():
    assert proposal(TABLE, WITHIN).name == "a"


def test_of_methods_half_goes_on_with_their_controls_and_half_of_the_controls():
    # Of a, b and c two: a at 40, and c at 60, both within. Of six controls three: s60 within, u60 misses by .005, s40 by .01.
    assert survivors(TABLE, WITHIN) == ["full", "a", "c", "u40", "s40", "u60", "s60"]


def test_within_a_budget_the_best_metric_is_proposed_and_a_method_must_beat_both_controls():
    # c has the best metric that costs 60, and s60 the same metric.
    assert proposal(TABLE, BUDGET).name == "s60"
    assert proposal(without("c", "s60"), BUDGET).name == "a"
    # The best half of three methods; then the best three controls that cost no more than 60.
    assert survivors(TABLE, BUDGET) == ["full", "a", "c", "u40", "s40", "u60", "s60"]


def test_over_the_budget_what_misses_it_least_goes_on():
    assert survivors(TABLE, Goal("budget", 30.0, higher=True)) == ["full", "a", "b", "u40", "s40", "u20", "s20"]


def test_without_a_method_that_is_worth_it_the_answer_is_a_control_or_full_or_nothing():
    assert proposal(without("a"), WITHIN).name == "s60"
    assert proposal(without("a", "s60"), WITHIN).name == "full"
    assert proposal(TABLE, Goal("budget", 10.0, higher=True)) is None


def test_a_method_whose_control_has_failed_is_not_proposed():
    assert proposal(without("u40"), WITHIN).name == "s60"


def test_a_method_that_only_equals_a_control_is_not_proposed_though_it_takes_less_time():
    table = [TABLE[0], method("m", 0.895, 30.0, "u", "s"), control("u", 0.895, 50.0), control("s", 0.88, 50.0)]
    assert proposal(table, WITHIN).name == "u"


def test_less_may_be_better():
    turned = [Outcome(o.name, o.role, 100 - 100 * o.score, o.cost, o.controls) for o in TABLE]
    goal = Goal("tolerance", 1.0, higher=False)
    assert proposal(turned, goal).name == "a"
    assert survivors(turned, goal) == survivors(TABLE, WITHIN)


def test_a_loss_of_exactly_the_tolerance_is_within():
    # 0.90 - 0.89 is 0.010000000000000009.
    assert proposal([TABLE[0], control("s", 0.89, 50.0)], WITHIN).name == "s"


def test_costs_that_are_alike_leave_it_to_the_metric():
    nearly = [TABLE[0], control("s", 0.893, 50.0), control("u", 0.899, 50.2)]
    assert proposal(nearly, WITHIN).name == "u"
    assert proposal([TABLE[0], control("s", 0.95, 99.9)], WITHIN).name == "full"
    assert proposal([TABLE[0], control("s", 0.95, 120.0)], WITHIN).name == "full"


#: Few, so that many are equal.
scores = st.integers(0, 10).map(lambda x: x / 10)
costs = st.floats(0.1, 200)


@st.composite
def tables(draw):
    found = [Outcome("full", "full", draw(scores), draw(costs))]
    for i in range(draw(st.integers(0, 5))):
        found.append(method(f"m{i}", draw(scores), draw(costs), f"u{i}", f"s{i}"))
        found += [control(f"{c}{i}", draw(scores), draw(costs)) for c in "us" if draw(st.integers(0, 9))]
    return found


goals = st.builds(Goal, st.just("tolerance"), st.floats(0, 0.5), higher=st.booleans()) | st.builds(
    Goal, st.just("budget"), st.floats(0.1, 250), higher=st.booleans()
)


@given(tables(), goals)
def test_an_answer_meets_the_goal_by_the_numbers_it_was_given(table, goal):
    answer, full = proposal(table, goal), table[0]
    if answer is None:
        assert goal.kind == "budget"
        assert full.cost > goal.bound
        return
    sign = 1 if goal.higher else -1
    if goal.kind == "budget":
        assert answer.cost <= goal.bound + 1e-9
    else:
        assert sign * (full.score - answer.score) <= goal.bound + 1e-9
        assert answer is full or answer.cost < full.cost
    by_name = {o.name: o for o in table}
    for name in answer.controls:
        assert sign * (answer.score - by_name[name].score) > 0


@given(tables(), goals)
def test_nothing_that_meets_the_goal_is_much_better_than_the_answer(table, goal):
    answer, full = proposal(table, goal), table[0]
    rivals = [o for o in table if o.role != "method" and goal.fits(o, full)]
    if goal.kind == "tolerance":
        assert all(answer.cost < o.cost * ALIKE * (1 + 1e-9) for o in rivals)
    else:
        assert all(goal.gain(o, answer) <= 0 for o in rivals)


@given(tables(), goals)
def test_full_and_the_controls_of_who_goes_on_are_never_dropped(table, goal):
    names = survivors(table, goal)
    there = {o.name for o in table}
    assert "full" in names
    assert [o.name for o in table if o.name in names] == names
    for one in table:
        if one.name in names:
            assert set(one.controls) & there <= set(names)
    for role in ("method", "control"):
        entrants = [o for o in table if o.role == role]
        assert sum(o.name in names for o in entrants) >= math.ceil(len(entrants) / 2)


@given(tables(), goals)
def test_the_answer_of_a_rung_goes_on(table, goal):
    answer = proposal(table, goal)
    if answer is not None and answer.role == "control":
        assert answer.name in survivors(table, goal)


@pytest.mark.parametrize(
    ("cost", "saving", "after"), [(100, 30, 4), (90, 30, 3), (0.3, 0.1, 3), (1, 100, 1), (5, 0, None), (5, -1, None)]
)
def test_a_cost_is_paid_back_by_savings(cost, saving, after):
    assert paid_back_after(cost, saving) == after
