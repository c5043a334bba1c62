"""Optimizers by name, over what is not frozen; and the bare step."""

import pytest
import torch
from torch import nn

from components.engine.optimizers import OPTIMIZERS, bare_step, build_optimizer


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("name", sorted(OPTIMIZERS))
def test_a_bare_step_moves_the_weights_as_the_whole_one_does(name, fused):
    models = []
    for bare in (False, True):
        torch.manual_seed(0)
        model = nn.Linear(5, 3)
        optimizer = build_optimizer(model, name, 0.1, weight_decay=0.01, fused=fused)
        step = bare_step(optimizer) if bare else optimizer.step
        for _ in range(3):
            model(torch.rand(4, 5)).square().sum().backward()
            step()
        models.append([p.detach().clone() for p in model.parameters()])
    assert all(torch.equal(a, b) for a, b in zip(*models, strict=True))


def test_sgd_with_momentum_by_hand_leaves_what_is_frozen():
    model = nn.Sequential(nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False))
    nn.init.constant_(model[0].weight, 3.0)
    nn.init.constant_(model[1].weight, 2.0)
    model[0].requires_grad_(False)
    optimizer = build_optimizer(model, "sgd", 0.1, momentum=0.5)
    for _ in range(2):
        optimizer.zero_grad()
        model(torch.ones(1, 1)).sum().backward()
        optimizer.step()
    # The gradient is 3: a step of 0.3, and then one of 0.3 and half of the step before.
    assert model[1].weight.item() == pytest.approx(2 - 0.3 - 0.45)
    assert model[0].weight.item() == 3
