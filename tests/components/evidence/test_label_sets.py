"""Several labels an example: loss, norm and margin, against torch's and by hand."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from components.evidence.label_sets import margin
from components.evidence.objectives import OBJECTIVES
from tests.components.engine.steps import batch_of, learner_of

OBJECTIVE = OBJECTIVES["classes"]
TARGET = torch.tensor([[1, 0, 0], [0, 0, 0], [1, 1, 1], [0, 1, 0]], dtype=torch.uint8)


def test_loss_and_norm_are_those_of_autograd():
    torch.manual_seed(0)
    z = (3 * torch.randn(4, 3)).requires_grad_()
    seen = OBJECTIVE.see(z, TARGET, norm=True)
    expected = nn.functional.binary_cross_entropy(z.sigmoid(), TARGET.float(), reduction="none").mean(1)
    torch.testing.assert_close(seen.loss, expected)
    (gradient,) = torch.autograd.grad(seen.loss.sum(), z)
    torch.testing.assert_close(OBJECTIVE.gradient_norm(z.detach(), TARGET), gradient.norm(dim=1))
    np.testing.assert_allclose(OBJECTIVE.norm_on_host(z.detach(), TARGET, None), gradient.norm(dim=1), rtol=1e-6)


def test_signals_by_hand():
    logits = torch.logit(torch.tensor([[0.9, 0.2, 0.4], [0.9, 0.6, 0.4]]))
    target = torch.tensor([[1, 0, 0], [1, 0, 1]])
    norm, margins = OBJECTIVE.signals(logits, target, None, None)
    torch.testing.assert_close(norm, torch.tensor([0.01 + 0.04 + 0.16, 0.01 + 0.36 + 0.36]).sqrt() / 3)
    # The least sure answer of each: 0.6 for not the third, and 0.4 for not the second or the third.
    torch.testing.assert_close(margins, torch.tensor([-0.2, 0.2]))
    assert OBJECTIVE.right(logits, target).tolist() == [True, False]
    assert OBJECTIVE.predicted(logits).tolist() == [-1, -1]


def test_a_margin_is_above_zero_where_a_label_is_wrong():
    torch.manual_seed(0)
    z, target = 4 * torch.randn(200, 3), torch.randint(0, 2, (200, 3))
    assert torch.equal(margin(z, target) <= 0, OBJECTIVE.right(z, target))
    assert margin(z, target).abs().max() <= 1


def test_a_constant_knows_the_share_of_each_class():
    examples = SimpleNamespace(target=TARGET.numpy())
    by_hand = [-(p * math.log(p) + (1 - p) * math.log(1 - p)) for p in (0.5, 0.5, 0.25)]
    assert OBJECTIVE.constant_loss(examples) == pytest.approx(sum(by_hand) / 3)
    assert OBJECTIVE.constant_loss(SimpleNamespace(target=np.zeros((4, 2), np.uint8))) == pytest.approx(0)


def test_a_step_descends_the_mean_over_classes(make_rows):
    torch.manual_seed(1)
    inputs, model, other = torch.randn(4, 5), nn.Sequential(nn.Linear(5, 3)), nn.Sequential(nn.Linear(5, 3))
    other.load_state_dict(model.state_dict())
    batch = batch_of(make_rows, inputs, TARGET, [1.0, 2.0, 0.5, 1.0])
    evidence = learner_of(model, rate=0.5, objective=OBJECTIVE).step(batch, 0)
    each = nn.functional.binary_cross_entropy_with_logits(other(inputs), TARGET.float(), reduction="none").mean(1)
    torch.testing.assert_close(evidence.loss, each.detach())
    assert evidence.correct.tolist() == OBJECTIVE.right(evidence.output, TARGET).tolist()
    (torch.tensor([1.0, 2.0, 0.5, 1.0]) * each).mean().backward()
    torch.optim.SGD(other.parameters(), 0.5).step()
    torch.testing.assert_close(model[0].weight, other[0].weight)
