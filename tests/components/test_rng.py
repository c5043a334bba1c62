"""Random streams depend on seed, purpose and place alone."""

import numpy as np
import pytest

from components.rng import Streams, stream


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
    def numbers(streams, door, places):
        return {place: tuple(streams.at(door, place).random(3, np.float32)) for place in places}

    places = [0, 1, 7, 2**40]
    apart = {place: numbers(Streams(0, 1), "keep", [place])[place] for place in places}
    assert numbers(Streams(0, 1), "keep", [2**40, 1, 1, 0, 7]) == apart
    others = [numbers(Streams(*key), door, places) for key, door in [((1, 1), "keep"), ((0, 2), "keep"), ((0, 1), "admit")]]
    assert len({draw for found in [apart, *others] for draw in found.values()}) == 16
    assert Streams(0, 1).at("keep", 5).random(10_000).mean() == pytest.approx(0.5, abs=0.01)
    assert Streams(0, 1).of("order", 3).random() == stream(0, "order", 1, 3).random()
