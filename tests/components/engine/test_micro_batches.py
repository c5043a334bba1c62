"""A step in parts is the step of the whole batch, whatever it is asked to keep."""

from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from components.engine.learner import Learner
from components.epoch_records import EpochRecord
from components.evidence.evidence import NonFiniteLossError
from components.selection.keep.adaselection import AdaSelection
from components.selection.selector import Selector
from components.tasks.batch import Rows
from tests.components.engine.steps import batch_of, learner_of

PARTS = (1, 2, 3, 5)
OPTIONS = ({}, {"clip_norm": 0.01}, {"precision": "bf16"}, {"precision": "fp16", "clip_norm": 0.01})


def linear():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 2, bias=False))


def deep(dropout=0.0):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 16), nn.GELU(), nn.Dropout(dropout), nn.Linear(16, 2))


@pytest.fixture
def batches(make_rows):
    torch.manual_seed(1)
    return [
        batch_of(make_rows, torch.randn(6, 3), [0, 1, 1, 0, 1, 0], weight=[1.0, 0.5, 2.0, 4.0, 0.0, 3.0], index=range(9, 3, -1))
        for _ in range(4)
    ]


def every_other(evidence):
    return (np.arange(len(evidence)) % 2 == 0).astype(np.float32) * 2


def gradient_by_hand(weights, batch, answer):
    """Return d/dW of ``mean(a_i w_i CE_i)`` for logits ``x W'`` in double precision."""
    x, weights = batch.inputs["input"].double(), weights.double()
    error = (x @ weights.T).softmax(1) - nn.functional.one_hot(batch.target, 2)
    return ((torch.from_numpy(answer).double() * batch.weight.double())[:, None] * error).T @ x / len(x)


@pytest.mark.parametrize("size", PARTS)
@pytest.mark.parametrize("keep", [None, every_other])
def test_the_gradient_is_that_of_the_whole_batch_by_hand(batches, size, keep):
    model, batch = linear(), batches[0]
    before = model[0].weight.detach().clone()
    evidence = learner_of(model, micro_batch=size).step(batch, 0, keep)
    answer = np.ones(6) if keep is None else keep(evidence)
    expected = before.double() - gradient_by_hand(before, batch, answer)
    torch.testing.assert_close(model[0].weight.detach().double(), expected, rtol=0, atol=1e-6)
    assert not evidence.looked


@pytest.mark.parametrize("size", PARTS)
@pytest.mark.parametrize("keep", [None, every_other])
@pytest.mark.parametrize(
    "options", [{}, {"clip_norm": 0.01}, {"precision": "bf16"}, {"precision": "fp16", "clip_norm": 0.01}], ids=str
)
def test_steps_and_evidence_are_those_of_the_whole_batch(batches, size, keep, options):
    whole, parts = learner_of(deep(), rate=0.1, **options), learner_of(deep(), rate=0.1, micro_batch=size, **options)
    close = (
        partial(torch.testing.assert_close, rtol=1e-5, atol=1e-6)
        if "precision" not in options
        else partial(torch.testing.assert_close, rtol=2e-2, atol=2e-3)
    )
    for batch in batches:
        expected, found = whole.step(batch, 0, keep), parts.step(batch, 0, keep)
        assert found.index.tolist() == expected.index.tolist() == batch.rows.index.tolist()
        assert torch.equal(found.target, expected.target)
        close(found.loss, expected.loss)
        close(found.output, expected.output)
        close(found.log_p, expected.log_p)
    for p, q in zip(parts.model.parameters(), whole.model.parameters(), strict=True):
        close(p, q)
    assert parts.scaler.state_dict() == whole.scaler.state_dict()


def test_a_part_as_large_as_the_batch_changes_no_bit(batches):
    models = []
    for size in (None, 6, 60):
        torch.manual_seed(3)
        learner = learner_of(deep(0.4), "adamw", 0.1, micro_batch=size)
        for batch in batches:
            learner.step(batch, 0)
        models.append(learner.model.state_dict())
    assert all(torch.equal(v, other[k]) for other in models[1:] for k, v in models[0].items())


