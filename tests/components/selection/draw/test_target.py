import numpy as np
import pytest

from components.rng import stream
from components.selection.draw.target import Target
from components.selection.selector import Epoch

NEAR = np.array([0.1, 0.9, 0.2, 0.8, 0.3, 0.7, 0.4, 0.6, 0.5, 0.0], np.float32)
AIMED = np.arange(10) == 9
SCORES = {"id": np.arange(10), "target": AIMED, "nearness": NEAR}


def drawn(selector, make_ledger, index=0):
    selector.begin(selector.select(SCORES, stream(0, "subset")), None)
    return selector.draw(Epoch(index, 4), make_ledger(10), stream(0, "draw", index))


def test_the_target_set_and_what_is_nearest_to_it(make_ledger):
    weight = drawn(Target(0.4), make_ledger)
    assert np.flatnonzero(weight).tolist() == [1, 3, 5, 9]
    assert (weight == drawn(Target(0.4), make_ledger, 1)).all()


def test_the_target_set_is_there_also_where_it_is_larger_than_the_fraction(make_ledger):
    assert np.flatnonzero(drawn(Target(0.01), make_ledger)).tolist() == [9]
    assert np.flatnonzero(drawn(Target(0.01, "sample"), make_ledger)).tolist() == [9]


def test_samples_are_drawn_afresh_and_the_nearer_more_often(make_ledger):
    counts = sum(drawn(Target(0.4, "sample", temperature=0.5), make_ledger, i) > 0 for i in range(300))
    assert counts[9] == 300
    assert counts.sum() == 4 * 300
    assert counts[1] > counts[8] > counts[0] > 0


def test_a_subset_says_who_is_of_the_target_set():
    subset = Target(0.4).select(SCORES, None)
    assert np.isposinf(subset.score).tolist() == AIMED.tolist()


def test_without_nearness_it_says_what_it_needs():
    with pytest.raises(ValueError, match="needs the score table of a warm-up with 'nearness'"):
        Target().select({"id": np.arange(3)}, None)
