import numpy as np
import pytest

from components.arrays import count_of, stream


@pytest.mark.parametrize(
    ("fraction", "total", "count"),
    [(0.3, 9, 3), (0.3, 8, 2), (0.1, 1797, 180), (1.0, 7, 7), (0.001, 7, 1), (0.5, 1, 1), (0.29, 100, 29)],
)
def test_a_fraction_is_rounded_and_is_never_nothing(fraction, total, count):
    assert count_of(fraction, total) == count


@pytest.mark.parametrize("places", [[()], [(0,), (1,), (7,)], [(0, 1), (1, 0), (1, 2), (2, 1), (0, 0)]])
def test_a_stream_depends_on_seed_purpose_and_place_alone(places):
    first = {
        key: tuple(stream(*key).integers(0, 2**60, 3))
        for key in [(seed, purpose, *place) for seed in (0, 1) for purpose in ("draw", "order") for place in places]
    }
    np.random.seed(5)  # noqa: NPY002 - a stream must not hear of it
    assert {key: tuple(stream(*key).integers(0, 2**60, 3)) for key in first} == first
    assert len(set(first.values())) == len(first)
