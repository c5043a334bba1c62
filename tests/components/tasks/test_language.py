import math
from itertools import pairwise

import numpy as np
import pytest
import torch

from components.engine.learner import Learner
from components.engine.optimizers import build_optimizer
from components.engine.training import Training
from components.evaluation.metrics import metrics, predict
from components.evidence.ledger import Ledger, LogitMemory
from components.evidence.objectives import OBJECTIVES
from components.models.small import freeze_all_but_last
from components.run_position import Plan
from components.selection.selector import Selector
from components.tasks.language import Blocks

CPU = torch.device("cpu")


def blocks(n=24, length=6, vocabulary=11):
    """Blocks in which every token is the one before it and one more, which can be learnt."""
    start = np.random.default_rng(0).integers(0, vocabulary, (n, 1))
    return Blocks(((start + np.arange(length)) % vocabulary).astype(np.int32))


def small_gpt(length=6, vocabulary=11):
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(0)
    sizes = {"n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": length, "vocab_size": vocabulary}
    return GPT2LMHeadModel(GPT2Config(**sizes, bos_token_id=0, eos_token_id=0, use_cache=False))


def test_a_batch_is_its_blocks_and_they_are_the_target(make_rows):
    examples = blocks()
    batch = examples.fetch(make_rows([3, 0], [1, 2]), CPU)
    assert batch.inputs["input_ids"].tolist() == examples.tokens[[3, 0]].tolist()
    assert batch.inputs["input_ids"].dtype == torch.int64
    assert (batch.target == batch.inputs["input_ids"]).all()
    assert batch.weight.tolist() == [1, 2]
    assert (len(examples), examples.outputs, examples.lengths, len(examples.target)) == (24, 5, None, 24)


def test_fetching_leaves_the_stored_tokens_alone(make_rows):
    examples = blocks()
    before = examples.tokens.copy()
    examples.tokens.flags.writeable = False
    examples.fetch(make_rows([1, 2]), CPU).inputs["input_ids"].zero_()
    assert (examples.tokens == before).all()


def test_a_bag_has_each_token_of_a_block_once():
    examples = blocks()
    known, bag = np.unique(examples.tokens), examples.bags.of(np.array([4, 1, 7]))
    found = [known[bag.features[a:b]].tolist() for a, b in pairwise(bag.ends)]
    assert found == [sorted(set(examples.tokens[i].tolist())) for i in (4, 1, 7)]


def test_a_small_gpt_learns_what_comes_next():
    examples, model = blocks(), small_gpt()
    learner = Learner(model, build_optimizer(model, "adamw", 0.02), lambda epoch: 1.0, OBJECTIVES["tokens"])
    before = metrics(predict(learner, examples, 7, "tokens"), "tokens")["perplexity"]
    ledger = Ledger(len(examples), LogitMemory(torch.zeros(len(examples), 5), 5))
    training = Training(learner, examples, Selector(), ledger, Plan(20, 8, 16, 16, 0))
    list(training.until(20))
    after = predict(learner, examples, 7, "tokens")
    assert before == pytest.approx(11, rel=0.3)
    assert metrics(after, "tokens")["perplexity"] < 1.5
    # Against the model's own loss, which is the mean over all tokens but the first.
    ids = torch.from_numpy(examples.tokens.astype(np.int64))
    with torch.no_grad():
        expected = model.eval()(input_ids=ids, labels=ids).loss.item()
    assert metrics(after, "tokens")["perplexity"] == pytest.approx(math.exp(expected), rel=1e-5)


def test_the_last_layers_alone_are_trained_and_the_tied_head_is_not():
    model = small_gpt()
    freeze_all_but_last(model, 1)
    free = {n for n, p in model.named_parameters() if p.requires_grad}
    assert {n.split(".")[2] for n in free if ".h." in n} == {"1"}
    assert {n for n in free if ".h." not in n} == {"transformer.ln_f.weight", "transformer.ln_f.bias"}


def test_to_another_device_the_tokens_are_sent_once(make_rows):
    batch = Blocks(np.arange(60, dtype=np.int32).reshape(10, 6)).fetch(make_rows([1, 2]), torch.device("meta"))
    assert batch.target is batch.inputs["input_ids"]
    assert {batch.target.device.type, batch.weight.device.type} == {"meta"}
    assert batch.rows.index.tolist() == [1, 2]
