import numpy as np
import pytest
import scipy.stats
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from components.evidence import score_formulas

BATCH, CLASSES = 5, 4
LOGITS = arrays(np.float32, (BATCH, CLASSES), elements=st.floats(-20, 20, width=32))
TARGETS = arrays(np.int64, BATCH, elements=st.integers(0, CLASSES - 1))


def probabilities(logits):
    e = np.exp(logits.astype(np.float64))
    return e / e.sum(1, keepdims=True)


@given(LOGITS, LOGITS)
def test_mean_square_change(now, before):
    expected = [
        sum((float(a) - float(b)) ** 2 for a, b in zip(*pair, strict=True)) / CLASSES for pair in zip(now, before, strict=True)
    ]
    got = score_formulas.mean_square_change(torch.from_numpy(now), torch.from_numpy(before), CLASSES)
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-9)


def test_mean_square_change_divides_by_the_classes_also_when_projected():
    assert score_formulas.mean_square_change(torch.tensor([[3.0, 1.0]]), torch.tensor([[1.0, 0.0]]), 10).tolist() == [0.5]


@given(LOGITS, TARGETS)
def test_error_norm_is_that_of_softmax_less_one_hot(logits, target):
    expected = np.linalg.norm(probabilities(logits) - np.eye(CLASSES)[target], axis=1)
    got = score_formulas.error_norm(score_formulas.probabilities(torch.from_numpy(logits)), torch.from_numpy(target))
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-6)


@given(LOGITS, TARGETS)
def test_error_norm_is_the_norm_of_the_gradient_by_the_logits(logits, target):
    z = torch.from_numpy(logits).requires_grad_()
    torch.nn.functional.cross_entropy(z, torch.from_numpy(target), reduction="sum").backward()
    got = score_formulas.error_norm(score_formulas.probabilities(z.detach()), torch.from_numpy(target))
    torch.testing.assert_close(got, z.grad.norm(dim=1), rtol=1e-4, atol=1e-6)


@given(LOGITS, TARGETS)
def test_margin_is_the_best_wrong_less_the_true(logits, target):
    p = probabilities(logits)
    expected = [max(np.delete(row, t)) - row[t] for row, t in zip(p, target, strict=True)]
    got = score_formulas.margin(score_formulas.probabilities(torch.from_numpy(logits)), torch.from_numpy(target))
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-6)


def test_margin_by_hand_and_of_a_single_class():
    logits = torch.log(torch.tensor([[0.7, 0.2, 0.1], [0.7, 0.2, 0.1]]))
    torch.testing.assert_close(
        score_formulas.margin(score_formulas.probabilities(logits), torch.tensor([0, 2])), torch.tensor([-0.5, 0.6])
    )
    assert score_formulas.margin(torch.ones(2, 1), torch.zeros(2, dtype=torch.int64)).tolist() == [-1, -1]


@pytest.mark.parametrize("classes", [1, 2, 10, 300])
def test_probabilities_are_the_librarys_softmax(classes):
    logits = 30 * torch.randn(50, classes, generator=torch.Generator().manual_seed(classes))
    torch.testing.assert_close(score_formulas.probabilities(logits), logits.softmax(1))


@given(LOGITS)
def test_confidence_and_entropy_are_those_of_the_probabilities(logits):
    p, got = probabilities(logits), score_formulas.probabilities(torch.from_numpy(logits))
    np.testing.assert_allclose(score_formulas.least_confidence(got), 1 - p.max(1), atol=1e-6)
    np.testing.assert_allclose(score_formulas.entropy(got), scipy.stats.entropy(p, axis=1), rtol=1e-4, atol=1e-6)


def test_confidence_and_entropy_by_hand():
    p = torch.tensor([[1.0, 0.0, 0.0, 0.0], [0.25, 0.25, 0.25, 0.25], [0.5, 0.5, 0.0, 0.0]])
    torch.testing.assert_close(score_formulas.least_confidence(p), torch.tensor([0.0, 0.75, 0.5]))
    torch.testing.assert_close(score_formulas.entropy(p), torch.tensor([0.0, 4.0, 2.0]).log().nan_to_num(neginf=0.0))


@given(arrays(np.bool_, (8, 5)))
def test_forgetting_is_infinite_for_what_was_never_right(visits):
    """``visits``: of eight examples, five times each."""
    forgotten = (visits[:, :-1] & ~visits[:, 1:]).sum(1)
    expected = np.where(visits.any(1), forgotten, np.inf)
    got = score_formulas.forgetting(torch.from_numpy(forgotten), torch.from_numpy(visits[:, -1]))
    np.testing.assert_array_equal(got, expected)