def test_no_pass_has_more_examples_and_the_one_before_a_decision_has_no_graph(batches):
    learner, passes = learner_of(linear(), micro_batch=4), []
    learner.model.register_forward_hook(lambda _, given, output: passes.append((len(output), output.requires_grad)))
    learner.step(batches[0], 0)
    assert passes == [(4, True), (2, True)]
    passes.clear()
    learner.step(batches[0], 0, every_other)
    assert passes == [(4, False), (2, False), (4, True), (2, True)]
    laps = {n: lap.examples for n, lap in learner.clock.laps.items()}
    assert laps == {"forward": 12, "backward": 12, "look": 6}


def test_what_is_decided_on_is_what_is_trained_with_the_same_dropout(batches):
    """The pass before a decision draws the masks of the one after it, and none of the next step's."""
    models, shown = [], []
    for keep in (None, lambda evidence: shown.append(evidence.loss.clone()) or np.ones(len(evidence), np.float32)):
        torch.manual_seed(3)
        learner = learner_of(deep(0.4), rate=0.1, micro_batch=4)
        seen = [learner.step(batch, 0, keep).loss for batch in batches]
        models.append((learner.model.state_dict(), torch.get_rng_state(), seen))
    (one, state, losses), (other, other_state, _) = models
    assert all(torch.equal(v, other[k]) for k, v in one.items())
    assert torch.equal(state, other_state)
    assert all(torch.equal(a, b) for a, b in zip(shown, losses, strict=True))


def test_a_batch_of_which_nothing_is_kept_moves_nothing(batches):
    learner = learner_of(deep(), "adamw", 0.1, micro_batch=4)
    before = {k: v.clone() for k, v in learner.model.state_dict().items()}
    assert learner.step(batches[0], 0, lambda evidence: np.zeros(len(evidence), np.float32)).looked
    assert all(torch.equal(v, before[k]) for k, v in learner.model.state_dict().items())
    assert learner.optimizer.state_dict()["state"] == {}


@pytest.mark.parametrize("keep", [None, every_other])
def test_a_loss_that_is_no_number_is_refused_before_the_weights_move(batches, keep):
    model, batch = deep(), batches[0]
    batch.inputs["input"][4] = torch.nan
    before = {k: v.clone() for k, v in model.state_dict().items()}
    with pytest.raises(NonFiniteLossError) as raised:
        learner_of(model, "adamw", 0.1, micro_batch=2).step(batch, 0, keep)
    assert raised.value.index == 5
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())


def test_a_target_that_is_the_input_stays_it_in_every_part(make_rows):
    batch = batch_of(make_rows, torch.arange(10).view(5, 2), [0] * 5)
    batch = type(batch)(batch.rows, {"input": batch.target}, batch.target, batch.weight)
    parts = list(batch.parts(2))
    assert [len(p) for p in parts] == [2, 2, 1]
    assert all(p.inputs["input"] is p.target for p in parts)
    assert [i for p in parts for i in p.rows.index.tolist()] == batch.rows.index.tolist()


@pytest.mark.parametrize("method", [Selector, lambda: AdaSelection(fraction=0.5, look="whole-batch", explore=False)])
def test_a_run_draws_looks_keeps_and_counts_the_same(make_training, method):
    runs = []
    for size in (None, 3):
        training = make_training(method(), learner=partial(Learner, micro_batch=size), dropout=0.0, epochs=3)
        records = [m for m in training.until() if isinstance(m, EpochRecord)]
        ledger = {n: training.ledger.column(n).tolist() for n in ("drawn", "looked", "trained")}
        runs.append(([(r.drawn, r.looked, r.trained, r.steps) for r in records], ledger))
    assert runs[0] == runs[1]


def test_rows_that_are_fetched_are_all_of_them(make_rows):
    rows = Rows(torch.arange(3), torch.ones(3))
    batch = batch_of(make_rows, torch.randn(3, 3), [0, 1, 0])
    assert batch.fetched.index.tolist() == rows.index.tolist()
