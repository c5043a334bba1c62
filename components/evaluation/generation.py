"""Greedy generation of target texts."""

from __future__ import annotations

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


def greedy(most: int) -> dict[str, object]:
    """Return the arguments of transformers' ``generate`` for at most ``most`` tokens, each the likeliest.

    They take the place of what a pretrained model's own settings say.
    """
    return {"max_new_tokens": most, "do_sample": False, "num_beams": 1, "use_cache": True}
