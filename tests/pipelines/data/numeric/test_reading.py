"""Numbers of a row, one or several, are finite; what is none is named by its id and column."""

import numpy as np
import pytest

from pipelines.core.errors import UserError
from pipelines.data.numeric.reading import check_scale, number_lists, numbers
from tests.pipelines.records import task_plan

NAMED = task_plan(predicts="numbers", columns={"label": ["a", "b"]})
LISTED = task_plan(predicts="numbers", columns={"label": "y"})


def test_texts_and_numbers_are_read_in_float64():
    assert numbers(["1", "2.5", "1e3"], "x").tolist() == [1.0, 2.5, 1000.0]
    assert numbers(np.array([1, 2], np.int32), "x").dtype == np.float64


@pytest.mark.parametrize(("bad", "said"), [("", "got none"), (None, "got none"), ("1_0", "got '1_0'"), (np.nan, "got nan")])
def test_what_is_no_number_is_named(bad, said):
    with pytest.raises(UserError, match=rf"x of id 1 must be a finite number, {said}"):
        numbers([1.0, bad], "x")
    with pytest.raises(UserError, match=rf"toy: b of id 1 must be a finite number, {said}"):
        number_lists([[1.0, 2.0], [1.0, bad]], NAMED)


def test_numbers_that_float32_cannot_hold_are_named():
    with pytest.raises(UserError, match=r"toy: b of id 0 must be within \+-3.4e\+38, which float32 holds, got 1e\+40"):
        number_lists([[1.0, 1e40]], NAMED)


def test_columns_are_named_after_themselves_and_lists_by_place():
    value, names = number_lists([["1", "2"], ["3", "4"]], NAMED)
    assert (value.tolist(), names) == ([[1.0, 2.0], [3.0, 4.0]], ["a", "b"])
    value, names = number_lists([[1.0, 2.0, 3.0]], LISTED)
    assert (value.tolist(), names) == ([[1.0, 2.0, 3.0]], ["y.0", "y.1", "y.2"])


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([[1.0, 2.0], [1.0]], r"toy: y of id 1 must be a list of 2 numbers, as id 0 has, got 1"),
        ([[1.0, 2.0], 3.0], r"toy: y of id 1 must be a list of 2 numbers, as id 0 has, got 3.0"),
        ([[1.0, 2.0], None], r"toy: y of id 1 must be a list of 2 numbers, as id 0 has, got None"),
        ([[1.0]], r"tasks.toy.columns.label: lists must have 2 numbers or more, got 1; .* 'predicts: number'"),
        (["1 2"], r"tasks.toy.columns.label: must hold lists of numbers, got '1 2' of id 0; or name a column for each"),
    ],
)
def test_rows_without_as_many_numbers_are_refused(rows, said):
    with pytest.raises(UserError, match=said):
        number_lists(rows, LISTED)


def test_an_outlier_that_hides_all_others_is_named():
    values = np.append(np.linspace(0, 1, 200), 1e9)
    with pytest.raises(UserError, match=r"x of id 200 must be nearer to the others, got 1e\+09: 199 of 201"):
        check_scale(values, np.arange(201), "x")
    check_scale(values[:200], np.arange(200), "x")
