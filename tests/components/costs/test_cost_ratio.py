import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.costs.cost_ratio import Trained, cost_at, cost_ratio, envelope


def same(cost, score, seeds=3):
    return Trained([cost] * seeds, [score] * seeds)


def test_between_two_controls_the_cost_is_on_a_line_over_its_logarithm():
    controls = [same(2.0, 0.80), same(8.0, 0.90)]
    ratio = cost_ratio(same(2.0, 0.85), controls, higher=True)
    # Half way up from 2 to 8 is 4.
    assert (ratio.value, ratio.low, ratio.high, ratio.bound) == pytest.approx((0.5, 0.5, 0.5, ""))


def test_where_less_is_better_the_curve_is_turned_over():
    controls = [same(2.0, 30.0), same(8.0, 10.0)]
    assert cost_ratio(same(2.0, 20.0), controls, higher=False).value == pytest.approx(0.5)
    assert cost_ratio(same(2.0, 9.0), controls, higher=False).bound == "at most"


def test_a_score_that_no_control_has_bounds_the_ratio():
    controls = [same(3.5, 0.80), same(10.0, 0.90)]
    ratio = cost_ratio(same(5.0, 0.91), controls, higher=True)
    assert (ratio.value, ratio.bound) == (0.5, "at most")
    ratio = cost_ratio(same(5.0, 0.7), controls, higher=True)
    assert (ratio.value, ratio.bound) == (5 / 3.5, "at least")


def test_a_control_that_costs_more_and_scores_less_is_no_part_of_the_curve():
    points = [(4.0, 0.7), (1.0, 0.6), (2.0, 0.8), (2.0, 0.75), (8.0, 0.9)]
    assert envelope(points) == [(1.0, 0.6), (2.0, 0.8), (8.0, 0.9)]


def test_the_interval_is_that_of_every_sample_of_the_seeds():
    method = Trained([2.0] * 3, [0.84, 0.85, 0.86])
    controls = [Trained([2.0] * 3, [0.80, 0.80, 0.80]), Trained([8.0] * 3, [0.90, 0.90, 0.90])]
    ratio = cost_ratio(method, controls, higher=True)
    means = [0.84 + 0.01 * (a + b + c) / 3 for a in range(3) for b in range(3) for c in range(3)]
    ratios = [2 / math.exp(math.log(2) + (m - 0.8) / 0.1 * math.log(4)) for m in means]
    assert (ratio.low, ratio.high) == pytest.approx(tuple(np.quantile(ratios, [0.025, 0.975])))
    assert ratio.low < ratio.value < ratio.high


def test_fewer_than_three_seeds_have_no_interval_and_none_no_ratio():
    ratio = cost_ratio(same(2.0, 0.8, 2), [same(2.0, 0.8, 2)], higher=True)
    assert (ratio.value, ratio.low, ratio.high) == (1.0, None, None)
    assert cost_ratio(Trained([], []), [same(1.0, 0.5)], higher=True) is None
    assert cost_ratio(same(1.0, 0.5), [], higher=True) is None


def test_many_seeds_are_sampled_the_same_way_twice():
    rng = np.random.default_rng(0)
    method = Trained([3.0] * 7, rng.normal(0.85, 0.01, 7).tolist())
    controls = [Trained([c] * 7, rng.normal(s, 0.01, 7).tolist()) for c, s in ((2.0, 0.8), (4.0, 0.85), (8.0, 0.9))]
    one, two = (cost_ratio(method, controls, higher=True) for _ in range(2))
    assert one == two
    assert one.low <= one.value <= one.high


@given(st.lists(st.tuples(st.floats(0.1, 10), st.floats(0, 1)), min_size=1, max_size=8), st.floats(0, 1))
def test_the_curve_rises_and_gives_back_its_own_points(points, share):
    curve = envelope(points)
    assert all(a[0] <= b[0] and a[1] < b[1] for a, b in itertools.pairwise(curve))
    for cost, score in curve:
        assert cost_at(curve, score) == pytest.approx(cost)
    low, high = curve[0][1], curve[-1][1]
    assert curve[0][0] * (1 - 1e-9) <= cost_at(curve, low + share * (high - low)) <= curve[-1][0] * (1 + 1e-9)
