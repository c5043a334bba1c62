"""Every method that needs no classes selects among pairs of texts too, and goes on from any moment."""

from functools import partial

import pytest
import torch

from components.engine.learner import Learner
from components.evidence.objectives import OBJECTIVES
from pipelines.config.methods import build, resolve
from pipelines.training.checkpoints import unpack
from tests.components.selection.contract import PARAMS, assert_same, cases, finished, moments_of

LEARNER = partial(Learner, objective=OBJECTIVES["sequence"])


def fits(name):
    """Return whether the block ``name`` may be compared on a task without classes, whose inputs are tokens."""
    selector = build(resolve(PARAMS, name, 2))
    return not (selector.classes or selector.proxy or "input_norm" in selector.wants)


every_fitting_method = pytest.mark.parametrize("name", cases([name for name in PARAMS.methods if fits(name)]))


@pytest.mark.slow
@every_fitting_method
def test_a_method_selects_among_sequences_and_goes_on_to_the_same_bytes(begin, make_pairs, make_t5, name):
    def anew():
        training, records = begin(name, examples=make_pairs(), model=make_t5(), learner=LEARNER)
        training.learner.norms = "norm" in training.selector.wants
        return training, records

    training, records = anew()
    moments, uninterrupted = moments_of(training, records)
    assert all(record.trained <= record.drawn <= 60 for record in records)
    assert sum(record.trained for record in records) > 0
    assert all(torch.isfinite(v).all() for k, v in uninterrupted[1].items() if k.startswith("model."))
    again, _ = anew()
    assert_same(finished(again, unpack(again, moments[len(moments) // 2])), uninterrupted)
