"""Every method that needs no classes selects among sounds with transcripts too, and goes on from any moment."""

from functools import partial

import numpy as np
import pytest
import torch

from components.engine.learner import Learner
from components.evidence.objectives import OBJECTIVES
from pipelines.config.methods import build, resolve
from pipelines.training.checkpoints import unpack
from tests.components.selection.contract import PARAMS, assert_same, cases, finished, moments_of, sights_of

LEARNER = partial(Learner, objective=OBJECTIVES["transcript"])


def fits(name):
    """Return whether the block ``name`` may be compared on a task without classes; plans refuse the others."""
    selector = build(resolve(PARAMS, name, sights_of(PARAMS.methods, name)))
    return not (selector.classes or selector.proxy)


every_fitting_method = pytest.mark.parametrize("name", cases([name for name in PARAMS.methods if fits(name)]))


def test_methods_of_each_door_fit_and_also_those_that_look_at_the_input():
    names = {name for name in PARAMS.methods if fits(name)}
    assert {"swiftlearn", "infobatch", "short", "autoassist", "multistage", "rho-loss", "input-gradient-norm"} <= names


@pytest.mark.slow
@every_fitting_method
def test_a_method_selects_among_transcripts_and_goes_on_to_the_same_bytes(begin, make_transcribed, make_listener, name):
    def anew():
        training, records = begin(name, examples=make_transcribed(), model=make_listener(), learner=LEARNER)
        training.learner.norms = "norm" in training.selector.wants
        return training, records

    training, records = anew()
    moments, uninterrupted = moments_of(training, records)
    assert all(record.trained <= record.drawn <= 60 for record in records)
    assert sum(record.trained for record in records) > 0
    assert all(torch.isfinite(v).all() for k, v in uninterrupted[1].items() if k.startswith("model."))
    seen = training.ledger.column("seen") > 0
    assert np.isfinite(training.ledger.column("loss")[seen]).all()
    again, _ = anew()
    assert_same(finished(again, unpack(again, moments[len(moments) // 2])), uninterrupted)
