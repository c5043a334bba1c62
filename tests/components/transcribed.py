"""Sounds with transcripts that can be learnt, and a model that hears them."""

import numpy as np
import pytest
import torch
from torch import nn

from components.models.sounds import silenced
from components.tasks.sound import Transcribed


@pytest.fixture(scope="session")
def make_transcribed():
    """Sounds of 8 to 20 moments of four bands, whose loudest bands spell their transcripts of tokens 1 to 3; 0 is the blank."""

    def build(n=60, seed=0):
        rng = np.random.default_rng(seed)
        lengths = rng.integers(8, 21, n)
        written = [rng.integers(1, 4, rng.integers(1, 1 + length // 4)) for length in lengths]
        values = np.zeros((n, 20, 4), np.float32)
        for row, length, tokens in zip(values, lengths, written, strict=True):
            row[:length] = rng.normal(0, 0.3, (length, 4))
            row[np.arange(len(tokens)) * 4 + 1, tokens] += 3
        offsets = np.concatenate([[0], np.cumsum([len(tokens) for tokens in written])])
        return Transcribed(values, lengths, lengths // 2, np.concatenate(written).astype(np.int32), offsets)

    return build


class Listener(nn.Module):
    """A convolution of stride 2 over bands, which gives a token or the blank, 0, every other moment."""

    def __init__(self, dropout):
        super().__init__()
        self.hear, self.drop, self.head = nn.Conv1d(4, 12, 2, 2), nn.Dropout(dropout), nn.Linear(12, 4)

    def forward(self, input, length):
        heard = self.drop(self.hear(input.transpose(1, 2)).relu().transpose(1, 2))
        return silenced(self.head(heard), length // 2, 0)


@pytest.fixture(scope="session")
def make_listener():
    """A model for ``make_transcribed``, untrained."""

    def build(seed=0, dropout=0.1):
        torch.manual_seed(seed)
        return Listener(dropout)

    return build
