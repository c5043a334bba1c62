"""With every door open the road is a plain PyTorch loop, to the bit; the loop below knows nothing of the road."""

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from components.engine.learner import Learner
from components.engine.optimizers import build_optimizer
from components.engine.schedules import Schedule
from components.engine.training import Training
from components.epoch_records import EpochRecord
from components.rng import stream
from components.run_position import Plan
from components.selection.selector import Selector

EPOCHS, SEED = 3, 11
RATES = {"sgd": (0.1, {"momentum": 0.9, "weight_decay": 1e-3}), "adamw": (2e-3, {"weight_decay": 0.05})}


def factor(epoch):
    """Rise over half an epoch, stay until the first is over, and fall in a line to zero."""
    if epoch < 0.5:
        return epoch / 0.5
    return 1.0 if epoch <= 1 else 1 - (epoch - 1) / (EPOCHS - 1)


def batches_of(n, lengths, size, epoch):
    """Yield the places of each batch of an epoch; a last one of a single example joins the batch before it."""
    *before, last = full_and_short_batches(n, lengths, size, epoch)
    if len(last) == 1:
        last = before.pop() + last
    yield from before
    yield last


def full_and_short_batches(n, lengths, size, epoch):
    rng = stream(SEED, "order", epoch)
    order = rng.permutation(n).tolist()
    if lengths is None:
        yield from (order[i : i + size] for i in range(0, n, size))
        return
    near = [i for start in range(0, n, 50 * size) for i in sorted(order[start : start + 50 * size], key=lambda i: lengths[i])]
    batches = [near[i : i + size] for i in range(0, n, size)]
    whole = [b for b in batches if len(b) == size]
    yield from (whole[j] for j in rng.permutation(len(whole)))
    yield from (b for b in batches if len(b) < size)


def plain_loop(model, optimizer, rate, clip, inputs_of, target, lengths, size):
    """Train ``model`` in place on everything; return the learning rates and losses on the way."""
    seen = []
    for epoch in range(EPOCHS):
        done = 0
        for batch in batches_of(len(target), lengths, size, epoch):
            done += len(batch)
            optimizer.param_groups[0]["lr"] = rate * factor(epoch + (done - len(batch) / 2) / len(target))
            model.train()
            output = model(**inputs_of(batch))
            loss = cross_entropy(getattr(output, "logits", output), torch.from_numpy(target[batch]))
            optimizer.zero_grad()
            loss.backward()
            if clip:
                torch.nn.utils.clip_grad_norm_(model.parameters(), clip)
            optimizer.step()
            seen.append((optimizer.param_groups[0]["lr"], loss.item()))
    return seen


def image_inputs(images):
    return lambda batch: {"input": (torch.from_numpy(images.pixels[batch]).float() - 100.0) * (1 / 60.0)}


def text_inputs(texts):
    def collate(batch):
        each = [texts.tokens[texts.offsets[i] : texts.offsets[i + 1]].tolist() for i in batch]
        width = max(map(len, each))
        ids = torch.tensor([t + [0] * (width - len(t)) for t in each])
        mask = torch.tensor([[1] * len(t) + [0] * (width - len(t)) for t in each])
        return {"input_ids": ids, "attention_mask": mask}

    return collate


@pytest.fixture(params=["images", pytest.param("texts", marks=pytest.mark.slow)])
def job(request, make_images, make_texts, make_mlp, make_bert):
    """The examples, how to make a model, a batch size that does not divide N, and the plain loop's inputs."""
    if request.param == "images":
        examples = make_images(61)
        return examples, lambda: make_mlp(SEED), 8, image_inputs(examples)
    examples = make_texts(131)  # over 50 batches of two, so that lengths are sorted in two runs
    return examples, lambda: make_bert(SEED), 2, text_inputs(examples)


@pytest.mark.parametrize("fused", [False, pytest.param(True, marks=pytest.mark.slow)])
@pytest.mark.parametrize("clip", [None, 0.5])
@pytest.mark.parametrize("name", ["sgd", "adamw"])
def test_open_doors_are_a_plain_loop_to_the_bit(job, make_ledger, name, clip, fused):
    examples, make_model, size, inputs_of = job
    rate, options = RATES[name]

    plain = make_model()
    kind = {"sgd": torch.optim.SGD, "adamw": torch.optim.AdamW}[name]
    torch.manual_seed(5)  # dropout
    seen = plain_loop(
        plain,
        kind(plain.parameters(), lr=rate, fused=fused, **options),
        rate,
        clip,
        inputs_of,
        examples.target,
        examples.lengths,
        size,
    )

    model = make_model()
    optimizer = build_optimizer(model, name, rate, fused=fused, **options)
    learner = Learner(model, optimizer, Schedule("linear", 0.5, 1, EPOCHS), clip_norm=clip)
    ledger = make_ledger(len(examples), examples.outputs)
    torch.manual_seed(5)
    training = Training(learner, examples, Selector(), ledger, Plan(EPOCHS, size, 4 * size, 4 * size, SEED))
    records = [m for m in training.until() if isinstance(m, EpochRecord)]

    assert all(torch.equal(a, b) for a, b in zip(plain.state_dict().values(), model.state_dict().values(), strict=True))
    assert records[-1].learning_rate == pytest.approx(seen[-1][0])
    assert sum(r.steps for r in records) == len(seen)
    assert ledger.column("trained").tolist() == [EPOCHS] * len(examples)
    assert np.isfinite(seen).all()
