"""Steps and looks: gradients by hand, no trace of a look, no loss without a number."""

import pytest
import torch
from torch import nn

from components.engine.learner import Learner
from components.engine.optimizers import OPTIMIZERS, build_optimizer
from components.evidence.evidence import NonFiniteLossError
from components.evidence.objective import PassSignals
from components.evidence.objectives import Classification
from tests.components.engine.steps import batch_of, learner_of


@pytest.fixture
def linear():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 2, bias=False))


@pytest.fixture
def small_batch(make_rows):
    torch.manual_seed(1)
    return batch_of(make_rows, torch.randn(4, 3), [0, 1, 1, 0], weight=[1.0, 0.5, 2.0, 4.0])


def gradient_by_hand(weights, batch):
    """Return d/dW of ``mean(w_i CE_i)`` for logits ``x W'``: ``sum_i w_i (p_i - y_i) x_i' / B``."""
    x = batch.inputs["input"].double()
    p = (x @ weights.double().T).softmax(1)
    error = p - nn.functional.one_hot(batch.target, 2)
    return ((batch.weight.double()[:, None] * error).T @ x / len(x)).float()


def test_a_step_descends_the_weighted_mean_loss(linear, small_batch):
    before = linear[0].weight.detach().clone()
    learner_of(linear).step(small_batch, 0)
    torch.testing.assert_close(linear[0].weight.detach(), before - gradient_by_hand(before, small_batch))


def test_a_step_scales_the_learning_rate_by_the_schedule(linear, small_batch):
    before = linear[0].weight.detach().clone()
    learner = Learner(linear, build_optimizer(linear, "sgd", 0.8), lambda epoch: epoch / 2)
    learner.step(small_batch, 0.5)
    torch.testing.assert_close(linear[0].weight.detach(), before - 0.2 * gradient_by_hand(before, small_batch))
    assert learner.optimizer.param_groups[0]["lr"] == 0.2


def test_a_gradient_is_clipped_to_its_norm(linear, small_batch):
    before = linear[0].weight.detach().clone()
    gradient = gradient_by_hand(before, small_batch)
    learner_of(linear, clip_norm=0.01).step(small_batch, 0)
    torch.testing.assert_close(before - linear[0].weight.detach(), gradient * 0.01 / gradient.norm(), rtol=1e-3, atol=1e-6)


def test_the_evidence_is_of_the_pass_before_the_weights_moved(linear, small_batch):
    logits = linear(small_batch.inputs["input"]).detach()
    evidence = learner_of(linear).step(small_batch, 0)
    assert torch.equal(evidence.output, logits)
    assert torch.equal(evidence.loss, nn.functional.cross_entropy(logits, small_batch.target, reduction="none"))
    assert evidence.index.tolist() == [0, 1, 2, 3]
    assert not evidence.looked
    assert not evidence.output.requires_grad
    assert not evidence.loss.requires_grad


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("way", ["look", "step"])
def test_a_loss_that_is_no_number_is_refused_by_place_before_the_weights_move(make_rows, value, way):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 2))

    class Broken(Classification):
        def see(self, output, target, *, norm):
            seen = super().see(output, target, norm=norm)
            return PassSignals(torch.where(target == 1, value, seen.loss), seen.output)

    learner = learner_of(model, "adamw", 0.1, objective=Broken())
    before = {k: v.clone() for k, v in model.state_dict().items()}
    batch = batch_of(make_rows, torch.randn(4, 3), [0, 0, 1, 1], index=[40, 10, 30, 20])
    with pytest.raises(NonFiniteLossError, match="example 30") as caught:
        learner.look(batch) if way == "look" else learner.step(batch, 0)
    assert caught.value.index == 30
    assert str(caught.value.value) == str(value)
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    assert learner.optimizer.state_dict()["state"] == {}


def test_losses_whose_sum_overflows_are_still_numbers(make_rows):
    model = nn.Sequential(nn.Linear(3, 2))

    class Huge(Classification):
        def see(self, output, target, *, norm):
            return PassSignals(output.sum(1) * 0 + 3e38, output)

    learner = learner_of(model, objective=Huge())
    batch = batch_of(make_rows, torch.randn(4, 3), [0, 0, 1, 1])
    assert learner.look(batch).loss.isfinite().all()


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_autocast_runs_and_stays_near_full_precision(make_rows, precision):
    losses = {}
    for kind in ("fp32", precision):
        torch.manual_seed(0)
        learner = learner_of(nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3)), rate=0.1, precision=kind)
        batch = batch_of(make_rows, torch.randn(12, 8), [0, 1, 2] * 4)
        evidence = [learner.step(batch, 0) for _ in range(8)]
        losses[kind] = torch.stack([e.loss.mean() for e in evidence])
        assert evidence[0].output.dtype == evidence[0].loss.dtype == torch.float32
        assert {p.dtype for p in learner.parameters} == {torch.float32}
    assert losses[precision][-1] < losses[precision][0]
    assert not torch.equal(losses[precision], losses["fp32"])
    torch.testing.assert_close(losses[precision], losses["fp32"], rtol=0.02, atol=0)


@pytest.mark.parametrize("name", sorted(OPTIMIZERS))
def test_frozen_parameters_are_given_to_no_optimizer(name, make_rows):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
    model[0].requires_grad_(False)
    learner = learner_of(model, name, 0.1)
    frozen, free = model[0].weight.clone(), model[1].weight.detach().clone()
    learner.step(batch_of(make_rows, torch.randn(4, 3), [0, 1, 1, 0]), 0)
    assert len(learner.optimizer.param_groups[0]["params"]) == len(learner.parameters) == 2
    assert torch.equal(model[0].weight, frozen)
    assert not torch.equal(model[1].weight, free)


def test_passes_are_counted_by_name(linear, small_batch):
    learner = learner_of(linear)
    learner.step(small_batch, 0)
    learner.look(small_batch)
    laps = learner.clock.laps
    assert {n: (laps[n].times, laps[n].examples) for n in laps} == {"forward": (1, 4), "backward": (1, 4), "look": (1, 4)}
