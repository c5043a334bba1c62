"""Numbers are standardised by the training split alone, each by itself, and must differ."""

import numpy as np
import pytest

from pipelines.core.errors import UserError
from pipelines.data.numeric.settling import settled_number, settled_numbers
from tests.pipelines.records import task_plan

NAMES = ["a", "b"]
VALUE = np.array([[0.0, 10.0], [2.0, 30.0], [4.0, 20.0], [9.0, 40.0], [8.0, 60.0]])
TRAIN, TEST, TASK = np.array([0, 1, 2]), np.array([3, 4]), task_plan(predicts="numbers")


def test_each_number_has_the_training_splits_scale():
    stored, facts = settled_numbers(VALUE, NAMES, TRAIN, TEST, TASK)
    mean, deviation = VALUE[TRAIN].mean(0), VALUE[TRAIN].std(0)
    np.testing.assert_allclose(stored, (VALUE - mean) / deviation, rtol=1e-6)
    assert stored.dtype == np.float32
    assert facts.numbers == NAMES
    assert [scale.mean for scale in facts.label_scales] == mean.tolist()
    assert [scale.deviation for scale in facts.label_scales] == pytest.approx(deviation)
    assert (facts.target, facts.outputs, facts.metric, facts.higher, facts.label_scale) == ("numbers", 2, "r2", True, None)


def test_a_number_alone_is_stored_as_each_of_several():
    stored, facts = settled_number(VALUE[:, 1], TRAIN, TEST, task_plan(predicts="number"))
    several, scales = settled_numbers(VALUE, NAMES, TRAIN, TEST, TASK)
    assert np.array_equal(stored, several[:, 1])
    assert facts.label_scale.dumped() | {"name": "b"} == scales.label_scales[1].dumped()
    assert "label_scales" not in facts.dumped()


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({0: 5.0, 1: 5.0, 2: 5.0}, "toy: the training values of b must differ, and all 3 are 5.0"),
        ({3: 5.0, 4: 5.0}, "toy: b must differ in the test split, since R2 needs a variance, and all 2 are 5.0"),
    ],
)
def test_a_number_that_is_the_same_everywhere_is_named(changed, said):
    value = VALUE.copy()
    for row, number in changed.items():
        value[row, 1] = number
    with pytest.raises(UserError, match=said):
        settled_numbers(value, NAMES, TRAIN, TEST, TASK)


def test_a_single_test_row_is_refused():
    with pytest.raises(UserError, match="toy: the test split must have 2 rows or more, since R2 needs a variance, got 1"):
        settled_numbers(VALUE, NAMES, TRAIN, TEST[:1], TASK)
