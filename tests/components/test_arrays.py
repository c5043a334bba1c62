"""How many a fraction of something is."""

import pytest

from components.arrays import count_of


@pytest.mark.parametrize(
    ("fraction", "total", "count"),
    [(0.3, 9, 3), (0.3, 8, 2), (0.1, 1797, 180), (1.0, 7, 7), (0.001, 7, 1), (0.5, 1, 1), (0.29, 100, 29)],
)
def test_a_fraction_is_rounded_and_is_never_nothing(fraction, total, count):
    assert count_of(fraction, total) == count
