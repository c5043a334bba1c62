"""Class weights and label smoothing, against torch's and scikit-learn's."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.utils.class_weight import compute_class_weight
from torch import nn

from components.evidence.class_losses import POWERS, WeighedClassification, weights_by_size
from components.evidence.objectives import OBJECTIVES
from components.selection.common import gradient_sizes
from tests.components.engine.steps import batch_of, learner_of

WEIGHTS = torch.tensor([0.5, 2.0, 1.25])


def outputs(classes=3):
    torch.manual_seed(0)
    return 3 * torch.randn(7, classes), torch.tensor([0, 1, 2, 2, 1, 0, 2])


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["plain", "weighed"])
@pytest.mark.parametrize("smoothing", [0.0, 0.1, 1.0])
def test_what_a_step_descends_is_torchs_cross_entropy(weights, smoothing):
    logits, target = outputs()
    seen = WeighedClassification(weights, smoothing).see(logits.requires_grad_(), target, norm=True)
    expected = nn.functional.cross_entropy(logits, target, weights, reduction="none", label_smoothing=smoothing)
    torch.testing.assert_close(seen.descended, expected)
    (mine,), (its,) = (torch.autograd.grad(loss.sum(), logits, retain_graph=True) for loss in (seen.descended, expected))
    torch.testing.assert_close(mine, its)


def test_signals_are_those_of_the_plain_loss():
    logits, target = outputs()
    plain, weighed = OBJECTIVES["class"], WeighedClassification(WEIGHTS, 0.2)
    one, other = (objective.see(logits, target, norm=True) for objective in (plain, weighed))
    assert torch.equal(one.loss, other.loss)
    assert torch.equal(one.log_p, other.log_p)
    for mine, its in zip(weighed.signals(logits, target, None, None), plain.signals(logits, target, None, None), strict=True):
        assert torch.equal(mine, its)


def test_a_class_beyond_the_weights_weighs_one():
    logits, target = outputs(4)
    target[0] = 3
    seen = WeighedClassification(WEIGHTS, 0.3).see(logits, target, norm=False)
    four = torch.cat([WEIGHTS, torch.ones(1)])
    expected = nn.functional.cross_entropy(logits, target, four, reduction="none", label_smoothing=0.3)
    torch.testing.assert_close(seen.descended, expected)


@given(st.lists(st.integers(1, 50), min_size=2, max_size=6))
def test_weights_by_size_are_scikit_learns_and_those_of_methods(sizes):
    target = np.repeat(np.arange(len(sizes)), sizes)
    np.testing.assert_allclose(
        weights_by_size(np.array(sizes), 1.0), compute_class_weight("balanced", classes=np.arange(len(sizes)), y=target), 1e-6
    )
    for power in gradient_sizes.CLASS_POWERS.values():
        np.testing.assert_allclose(
            weights_by_size(np.array(sizes), power)[target], gradient_sizes.class_weights(target, power), 1e-6
        )


def test_the_powers_are_those_of_methods():
    assert {"none": 0.0, **POWERS} == gradient_sizes.CLASS_POWERS


def test_a_class_without_examples_weighs_one():
    assert weights_by_size(np.array([2, 0, 2]), 0.5).tolist() == [1, 1, 1]


@pytest.mark.parametrize("micro_batch", [None, 3])
def test_a_step_descends_the_weighed_loss_and_reports_the_plain_one(make_rows, micro_batch):
    torch.manual_seed(1)
    inputs, target, doors = torch.randn(7, 5), outputs()[1], [1.0, 2.0, 1.0, 0.5, 1.0, 1.0, 1.0]
    model, other = nn.Sequential(nn.Linear(5, 3)), nn.Sequential(nn.Linear(5, 3))
    other.load_state_dict(model.state_dict())
    batch = batch_of(make_rows, inputs, target, doors)
    objective = WeighedClassification(WEIGHTS, 0.1)
    evidence = learner_of(model, rate=0.5, objective=objective, micro_batch=micro_batch).step(batch, 0)
    torch.testing.assert_close(evidence.loss, nn.functional.cross_entropy(other(inputs), target, reduction="none").detach())
    loss = nn.functional.cross_entropy(other(inputs), target, WEIGHTS, reduction="none", label_smoothing=0.1)
    (torch.tensor(doors) * loss).mean().backward()
    torch.optim.SGD(other.parameters(), 0.5).step()
    torch.testing.assert_close(model[0].weight, other[0].weight)


def test_a_gradient_by_the_input_is_of_the_plain_loss(make_rows):
    torch.manual_seed(1)
    model, inputs, target = nn.Sequential(nn.Linear(5, 3)), torch.randn(7, 5), outputs()[1]
    batch = batch_of(make_rows, inputs, target)
    found = learner_of(model, objective=WeighedClassification(WEIGHTS, 0.1)).look(batch, by_input=True)
    assert torch.equal(found.input_norm, learner_of(model).look(batch, by_input=True).input_norm)
