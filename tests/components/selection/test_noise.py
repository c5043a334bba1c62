import numpy as np
import pytest

from components.selection.noise import FEW, TOLERATED, rates, suspects


def seen(p_true, p_other):
    """Return loss and margin of examples whose label and strongest other class have these probabilities."""
    p_true, p_other = np.asarray(p_true), np.asarray(p_other)
    return -np.log(p_true), p_other - p_true


def test_contradictions_are_counted_among_the_surer_half():
    # The largest probabilities are .9 .8 .7 | .6 .5 .4: of the first three, the second contradicts its label.
    loss, margin = seen([0.9, 0.1, 0.7, 0.2, 0.5, 0.3], [0.05, 0.8, 0.2, 0.6, 0.3, 0.4])
    assert rates(loss, margin) == pytest.approx([1 / 3])


def test_nobody_is_contradicted_where_all_are_right():
    assert rates(*seen([0.6, 0.7, 0.8], [0.3, 0.2, 0.1])).tolist() == [0]


def test_suspects_are_the_worst_by_mean_margin_and_never_who_is_right():
    margin = np.array([-0.9, 0.5, -0.2, 0.8, 0.1, -0.5, 0.3, -0.1, -0.4, 0.02])
    assert suspects(margin, np.array([TOLERATED + 0.2])).tolist() == [1, 3]
    assert suspects(margin, np.array([1.0])).tolist() == [1, 3, 4, 6, 9]
    assert suspects(margin, np.array([TOLERATED])).tolist() == []
    assert suspects(margin, np.array([0.0])).tolist() == []


def test_each_class_has_a_rate_of_its_own():
    # The surer half of all are .9 .8 | .6 .7, of which the .8 is contradicted: a rate of 1/4, which counts as FEW examples.
    loss, margin = seen([0.9, 0.1, 0.5, 0.4, 0.6, 0.7, 0.5], [0.05, 0.8, 0.3, 0.3, 0.3, 0.2, 0.3])
    classes = np.array([0, 0, 0, 0, 1, 1, 3])
    found = rates(loss, margin, classes)
    of_all = FEW / 4
    assert found == pytest.approx([(1 + of_all) / (2 + FEW), of_all / (2 + FEW), 1 / 4, 1 / 4])
    assert suspects(margin, found, classes).tolist() == [1]


def test_who_was_never_seen_is_no_suspect():
    assert suspects(np.array([np.nan, 0.5, np.nan, 0.1]), np.array([1.0])).tolist() == [1, 3]


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.2, 0.4])
def test_the_rate_of_a_model_that_knows_the_classes_is_found(rate):
    rng = np.random.default_rng(0)
    n, classes = 20_000, 5
    true = rng.integers(0, classes, n)
    wrong = rng.random(n) < rate
    label = np.where(wrong, (true + rng.integers(1, classes, n)) % classes, true)
    logits = rng.normal(0, 1, (n, classes))
    logits[np.arange(n), true] += rng.gamma(3, 1.5, n)
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    p_true = p[np.arange(n), label]
    p[np.arange(n), label] = 0
    loss, margin = seen(p_true, p.max(1))
    estimate = rates(loss, margin)
    assert estimate == pytest.approx([rate], abs=0.02)
    found = np.zeros(n, bool)
    found[suspects(margin, estimate)] = True
    if rate:
        assert wrong[found].mean() > 0.9
        assert found[wrong].mean() > 0.7
    else:
        assert found.mean() < 0.005
