"""A look is what the model says in evaluation mode, and leaves no trace."""

import pytest
import torch

from components.models.small import cnn
from tests.components.engine.steps import batch_of, learner_of


@pytest.mark.parametrize("training", [True, False])
def test_a_look_leaves_no_trace(make_rows, training):
    torch.manual_seed(0)
    learner = learner_of(cnn(1, 8, 4), "adamw", 0.01)
    batch = batch_of(make_rows, torch.randn(6, 1, 8, 8), [0, 1, 2, 3, 0, 1])
    learner.step(batch, 0)
    learner.model.train(training)
    state = {k: v.clone() for k, v in learner.model.state_dict().items()}
    gradients = [p.grad.clone() for p in learner.parameters]
    moments = [m.clone() for s in learner.optimizer.state_dict()["state"].values() for m in s.values()]
    random_state = torch.get_rng_state()
    first, second = learner.look(batch), learner.look(batch)
    assert torch.equal(first.output, second.output)
    assert first.looked
    assert all(torch.equal(v, state[k]) for k, v in learner.model.state_dict().items())
    assert all(torch.equal(p.grad, g) for p, g in zip(learner.parameters, gradients, strict=True))
    after = [m for s in learner.optimizer.state_dict()["state"].values() for m in s.values()]
    assert all(torch.equal(a, b) for a, b in zip(after, moments, strict=True))
    assert torch.equal(torch.get_rng_state(), random_state)
    assert {m.training for m in learner.model.modules()} == {training}


def test_a_look_sees_what_the_model_says_in_eval_mode(make_rows):
    torch.manual_seed(0)
    model = cnn(1, 8, 4)
    batch = batch_of(make_rows, torch.randn(5, 1, 8, 8), [0, 1, 2, 3, 0])
    evidence = learner_of(model).look(batch)
    with torch.no_grad():
        expected = model.eval()(batch.inputs["input"])
    assert torch.equal(evidence.output, expected)
