"""What a diagnosis finds in twelve rows and a score table, by hand."""

import numpy as np
import pyarrow as pa
import pytest

from components.diagnosis.duplicates import Copies
from components.diagnosis.measures import WrongLabels
from components.tasks.table import Records
from pipelines.config.plans import DiagnosisPlan
from pipelines.data.findings.measured import Together, findings_of, together
from pipelines.data.split_files import Split
from tests.pipelines.records import manifest

PLAN = DiagnosisPlan(warm_up="two-epochs", epochs=5)
#: Eight rows of training, in turn of class 0 and 1.
LABEL = np.arange(8) % 2
#: Row 2 is row 0 again, test row 8 nearly row 1, and test row 11 is test row 9 again.
SAME = Copies(np.array([0, 1, 0, 3, 4, 5, 6, 7, 1, 9, 10, 9]), np.isin(np.arange(12), (2, 11)))
SCORES = {
    "loss": np.ones(8, np.float32),
    "gradient_norm": np.array([3, 1, 0, 0, 0, 0, 0, 0], np.float32),
    "correct": np.array([1, 1, 1, 1, 0, 1, 0, 1], bool),
    "forgotten": np.array([0, 0, 0, 0, 1, 0, 0, 0], np.int32),
    "margin_mean": np.array([-1, -1, 1, -1, 1, -1, 1, -1], np.float32),
}


def split_of(values, label, **columns):
    ids = np.arange(len(values))
    return Split(Records(np.array(values, np.float32), label, 2), ids, pa.table({"id": ids, **columns}))


def told(scores=None, wrong=None, apart=(0, 8), **columns):
    """Return the findings where the rows of ``apart``, from the first to the last, lie elsewhere than the others."""
    vectors = np.tile(np.array([1.0, 0.0]), (12, 1))
    vectors[slice(*apart)] = (0, 1)
    train = split_of(np.zeros((8, 2)), LABEL, **columns)
    return findings_of(PLAN, Together(8, np.arange(12), SAME, vectors), scores, wrong, manifest(), train)


def test_both_splits_are_one_training_first():
    train, test = split_of([[3, 4], [-3, -4], [3, 4]], LABEL[:3]), split_of([[-3, -4]], LABEL[:1])
    rows = together(train, test)
    assert (rows.train, rows.ids.tolist()) == (3, [0, 1, 2, 0])
    assert rows.same.of.tolist() == [0, 1, 0, 1]
    assert rows.same.exact.tolist() == [False, False, True, True]
    np.testing.assert_allclose(rows.vectors, np.array([[0.6, 0.8], [-0.6, -0.8], [0.6, 0.8], [-0.6, -0.8]]), atol=1e-6)


def test_without_scores_copies_sizes_and_shift_are_found_and_no_method_advised():
    findings = told()
    counts = {"train_exact": 1, "train_near": 0, "leaked_exact": 0, "leaked_near": 1, "sought": 12}
    assert findings.duplicates.model_dump() == counts
    assert [(c.name, c.rows, c.shares) for c in findings.classes] == [("cat", 4, []), ("dog", 4, [])]
    shift = findings.shift
    assert (shift.one, shift.other, shift.rows, shift.auc) == ("training", "test split", [8, 4], 1.0)
    assert not {"gradient", "pace", "wrong_labels"} & findings.dumped().keys()
    assert findings.advice.method is None


def test_a_target_set_is_what_the_pool_is_held_against():
    findings = told(apart=(0, 3), target=pa.array([True] * 3 + [False] * 5))
    shift = findings.shift
    assert (shift.one, shift.other, shift.rows, shift.auc) == ("pool", "target set", [5, 3], 1.0)
    assert findings.advice.method == "target"


def test_of_a_warm_up_gradients_pace_and_wrong_labels_are_told():
    wrong = WrongLabels(0.25, np.array([0.5, 0.0]), np.array([4, 6]), 1 - LABEL, SCORES["margin_mean"])
    findings = told(SCORES, wrong)
    # (3 + 1)^2 / (8 * (9 + 1)); of all the gradient the first row has three quarters.
    assert findings.gradient.effective_sample_size == pytest.approx(0.2)
    assert findings.gradient.shares == {"0.01": 0.75, "0.05": 0.75, "0.1": 0.75, "0.25": 1.0, "0.5": 1.0}
    assert findings.pace.model_dump() == {"early": 5 / 8, "late": 1 / 8, "forgotten": 1 / 8, "never": 1 / 8}
    assert (findings.wrong_labels.rate, findings.wrong_labels.suspects) == (0.25, 2)
    assert [c.shares for c in findings.classes] == [[0.5, 0.25, 0.25, 0.25, 0.25, 0.5], [1.0, 1.0, 0.0, 0.0, 0.0, 0.0]]
    assert findings.advice.method == "importance"
