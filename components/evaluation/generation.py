"""Greedy generation of target texts, and of responses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from components.engine.learner import Learner
from components.tasks.batch import Rows
from components.tasks.sequences import Pairs


def generate(learner: Learner, examples: Pairs, batch_size: int) -> list[list[int]]:
    """Return what the model writes for each source, token by token the likeliest, at most ``examples.outputs`` of them.

    Batches are sorted by length.
    """
    model: Any = learner.model
    training = model.training
    model.eval()
    found: list[list[int]] = [[] for _ in range(len(examples))]
    assert examples.lengths is not None
    order = np.argsort(examples.lengths, kind="stable")
    for rows in Rows(torch.from_numpy(order), torch.ones(len(order))).split(batch_size):
        batch = examples.fetch(rows, learner.device)
        given = {name: batch.inputs[name] for name in ("input_ids", "attention_mask")}
        with torch.inference_mode():
            written = model.generate(**given, **greedy(examples.outputs))
        for row, ids in zip(rows.index.tolist(), written.tolist(), strict=True):
            found[row] = ids
    model.train(training)
    return found


def respond(
    learner: Learner, prompts: Sequence[Sequence[int]], batch_size: int, pad: int, settings: dict[str, object]
) -> list[list[int]]:
    """Return the tokens that a causal model writes after each of ``prompts``, which are padded on the left with ``pad``.

    ``settings`` are those of ``response_settings``; batches are sorted by length.
    """
    model: Any = learner.model
    training = model.training
    model.eval()
    found: list[list[int]] = [[] for _ in prompts]
    order = np.argsort([len(prompt) for prompt in prompts], kind="stable").tolist()
    for start in range(0, len(order), batch_size):
        rows = order[start : start + batch_size]
        longest = len(prompts[rows[-1]])
        ids = torch.tensor([[pad] * (longest - len(prompts[row])) + list(prompts[row]) for row in rows])
        mask = torch.tensor([[0] * (longest - len(prompts[row])) + [1] * len(prompts[row]) for row in rows])
        with torch.inference_mode():
            written = model.generate(ids.to(learner.device), attention_mask=mask.to(learner.device), **settings)
        for row, tokens in zip(rows, written[:, longest:].tolist(), strict=True):
            found[row] = tokens
    model.train(training)
    return found


def response_settings(most: int, ends: Sequence[int], pad: int) -> dict[str, object]:
    """Return the arguments of transformers' ``generate`` for at most ``most`` tokens, of which one of ``ends`` is the last."""
    plain = {"repetition_penalty": 1.0, "no_repeat_ngram_size": 0}
    return greedy(most) | plain | {"eos_token_id": list(ends), "pad_token_id": pad}


def greedy(most: int) -> dict[str, object]:
    """Return the arguments of transformers' ``generate`` for at most ``most`` tokens, each the likeliest.

    They take the place of what a pretrained model's own settings say.
    """
    return {"max_new_tokens": most, "do_sample": False, "num_beams": 1, "use_cache": True}
