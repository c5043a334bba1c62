"""A run has the sizes that the settings ask for, or those that its method wants."""

import pytest
import torch

from components.selection.keep.rule import ByRule
from pipelines.config.schema.training import Optimizer, Schedule, Training
from pipelines.training.run_sizes import run_plan


@pytest.mark.parametrize(("asked", "size"), [(None, 8), (4, 4)])
def test_a_look_is_as_large_as_asked_or_as_the_method_wants(asked, size):
    settings = Training(
        epochs=3,
        batch_size=2,
        look_size=asked,
        optimizer=Optimizer(name="sgd", learning_rate=0.1),
        schedule=Schedule(name="constant", ramp=0.0, hold=0.0),
        threads=1,
    )
    made = run_plan(settings, ByRule("big-loss", 0.25), torch.device("cpu"), 1, 7)
    assert (made.epochs, made.batch_size, made.look_size, made.look_batch) == (3, 2, size, 4)
    assert (made.seed, made.first, made.refill) == (7, 1, True)
