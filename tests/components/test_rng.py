"""Random streams depend on seed, purpose and place alone."""

import numpy as np
import pytest

from components.rng import Streams, draws_at, philox, stream


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


#: Counter, key and words of Random123's known answers for Philox4x32 of ten cycles (tests/kat_vectors).
KNOWN = [
    ("00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
]


@pytest.mark.parametrize(("counter", "key", "words"), KNOWN)
def test_philox_gives_the_known_answers(counter, key, words):
    arrays = [np.array([int(word, 16)], np.uint64) for word in counter.split()]
    found = philox(arrays, [int(word, 16) for word in key.split()])
    assert [f"{word:08x}" for word in found[0].tolist()] == words.split()


def test_an_examples_numbers_are_the_same_in_any_company():
    index = np.array([3, 0, 2**40, 59, 2**32 + 3])
    numbers = draws_at(index, 6, 0, "augment", 1, 0)
    assert numbers.shape == (5, 6)
    for i, own in zip(index, numbers, strict=True):
        assert draws_at(np.array([i]), 9, 0, "augment", 1, 0)[0, :6].tolist() == own.tolist()
    others = [
        draws_at(index, 6, *key)
        for key in [(1, "augment", 1, 0), (0, "other", 1, 0), (0, "augment", 2, 0), (0, "augment", 1, 1)]
    ]
    assert len(np.unique([numbers, *others])) == 150


def test_an_examples_numbers_are_uniform():
    numbers = draws_at(np.arange(20_000), 5, 0, "augment", 0, 0)
    assert numbers.min() >= 0
    assert numbers.max() < 1
    counts = np.stack([np.histogram(column, 10, (0, 1))[0] for column in numbers.T])
    assert np.abs(counts / 2000 - 1).max() < 0.1
    assert np.abs(np.corrcoef(numbers.T) - np.eye(5)).max() < 0.03
