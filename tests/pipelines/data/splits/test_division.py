"""Rows are divided into disjoint splits, and a validation part that cannot judge is refused."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.core.errors import UserError
from pipelines.data.splits import division


def task(**changes):
    plain = {"name": "own", "seed": 0, "validation": None, "limit": None, "while_training": True, "predicts": "class"}
    regression = changes.get("predicts") in ("number", "numbers")
    return SimpleNamespace(**plain | changes, regression=regression)


TRAIN, TEST = np.arange(0, 40), np.arange(40, 50)
CLASSES = np.arange(50) % 4


@given(st.floats(0.2, 0.6), st.integers(0, 9), st.none() | st.integers(5, 40))
def test_splits_are_disjoint_and_the_same_part_judges_at_every_limit(fraction, seed, limit):
    made = division.divided(TRAIN, TEST, task(validation=fraction, seed=seed, limit=limit), None)
    whole = division.divided(TRAIN, TEST, task(validation=fraction, seed=seed), None)
    assert made.validation.tolist() == whole.validation.tolist()
    assert len(whole.validation) == round(fraction * 40)
    assert sorted([*whole.train, *whole.validation]) == TRAIN.tolist()
    assert set(made.train.tolist()) <= set(whole.train.tolist())
    assert made.test.tolist() == TEST.tolist()


def test_while_training_judges_by_the_rows_that_judge_in_place_of_the_test_split_otherwise():
    beside = division.divided(TRAIN, TEST, task(validation=0.3), CLASSES)
    instead = division.divided(TRAIN, TEST, task(validation=0.3, while_training=False), CLASSES)
    assert beside.validation.tolist() == instead.test.tolist()
    assert beside.train.tolist() == instead.train.tolist()
    assert list(beside.named()) == ["test", "validation"]
    assert list(instead.named()) == ["test"]


def test_without_validation_nothing_is_set_aside():
    made = division.divided(TRAIN, TEST, task(), CLASSES)
    assert (made.train.tolist(), len(made.validation)) == (TRAIN.tolist(), 0)


def test_a_part_without_a_class_is_refused_with_the_nearest_that_works():
    asked = task(validation=0.05)
    with pytest.raises(
        UserError, match=r"tasks\.own\.validation: must have every class, got 2 of 40 .* of 4; the nearest"
    ) as no:
        division.divided(TRAIN, TEST, asked, CLASSES)
    nearest = float(str(no.value).rpartition(" ")[2])
    made = division.divided(TRAIN, TEST, task(validation=nearest), CLASSES)
    assert set(CLASSES[made.validation]) == {0, 1, 2, 3}
    with pytest.raises(UserError, match="must have every class"):
        division.divided(TRAIN, TEST, task(validation=nearest - 1 / 40), CLASSES)


def test_a_class_of_one_row_cannot_be_in_both():
    value = np.zeros(50, np.int64)
    value[3] = 1
    with pytest.raises(UserError, match="of which 1 have a single training row; give them two rows"):
        division.divided(TRAIN, TEST, task(validation=0.5), value)


def test_numbers_need_two_rows_and_training_one():
    with pytest.raises(UserError, match=r"must be 2 rows or more, since R2 needs a variance, got 1 of 40"):
        division.divided(TRAIN, TEST, task(validation=0.01, predicts="number"), None)
    with pytest.raises(UserError, match="leaves none of the 40 training rows"):
        division.divided(TRAIN, TEST, task(validation=0.999), None)


def test_a_class_that_a_limit_left_out_of_training_is_named():
    with pytest.raises(UserError, match="classes that training lacks, the first of them 'c'; raise limit"):
        division.check_learnt(np.array([0, 1, 2]), np.array([0, 1]), np.array([1, 2]), ["a", "b", "c"], task())


def test_a_part_that_judges_while_training_is_of_whole_groups():
    group = np.array([f"g{i // 2}" for i in range(50)])
    made = division.divided(TRAIN, TEST, task(seed=1, validation=0.3), CLASSES, group)
    assert sorted([*made.train, *made.validation]) == TRAIN.tolist()
    assert not set(group[made.train]) & set(group[made.validation])
    limited = division.divided(TRAIN, TEST, task(seed=1, validation=0.3, limit=9), CLASSES, group)
    assert (limited.validation.tolist(), len(limited.train)) == (made.validation.tolist(), 9)
    with pytest.raises(UserError, match=r"own\.validation: must have every class, got 2 of 40 .* groups, without 2; set"):
        division.divided(TRAIN, TEST, task(seed=1, validation=0.05), CLASSES, group)
