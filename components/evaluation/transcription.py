"""Greedy transcription of sounds: each frame's likeliest token, repeats and blanks left out."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from components.engine.learner import Learner
from components.tasks.batch import Rows
from components.tasks.sound import Transcribed


def transcribe(learner: Learner, examples: Transcribed, batch_size: int, blank: int) -> list[list[int]]:
    """Return the tokens that the model hears in each sound; batches are sorted by length."""
    model, found = learner.model, list[list[int]]([[]] * len(examples))
    training = model.training
    model.eval()
    assert examples.lengths is not None
    order = np.argsort(examples.lengths, kind="stable")
    for rows in Rows(torch.from_numpy(order), torch.ones(len(order))).split(batch_size):
        batch = examples.fetch(rows, learner.device)
        with torch.inference_mode():
            heard = collapsed(model(**batch.inputs), blank)
        for row, tokens in zip(rows.index.tolist(), heard, strict=True):
            found[row] = tokens
    model.train(training)
    return found


def collapsed(logits: Tensor, blank: int) -> list[list[int]]:
    """Return the tokens of the likeliest path through logits ``(B, frames, tokens)``: repeats once, and no blank."""
    path = logits.argmax(-1).cpu()
    first = torch.ones_like(path, dtype=torch.bool)
    first[:, 1:] = path[:, 1:] != path[:, :-1]
    return [row[keep].tolist() for row, keep in zip(path, first & (path != blank), strict=True)]
