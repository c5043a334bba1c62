"""Class names are taken as written, in one order."""

import numpy as np
import pytest

from pipelines.core.errors import UserError
from pipelines.data.class_names import classes_of


def test_classes_are_in_one_order_whatever_the_file_is_and_composed():
    assert classes_of(np.array(["10", "9", "-1"]), "own")[1] == ["-1", "9", "10"]
    assert classes_of(np.array([10, 9, -1]), "own")[1] == ["-1", "9", "10"]
    assert classes_of(np.array(["010", "9"]), "own")[1] == ["010", "9"]
    target, names, composed = classes_of(np.array(["cafe\u0301", "caf\xe9", "bar"]), "own")
    assert (names, target.tolist(), composed) == (["bar", "caf\xe9"], [1, 1, 0], 1)


@pytest.mark.parametrize("label", [["1.5", "2"], ["1e-3", "7"], [".5", "0"]])
def test_numbers_are_no_classes(label):
    with pytest.raises(UserError, match=r"own: labels must be classes, got .*; 'predicts: number' learns the number"):
        classes_of(np.array(label), "own")
