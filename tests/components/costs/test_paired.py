"""Gains paired by seed, against SciPy's paired test and by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from components.costs.paired import Gain, paired

SCORES = st.lists(st.tuples(st.integers(0, 360), st.integers(0, 360)), min_size=2, max_size=8)


@given(SCORES, st.booleans())
def test_it_is_scipys_paired_test(pairs, higher):
    mine, others = ([p[i] / 360 for p in pairs] for i in (0, 1))
    found = paired(mine, others, higher=higher)
    gains = (np.array(mine) - others) * (1 if higher else -1)
    assert found.mean == pytest.approx(gains.mean())
    assert found.deviation == pytest.approx(gains.std(ddof=1), abs=1e-12)
    if len({a - b for a, b in pairs}) == 1:
        assert (found.low, found.high, found.p) == (None, None, None)
        return
    test = stats.ttest_rel(mine, others) if higher else stats.ttest_rel(others, mine)
    low, high = test.confidence_interval(0.95)
    assert (found.low, found.high, found.p) == (pytest.approx(low), pytest.approx(high), pytest.approx(test.pvalue))


def test_by_hand():
    # Gains of 1, 2 and 3: t = 2 / (1 / sqrt 3) = 3.46 with two degrees of freedom, whose 97.5 % quantile is 4.303.
    found = paired([2.0, 4.0, 6.0], [1.0, 2.0, 3.0], higher=True)
    assert (found.mean, found.deviation, found.pairs) == (2.0, 1.0, 3)
    assert found.low == pytest.approx(2 - 4.3027 / math.sqrt(3), abs=1e-4)
    assert found.high == pytest.approx(2 + 4.3027 / math.sqrt(3), abs=1e-4)
    assert found.p == pytest.approx(0.0742, abs=1e-4)
    assert found.sure is False
    assert paired([-2.0, -4.0, -6.0], [-1.0, -2.0, -3.0], higher=False) == found


def test_it_is_sure_where_the_interval_excludes_nothing_and_of_a_loss_never():
    better, worse = [0.91, 0.92, 0.93], [0.81, 0.83, 0.82]
    assert paired(better, worse, higher=True).sure is True
    assert paired(worse, better, higher=True).sure is False


@pytest.mark.parametrize("seeds", [0, 1, 2])
def test_under_three_seeds_it_says_nothing(seeds):
    found = paired([0.9, 0.95][:seeds], [0.5, 0.51][:seeds], higher=True)
    assert found.sure is None
    assert found.pairs == seeds
    if seeds < 2:
        assert (found.deviation, found.low, found.high, found.p) == (None,) * 4


def test_gains_that_are_equal_but_for_rounding_have_no_interval():
    # 0.9 - 0.8 and 0.8 - 0.7 differ in their last digits.
    found = paired([0.9, 0.8, 0.85], [0.8, 0.7, 0.75], higher=True)
    assert (found.low, found.high, found.p, found.sure) == (None, None, None, False)
    assert paired([0.5], [0.5], higher=True) == Gain(0.0, None, None, None, None, 1)


def test_different_numbers_of_seeds_are_refused():
    with pytest.raises(ValueError, match="shorter"):
        paired([0.9, 0.8], [0.7], higher=True)
