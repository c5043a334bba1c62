"""Pairs and conversations give out what is read, and the tokens that are to be predicted of it."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from components.engine.learner import Learner
from components.engine.optimizers import build_optimizer
from components.evaluation.metrics import metrics, predict
from components.evidence.objectives import OBJECTIVES
from components.tasks.sequences import IGNORED, Conversations, Pairs
from tests.components.small_talk import conversations, gpt, llama

CPU = torch.device("cpu")


def test_a_batch_is_padded_by_hand(make_rows):
    # 5 6 7 -> 8 1, and 9 -> 10 11 12 1; the token 1 ends a target, 0 pads and starts.
    tokens = np.array([5, 6, 7, 8, 1, 9, 10, 11, 12, 1], np.int32)
    examples = Pairs(tokens, np.array([0, 5, 10]), np.array([3, 1], np.int32), 6, 0, 0)
    batch = examples.fetch(make_rows([1, 0], [1, 2]), CPU)
    assert batch.inputs["input_ids"].tolist() == [[9, 0, 0], [5, 6, 7]]
    assert batch.inputs["attention_mask"].tolist() == [[1, 0, 0], [1, 1, 1]]
    assert batch.inputs["decoder_input_ids"].tolist() == [[0, 10, 11, 12], [0, 8, 1, 0]]
    assert batch.target.tolist() == [[10, 11, 12, 1, IGNORED, IGNORED], [8, 1, *[IGNORED] * 4]]
    assert batch.weight.tolist() == [1, 2]
    assert (len(examples), examples.outputs, examples.lengths.tolist(), len(examples.target)) == (2, 6, [5, 5], 2)
    written, sizes = examples.written()
    assert (written.tolist(), sizes.tolist()) == ([8, 1, 10, 11, 12, 1], [2, 4])
    known, bag = np.unique(tokens), examples.bags.of(np.array([1]))
    assert [known[bag.features[a:b]].tolist() for a, b in pairwise(bag.ends)] == [[1, 9, 10, 11, 12]]


def test_what_is_read_and_what_is_learnt_are_those_of_transformers(make_pairs, make_t5, make_rows):
    examples, model = make_pairs(), make_t5().eval()
    batch = examples.fetch(make_rows(range(9)), CPU)
    with torch.no_grad():
        found = model(**batch.inputs).logits
        labels = batch.target[:, : found.shape[1]].contiguous()
        given = {name: batch.inputs[name] for name in ("input_ids", "attention_mask")}
        expected = model(**given, labels=labels)
    # An example's loss is the mean over its own tokens, and transformers' one mean is over all.
    assert (found == expected.logits).all()
    seen = OBJECTIVES["sequence"].see(found, batch.target, norm=False)
    tokens = (batch.target != IGNORED).sum(1)
    assert (seen.loss * tokens).sum() / tokens.sum() == pytest.approx(expected.loss.item(), rel=1e-5)


@pytest.mark.slow
def test_a_small_t5_learns_to_copy(make_pairs, make_t5, make_training):
    examples, model = make_pairs(), make_t5(dropout=0.0)
    learner = Learner(model, build_optimizer(model, "adamw", 0.02), lambda epoch: 1.0, OBJECTIVES["sequence"])
    before = metrics(predict(learner, examples, 7, "sequence"), "sequence")["perplexity"]
    training = make_training(examples=examples, model=model, epochs=20, learner=lambda *a, **k: learner)
    list(training.until())
    after = metrics(predict(learner, examples, 7, "sequence"), "sequence")
    assert before > 10 > 4 > after["perplexity"]
    assert after.keys() == {"perplexity", "loss"}


def test_a_batch_of_conversations_is_padded_by_hand(make_rows):
    # 2 5 3 -> 6 1, then 2 7 3 -> 8 1; and 2 9 9 3 -> 9 1. What is read ends before the last token.
    tokens = np.array([2, 5, 3, 6, 1, 2, 7, 3, 8, 1, 2, 9, 9, 3, 9, 1], np.int32)
    learnt = np.array([0, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 1, 1], np.uint8)
    examples = Conversations(tokens, np.array([0, 10, 16]), learnt, 11, 0)
    batch = examples.fetch(make_rows([1, 0], [1, 2]), CPU)
    assert batch.inputs["input_ids"].tolist() == [[2, 9, 9, 3, 9, 0, 0, 0, 0], [2, 5, 3, 6, 1, 2, 7, 3, 8]]
    assert batch.inputs["attention_mask"].tolist() == [[1] * 5 + [0] * 4, [1] * 9]
    no = IGNORED
    assert batch.target.tolist() == [[no, no, no, 9, 1, *[no] * 6], [no, no, 6, 1, no, no, no, 8, 1, no, no]]
    assert batch.weight.tolist() == [1, 2]
    assert (len(examples), examples.outputs, examples.lengths.tolist(), examples.second) == (2, 11, [10, 6], None)
    written, sizes = examples.written()
    assert (written.tolist(), sizes.tolist()) == ([6, 1, 8, 1, 9, 1], [4, 2])


@pytest.mark.parametrize("model", [gpt, llama])
def test_a_conversations_loss_in_a_batch_is_its_own_and_transformers(make_rows, model):
    examples, model = conversations(), model().eval()
    batch = examples.fetch(make_rows(range(9)), CPU)
    with torch.no_grad():
        seen = OBJECTIVES["sequence"].see(model(**batch.inputs).logits, batch.target, norm=True)
    assert len(set(examples.lengths[:9].tolist())) > 3
    for i in range(9):
        there = slice(examples.offsets[i], examples.offsets[i + 1])
        ids, learnt = torch.tensor(examples.tokens[there][None]).long(), torch.tensor(examples.learnt[there] > 0)
        with torch.no_grad():
            alone = model(input_ids=ids, labels=ids.where(learnt, IGNORED))
        assert seen.loss[i].item() == pytest.approx(alone.loss.item(), rel=1e-5)
        # The gradient by the logits of each response's token, by hand.
        p, at = alone.logits[0, :-1].softmax(-1), learnt[1:].nonzero().flatten()
        error = p[at] - torch.nn.functional.one_hot(ids[0, 1:][at], 19)
        assert seen.norm[i].item() == pytest.approx(error.norm().item() / len(at), rel=1e-4)


def test_padding_changes_no_gradient(make_rows):
    examples, model = conversations(), gpt(dropout=0.0)

    def gradient(rows):
        model.zero_grad()
        batch = examples.fetch(make_rows(rows), CPU)
        OBJECTIVES["sequence"].see(model(**batch.inputs).logits, batch.target, norm=False).loss[0].backward()
        return [p.grad.clone() for p in model.parameters()]

    for alone, beside in zip(gradient([1]), gradient([1, 0, 3]), strict=True):
        torch.testing.assert_close(alone, beside, atol=1e-6, rtol=1e-4)


@pytest.mark.slow
def test_a_small_gpt_learns_to_answer(make_training):
    examples, model = conversations(), gpt(dropout=0.0)
    learner = Learner(model, build_optimizer(model, "adamw", 0.02), lambda epoch: 1.0, OBJECTIVES["sequence"])
    before = metrics(predict(learner, examples, 7, "sequence"), "sequence")["perplexity"]
    training = make_training(examples=examples, model=model, epochs=20, learner=lambda *a, **k: learner)
    list(training.until())
    assert before > 10 > 3 > metrics(predict(learner, examples, 7, "sequence"), "sequence")["perplexity"]
