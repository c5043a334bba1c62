import numpy as np
import pytest

from components.arrays import Streams, count_of, stream


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


def test_the_streams_of_an_epoch_depend_on_their_places_alone():
    def numbers(*key):
        return {place: tuple(Streams(*key).at(place).random(3, np.float32)) for place in (0, 1, 7, 2**40)}

    def in_turn(streams, places):
        return {place: tuple(streams.at(place).random(3, np.float32)) for place in places}

    apart = numbers(0, "keep", 1)
    assert in_turn(Streams(0, "keep", 1), [2**40, 1, 1, 0, 7]) == apart
    others = [apart, numbers(1, "keep", 1), numbers(0, "admit", 1), numbers(0, "keep", 2)]
    assert len({draw for found in others for draw in found.values()}) == 16
    assert Streams(0, "keep", 1).at(5).random(10_000).mean() == pytest.approx(0.5, abs=0.01)
