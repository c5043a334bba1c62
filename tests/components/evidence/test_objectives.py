"""Losses, gradient norms and predictions of each kind of target, against autograd and by hand."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from components.evidence.objectives import FEW, OBJECTIVES
from components.evidence.score_formulas import mean_square_change
from components.tasks.sequences import IGNORED, Pairs


def test_the_gradient_norm_of_a_sequence_is_that_of_autograd():
    torch.manual_seed(0)
    z = torch.randn(3, 5, 7, requires_grad=True)
    target = torch.randint(0, 7, (3, 5))
    seen = OBJECTIVES["tokens"].see(z, target, norm=True)
    (gradient,) = torch.autograd.grad(seen.loss.sum(), z)
    torch.testing.assert_close(seen.norm, gradient.flatten(1).norm(dim=1))
    by_hand = [-z[i].log_softmax(1)[range(4), target[i, 1:]].mean() for i in range(3)]
    torch.testing.assert_close(seen.loss, torch.stack(by_hand))


def test_a_targets_own_tokens_alone_make_its_loss_norm_and_change():
    torch.manual_seed(0)
    z, target = torch.randn(3, 4, 7, requires_grad=True), torch.full((3, 6), IGNORED)
    sizes = (4, 1, 2)
    for row, size in enumerate(sizes):
        target[row, :size] = torch.randint(0, 7, (size,))
    seen = OBJECTIVES["sequence"].see(z, target, norm=True)
    (gradient,) = torch.autograd.grad(seen.loss.sum(), z)
    torch.testing.assert_close(seen.norm, gradient.flatten(1).norm(dim=1))
    own = [z[i].log_softmax(1)[range(n), target[i, :n]] for i, n in enumerate(sizes)]
    torch.testing.assert_close(seen.loss, torch.stack([-each.mean() for each in own]))
    # Against no pass before it, the mean square over six outputs is that over an example's own tokens.
    change = mean_square_change(seen.output, torch.zeros(3, 6), 6)
    torch.testing.assert_close(change, torch.stack([each.square().mean() for each in own]))


@pytest.mark.parametrize("classes", [3, FEW + 1])
def test_loss_and_norm_of_classes_are_those_of_autograd_on_either_side(classes):
    torch.manual_seed(0)
    objective, z = OBJECTIVES["class"], (3 * torch.randn(6, classes)).requires_grad_()
    target = torch.randint(0, classes, (6,))
    seen = objective.see(z, target, norm=True)
    expected = torch.nn.functional.cross_entropy(z, target, reduction="none")
    (gradient,) = torch.autograd.grad(expected.sum(), z)
    torch.testing.assert_close(seen.loss, expected)
    for log_p in (None, seen.log_p.detach()):
        torch.testing.assert_close(objective.gradient_norm(z.detach(), target, log_p), gradient.norm(dim=1))
        np.testing.assert_allclose(
            objective.norm_on_host(z.detach(), target, log_p), gradient.norm(dim=1), rtol=1e-4, atol=1e-6
        )


def test_signals_of_classes_by_hand():
    logits = torch.log(torch.tensor([[0.7, 0.2, 0.1], [0.7, 0.2, 0.1]]))
    norm, margin = OBJECTIVES["class"].signals(logits, torch.tensor([0, 2]), None, None)
    torch.testing.assert_close(norm, torch.tensor([0.14, 1.34]).sqrt())
    torch.testing.assert_close(margin, torch.tensor([-0.5, 0.6]))


def test_a_squared_error_by_hand():
    objective, output, target = OBJECTIVES["number"], torch.tensor([[1.5], [-2.0]]), torch.tensor([1.0, 1.0])
    assert objective.see(output, target, norm=True).loss.tolist() == [0.25, 9.0]
    norm, margin = objective.signals(output, target, None, None)
    assert norm.tolist() == [1.0, 6.0]
    assert margin.isnan().all()
    assert objective.predicted(output).tolist() == [-1, -1]


def test_loss_and_norm_of_several_numbers_are_those_of_autograd():
    torch.manual_seed(0)
    objective, z, target = OBJECTIVES["numbers"], torch.randn(4, 3, requires_grad=True), torch.randn(4, 3)
    loss = objective.see(z, target, norm=True).loss
    torch.testing.assert_close(loss, torch.nn.functional.mse_loss(z, target, reduction="none").mean(1))
    (gradient,) = torch.autograd.grad(loss.sum(), z)
    torch.testing.assert_close(objective.gradient_norm(z.detach(), target), gradient.norm(dim=1))
    assert objective.signals(z.detach(), target, None, None)[1].isnan().all()
    assert objective.predicted(z).tolist() == [-1] * 4
    assert not objective.likelihood


def test_of_one_number_several_are_what_one_is():
    output, target = torch.tensor([[1.5], [-2.0]]), torch.tensor([1.0, 1.0])
    one, several = OBJECTIVES["number"], OBJECTIVES["numbers"]
    assert torch.equal(several.see(output, target[:, None], norm=True).loss, one.see(output, target, norm=True).loss)
    assert torch.equal(several.gradient_norm(output, target[:, None]), one.gradient_norm(output, target))


def test_a_constant_knows_the_mean_of_each_number():
    # Variances 1 and 4.
    examples = SimpleNamespace(target=np.array([[1, 0], [3, 4], [1, 4], [3, 0]], np.float32))
    assert OBJECTIVES["numbers"].constant_loss(examples) == 2.5


def test_the_loss_of_frequencies_alone_weighs_each_example_once():
    # Targets 5 1, 5 5 5 1 and 7 1 behind a source of one token each: 1/2 + 3/4 of the three are 5, 1/2 is 7, the rest 1.
    tokens = np.array([9, 5, 1, 9, 5, 5, 5, 1, 9, 7, 1], np.int32)
    examples = Pairs(tokens, np.array([0, 3, 8, 11]), np.ones(3, np.int32), 4, 0, 0)
    share = np.array([1.25, 0.5, 1.25]) / 3
    assert OBJECTIVES["sequence"].constant_loss(examples) == pytest.approx(-(share * np.log(share)).sum())
