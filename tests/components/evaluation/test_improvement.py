"""The best evaluation, and patience, by hand."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.evaluation.improvement import best_of, is_exhausted

VALUES = st.lists(st.floats(-10, 10), max_size=12)


@pytest.mark.parametrize(
    ("values", "higher", "best"),
    [
        ([], True, None),
        ([0.5, 0.7, 0.7, 0.6], True, 1),
        ([3.0, 2.0, 2.5], False, 1),
        ([math.nan, 0.1], True, 1),
        ([math.nan], True, None),
    ],
)
def test_the_first_of_the_best_is_the_best(values, higher, best):
    assert best_of(values, higher=higher) == best


@pytest.mark.parametrize(
    ("values", "patience", "over"),
    [
        ([], 1, False),
        ([0.5], 1, False),
        ([0.5, 0.5], 1, True),
        ([0.5, 0.6, 0.6], 2, False),
        ([0.5, 0.6, 0.6, 0.59], 2, True),
        ([0.5, 0.4, 0.6], 2, False),
        ([math.nan, math.nan], 2, True),
    ],
)
def test_patience_counts_evaluations_since_the_best(values, patience, over):
    assert is_exhausted(values, patience, higher=True) is over


@given(VALUES, st.integers(1, 4))
def test_a_lower_metric_is_a_higher_one_negated(values, patience):
    turned = [-value for value in values]
    assert best_of(values, higher=False) == best_of(turned, higher=True)
    assert is_exhausted(values, patience, higher=False) == is_exhausted(turned, patience, higher=True)
