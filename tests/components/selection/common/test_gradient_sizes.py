"""Sizes that examples are drawn by: signals, class weights, floor and effective sample size."""

import numpy as np
import pytest

from components.selection.common.gradient_sizes import class_weights, effective_sample_size, floored, signal_of, weighted_draw


def test_who_was_never_seen_has_the_root_mean_square_of_the_others(make_ledger):
    norms = [1.0, 7.0, np.nan, np.nan]
    ledger = make_ledger(4, 3, gradient_norm=norms, seen=[1, 1, 0, 0], loss=[1, 1, np.nan, np.nan], drawn=[1, 1, 0, 0])
    assert signal_of(ledger).tolist() == [1, 7, 5, 5]


@pytest.mark.parametrize(
    ("signal", "expected"),
    [("loss", [0.5, 2.0]), ("gradient-norm", [0.3, 1.2]), ("uncertainty", [1 - np.exp(-0.5), 1 - np.exp(-2) - 0.4])],
)
def test_signals(make_ledger, signal, expected):
    ledger = make_ledger(2, 3, target=np.zeros(2, np.int64), loss=[0.5, 2.0], gradient_norm=[0.3, 1.2], margin=[-0.3, 0.4])
    np.testing.assert_allclose(signal_of(ledger, signal), expected, rtol=1e-6)


def test_class_weights_by_hand():
    # One over three rows and over one, whose mean is a half.
    np.testing.assert_allclose(class_weights(np.array([0, 0, 0, 1]), 1.0), [2 / 3, 2 / 3, 2 / 3, 2], rtol=1e-6)
    assert class_weights(np.array([0, 0, 0, 1]), 0.0).tolist() == [1] * 4


def test_a_floor_is_shared_by_all_and_leaves_the_mean_at_one():
    np.testing.assert_allclose(floored(np.array([0.0, 1.0, 3.0]), 0.2), [0.2, 0.8, 2.0])
    assert (floored(np.zeros(3), 0.0) > 0).all(), "what has no size at all can still be drawn"


@pytest.mark.parametrize(
    ("size", "expected"), [([2, 2, 2, 2], 1.0), ([1, 0, 0, 0], 0.25), ([3, 1], 16 / (2 * 10)), ([0, 0], 1.0)]
)
def test_the_effective_sample_size_by_hand(size, expected):
    assert effective_sample_size(np.array(size, np.float32)) == pytest.approx(expected)


@pytest.mark.parametrize(("correction", "expected"), [(1.0, [1.6, 0.4]), (0.5, [4 / 3, 2 / 3]), (0.0, [1, 1])])
def test_the_drawn_weigh_by_a_power_of_one_over_their_probability(correction, expected):
    np.testing.assert_allclose(weighted_draw(np.array([0.25, 0.5, 1.0, 0.5]), np.array([0, 2]), correction), expected)
