"""Metrics of several labels an example, against scikit-learn's and by hand; their standard errors by differences."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, average_precision_score, f1_score

from components.costs.savings import METRICS, NAMED, Metric
from components.evaluation import label_sets
from components.evaluation.chance import constant, margin_over
from components.evaluation.metrics import metrics
from components.evaluation.standard_errors import paired_error, shares, standard_error

HAND = {
    "target": np.array([[1, 0], [1, 1], [0, 1]], np.uint8),
    "probability": np.array([[0.9, 0.6], [0.4, 0.7], [0.5, 0.2]], np.float32),
    "predicted": np.array([[1, 1], [0, 1], [1, 0]], np.uint8),
    "loss": np.ones(3, np.float32),
}


def columns_of(n=50, classes=4, seed=0, levels=8):
    """Return predictions of a few levels, so that many are equal; the last class is in no target."""
    rng = np.random.default_rng(seed)
    target = (rng.random((n, classes)) < 0.3).astype(np.uint8)
    target[:, -1] = 0
    probability = (rng.integers(0, levels, (n, classes)) / levels).astype(np.float32)
    predicted = (probability >= 0.5).astype(np.uint8)
    return {"target": target, "probability": probability, "predicted": predicted, "loss": np.ones(n, np.float32)}


@given(st.integers(0, 1000), st.integers(2, 40), st.integers(2, 30))
def test_metrics_are_scikit_learns(seed, n, levels):
    columns = columns_of(n, seed=seed, levels=levels)
    target, probability, predicted = (columns[name] for name in ("target", "probability", "predicted"))
    there = target.any(0)
    expected = {
        "mean_average_precision": average_precision_score(target[:, there], probability[:, there]) if there.any() else 0.0,
        "macro_f1": f1_score(target, predicted, average="macro", zero_division=np.nan),
        "micro_f1": f1_score(target, predicted, average="micro", zero_division=0.0),
        "subset_accuracy": accuracy_score(target, predicted),
    }
    found = metrics(columns, "classes")
    assert {name: found[name] for name in expected} == pytest.approx(expected)


def test_metrics_by_hand():
    found = metrics(HAND, "classes")
    # The first class is found at places 1 and 3, the second at places 1 and 3 too: (1 + 2/3) / 2.
    assert found["mean_average_precision"] == pytest.approx(5 / 6)
    assert found["macro_f1"] == pytest.approx(0.5)
    assert found["micro_f1"] == pytest.approx(0.5)
    assert found["subset_accuracy"] == 0
    assert next(iter(found)) == METRICS["classes"].name == NAMED["classes"][0]
    assert set(NAMED["classes"]) == set(label_sets.METRICS)


@pytest.mark.parametrize("metric", label_sets.METRICS)
@pytest.mark.parametrize("seed", range(3))
def test_a_share_is_the_change_by_the_examples_weight(metric, seed):
    columns = columns_of(seed=seed)
    n, more = len(columns["loss"]), 0.01
    value = metrics(columns, "classes")[metric]
    for example in (0, 7, 23):
        # Every example a hundred times, and this one once more.
        rows = np.repeat(np.arange(n), 100)
        heavier = {name: np.concatenate([c[rows], c[[example]]]) for name, c in columns.items()}
        by_difference = (metrics(heavier, "classes")[metric] - value) / more
        assert shares(columns, metric)[example] - value == pytest.approx(n * by_difference, rel=0.05, abs=0.02)


def test_the_standard_error_of_subset_accuracy_is_that_of_a_share():
    columns = columns_of(levels=3)
    columns["predicted"][:20] = columns["target"][:20]
    found = metrics(columns, "classes")
    share, n = found["subset_accuracy"], len(columns["loss"])
    assert found["subset_accuracy_standard_error"] == pytest.approx((share * (1 - share) / (n - 1)) ** 0.5)
    assert standard_error(columns, "subset_accuracy") == found["subset_accuracy_standard_error"]


def test_a_model_is_as_good_as_itself():
    columns = columns_of()
    assert paired_error([columns], [columns], "mean_average_precision") == 0


def test_who_knows_shares_alone_predicts_them():
    learnt = np.array([[1, 0], [1, 0], [0, 0], [1, 1]], np.uint8)
    said = constant(HAND, "classes", learnt)
    assert said["probability"].tolist() == [[0.75, 0.25]] * 3
    assert said["predicted"].tolist() == [[1, 0]] * 3
    chance, above = margin_over(HAND, said, "classes", Metric("mean_average_precision", True))
    # Equal scores find everything at once, at the share of the class.
    assert chance == pytest.approx(2 / 3)
    assert above < 5 / 6 - 2 / 3


def test_without_labels_nothing_is_found():
    none = {**columns_of(), "target": np.zeros((50, 4), np.uint8), "predicted": np.zeros((50, 4), np.uint8)}
    found = metrics(none, "classes")
    assert (found["mean_average_precision"], found["macro_f1"], found["micro_f1"], found["subset_accuracy"]) == (0, 0, 0, 1)
