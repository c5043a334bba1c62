"""Labels of a row are read from lists or texts, or refused by the row's id."""

import numpy as np
import pytest

from pipelines.core.errors import UserError
from pipelines.data.label_sets.reading import label_sets
from tests.pipelines.records import task_plan

LISTS, TEXTS = task_plan(predicts="classes"), task_plan(predicts="classes", separator=";")


def test_texts_are_divided_and_trimmed():
    found, names, composed = label_sets(["b; a", "", None, "c;;a ;a", " "], None, TEXTS)
    assert names == ["a", "b", "c"]
    assert found.tolist() == [[1, 1, 0], [0, 0, 0], [0, 0, 0], [1, 0, 1], [0, 0, 0]]
    assert (found.dtype, composed) == (np.uint8, 0)


def test_lists_of_numbers_are_in_the_order_of_numbers():
    found, names, _ = label_sets([[10, 2], [], [1], None], None, LISTS)
    assert names == ["1", "2", "10"]
    assert found.tolist() == [[0, 1, 1], [0, 0, 0], [1, 0, 0], [0, 0, 0]]


def test_codes_of_known_classes():
    found, names, _ = label_sets([[1], [0, 2]], ["x", "y", "z"], LISTS)
    assert names == ["x", "y", "z"]
    assert found.tolist() == [[0, 1, 0], [1, 0, 1]]
    with pytest.raises(UserError, match=r"toy: labels of id 1 must be in \[0, 2\], got 3"):
        label_sets([[1], [3]], ["x", "y", "z"], LISTS)


def test_names_are_composed():
    _, names, composed = label_sets(["e\u0301;a", "\u00e9"], None, TEXTS)
    assert (names, composed) == (["a", "\u00e9"], 1)


@pytest.mark.parametrize(
    ("values", "task", "text"),
    [
        (["a,b"], LISTS, r"tasks.toy.separator: must be set, since labels are texts, got 'a,b' of id 0; one that works: ','"),
        ([["a"]], TEXTS, r"tasks.toy.separator: .* got \['a'\] of id 0; leave separator out"),
        ([["a"], 3], LISTS, r"tasks.toy.separator: .* got 3 of id 1; 'predicts: class' learns one class a row"),
        ([["a", True]], LISTS, r"labels of id 0 must be texts or whole numbers, got True"),
        ([["a", None]], LISTS, r"labels of id 0 must be texts or whole numbers, got None"),
        ([[], None], LISTS, r"toy: no row has a label"),
        (["a", "a"], TEXTS, r"toy: labels must have 2 classes or more, got \['a'\]"),
    ],
)
def test_what_is_no_set_of_labels_is_refused(values, task, text):
    with pytest.raises(UserError, match=text):
        label_sets(values, None, task)
