import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.selection.common.budgets import POWERS, by_class, course

ROWS = st.lists(st.integers(0, 50), min_size=1, max_size=12).filter(any)


@pytest.mark.parametrize(
    ("sizes", "k", "power", "expected"),
    [
        ([80, 16, 4], 50, 1.0, [40, 8, 2]),
        ([64, 16, 4], 28, 0.5, [16, 8, 4]),
        ([80, 16, 4], 12, 0.0, [4, 4, 4]),
        # A third of 30 is more than the last class has, so the others share 26.
        ([80, 16, 4], 30, 0.0, [13, 13, 4]),
        # And then more than the second has too.
        ([80, 10, 4], 40, 0.0, [26, 10, 4]),
        ([5, 0, 5], 4, 0.0, [2, 0, 2]),
        # The row that is over goes to the first of equals.
        ([9, 9, 9], 4, 0.0, [2, 1, 1]),
        ([3, 3], 6, 0.5, [3, 3]),
    ],
)
def test_by_hand(sizes, k, power, expected):
    assert by_class(np.array(sizes), k, power).tolist() == expected


@given(ROWS, st.sampled_from(sorted(POWERS.values())), st.data())
def test_budgets_add_up_and_ask_of_no_class_more_than_it_has(sizes, power, data):
    rows = np.array(sizes)
    k = data.draw(st.integers(1, int(rows.sum())))
    found = by_class(rows, k, power)
    assert found.sum() == k
    assert (found <= rows).all()
    assert (found >= 0).all()
    # A smaller class never gets more than a larger one, but for a remainder.
    order = np.argsort(rows, kind="stable")
    assert (np.diff(found[order]) >= -1).all()


@given(st.integers(0, 5), st.integers(1, 20), st.floats(-1, 1))
def test_a_course_has_a_mean_of_one_and_is_never_under_nothing(start, length, slope):
    shares = [course(i, start, start + length, slope) for i in range(start, start + length)]
    assert np.mean(shares) == pytest.approx(1)
    assert min(shares) >= 0
    assert (np.sign(slope) * np.diff(shares) >= -1e-12).all()
