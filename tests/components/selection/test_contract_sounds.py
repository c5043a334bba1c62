"""Every method trains on sounds, and goes on from any moment to the same bytes."""

import random

import numpy as np
import pytest
import torch

from components.tasks.sound import Sounds
from pipelines.training.checkpoints import unpack
from tests.components.selection.contract import EXAMPLES, assert_same, every_method, finished, moments_of


@pytest.fixture(scope="module")
def sounds():
    """Log-mel bands that can be learnt: each class is loud in a band of its own."""
    rng = np.random.default_rng(0)
    target = rng.integers(0, 4, EXAMPLES)
    values = rng.normal(-5.0, 2.0, (EXAMPLES, 1, 4, 4)).astype(np.float32)
    values[np.arange(EXAMPLES), 0, target] += 3
    return Sounds(values, target, 4, -5.0, 2.5)


@pytest.mark.slow
@every_method
def test_a_run_over_sounds_goes_on_as_if_it_had_not_stopped(begin, sounds, name):
    training, records = begin(name, examples=sounds)
    moments, uninterrupted = moments_of(training, records)
    assert all(torch.isfinite(v).all() for k, v in uninterrupted[1].items() if k.startswith("model."))
    state = random.Random(name).choice([m for m in moments if m[0]["position"]["begun"]])
    again, _ = begin(name, examples=sounds)
    assert_same(finished(again, unpack(again, state)), uninterrupted)
