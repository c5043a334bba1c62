import numpy as np
import pytest

from components.selection.noise import TOLERATED, contradictions, suspects


def seen(p_true, p_other):
    """Return loss and margin of examples whose label and strongest other class have these probabilities."""
    p_true, p_other = np.asarray(p_true), np.asarray(p_other)
    return -np.log(p_true), p_other - p_true


def test_contradictions_are_counted_among_the_surer_half():
    # The largest probabilities are .9 .8 .7 | .6 .5 .4: of the first three, the second contradicts its label.
    loss, margin = seen([0.9, 0.1, 0.7, 0.2, 0.5, 0.3], [0.05, 0.8, 0.2, 0.6, 0.3, 0.4])
    assert contradictions(loss, margin) == pytest.approx(1 / 3)


def test_nobody_is_contradicted_where_all_are_right():
    assert contradictions(*seen([0.6, 0.7, 0.8], [0.3, 0.2, 0.1])) == 0


def test_suspects_are_the_worst_by_mean_margin_and_never_who_is_right():
    margin = np.array([-0.9, 0.5, -0.2, 0.8, 0.1, -0.5, 0.3, -0.1, -0.4, 0.02])
    assert suspects(margin, TOLERATED + 0.2).tolist() == [1, 3]
    assert suspects(margin, 1.0).tolist() == [1, 3, 4, 6, 9]
    assert suspects(margin, TOLERATED).tolist() == []
    assert suspects(margin, 0.0).tolist() == []


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
    estimate = contradictions(loss, margin)
    assert estimate == pytest.approx(rate, abs=0.02)
    found = np.zeros(n, bool)
    found[suspects(margin, estimate)] = True
    if rate:
        assert wrong[found].mean() > 0.9
        assert found[wrong].mean() > 0.7
    else:
        assert found.mean() < 0.005
