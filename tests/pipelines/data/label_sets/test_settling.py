"""Classes that training lacks are refused or left out, and counts are of training rows."""

import numpy as np
import pytest

from pipelines.core.errors import UserError
from pipelines.data.label_sets.settling import settled
from tests.pipelines.records import task_plan

VALUE = np.array([[1, 0, 0], [1, 1, 0], [0, 1, 1]], np.uint8)
NAMES = ["a", "b", "c"]
TRAIN, TEST = np.array([0, 1]), np.array([2])


def test_counts_and_names():
    train, test, facts = settled(VALUE, NAMES, np.arange(3), TEST, task_plan(predicts="classes"))
    assert train is test
    assert (facts.labels, facts.classes, facts.outputs, facts.by_label.train) == (NAMES, [], 3, [2, 2, 1])
    assert (facts.target, facts.metric, facts.higher) == ("classes", "mean_average_precision", True)


def test_a_class_that_training_lacks_is_refused_or_dropped():
    with pytest.raises(UserError, match=r"toy: training has no example of c; train without with 'empty_classes: drop'"):
        settled(VALUE, NAMES, TRAIN, TEST, task_plan(predicts="classes"))
    train, _, facts = settled(VALUE, NAMES, TRAIN, TEST, task_plan(predicts="classes", empty_classes="drop"))
    assert train.tolist() == [[1, 0], [1, 1], [0, 1]]
    assert (facts.labels, facts.empty_classes, facts.by_label.train) == (["a", "b"], ["c"], [2, 1])


def test_too_little_to_learn_or_to_test_is_refused():
    dropping = task_plan(predicts="classes", empty_classes="drop", metric="micro_f1")
    with pytest.raises(UserError, match="toy: training must have 2 classes or more, got 1"):
        settled(VALUE, NAMES, TRAIN[:1], TEST, dropping)
    none = np.array([[1, 0], [0, 1], [0, 0]], np.uint8)
    with pytest.raises(UserError, match="no row of the test split has a label that training has"):
        settled(none, NAMES[:2], TRAIN, TEST, dropping)
