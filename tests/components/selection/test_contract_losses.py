"""Every method on several labels or numbers an example, and on classes that are weighed and smoothed."""

from functools import partial

import numpy as np
import pytest
import torch

from components.engine.learner import Learner
from components.evidence.class_losses import WeighedClassification
from components.evidence.objectives import OBJECTIVES
from pipelines.config.methods import build, resolve
from tests.components.selection.contract import EXAMPLES, PARAMS, assert_same, cases, every_method, finished, sights_of


@pytest.fixture
def labelled(make_images):
    """Images of which each has its brightest row as a label, and some of the others."""
    examples = make_images()
    more = np.random.default_rng(3).random((EXAMPLES, 4)) < 0.2
    examples.target = (more | (examples.target[:, None] == np.arange(4))).astype(np.uint8)
    return examples


def fits(name):
    """Return whether the block ``name`` asks for no single class an example; plans refuse the others."""
    selector = build(resolve(PARAMS, name, sights_of(PARAMS.methods, name)))
    return not (selector.classes or selector.proxy)


every_fitting_method = pytest.mark.parametrize("name", cases([name for name in PARAMS.methods if fits(name)]))


@every_fitting_method
def test_label_sets_are_trained_and_their_scores_are_numbers(begin, labelled, name):
    learner = partial(Learner, objective=OBJECTIVES["classes"])
    training, records = begin(name, examples=labelled, learner=learner)
    assert training.ledger.target is None
    assert np.isfinite(training.subset.weight).all()
    first = finished(training, records)
    ledger = training.ledger
    seen = ledger.column("seen") > 0
    for column in ("loss", "margin", "margin_mean", "gradient_norm", "el2n"):
        assert np.isfinite(ledger.column(column)[seen]).all()
    assert (np.abs(ledger.column("margin")[seen]) <= 1).all()
    assert ((ledger.column("margin")[seen] < 0) == ledger.column("correct")[seen]).all()
    assert ledger.column("trained").sum() > 0
    assert_same(finished(*begin(name, examples=labelled, learner=learner)), first)


@every_fitting_method
def test_several_numbers_are_trained_and_their_scores_are_numbers(begin, make_images, name):
    examples = make_images()
    examples.target = (2 * np.eye(4, dtype=np.float32) - 0.5)[examples.target]
    learner = partial(Learner, objective=OBJECTIVES["numbers"])
    training, records = begin(name, examples=examples, learner=learner)
    assert training.ledger.target is None
    assert np.isfinite(training.subset.weight).all()
    first = finished(training, records)
    ledger = training.ledger
    seen = ledger.column("seen") > 0
    for column in ("loss", "gradient_norm", "el2n"):
        assert np.isfinite(ledger.column(column)[seen]).all()
    # Of K numbers the norm of the mean squared error is 2 (loss / K)^(1/2).
    np.testing.assert_allclose(ledger.column("gradient_norm")[seen], 2 * (ledger.column("loss")[seen] / 4) ** 0.5, rtol=1e-4)
    assert np.isnan(ledger.column("margin")[seen]).all()
    assert not ledger.column("correct").any()
    assert ledger.column("trained").sum() > 0
    assert_same(finished(*begin(name, examples=examples, learner=learner)), first)


@every_method
def test_weighed_classes_are_trained_and_scores_stay_those_of_the_plain_loss(begin, name):
    weights = torch.tensor([0.5, 1.0, 2.0, 4.0])
    learner = partial(Learner, objective=WeighedClassification(weights, 0.1))
    training, records = begin(name, learner=learner)
    plain, _ = begin(name)
    last = finished(training, records)
    assert last[1].keys() == finished(plain, records)[1].keys()
    seen = training.ledger.column("seen") > 0
    loss, norm = training.ledger.column("loss")[seen], training.ledger.column("gradient_norm")[seen]
    # ||p - y|| is at least 1 - p_y and at most its 2^(1/2), for p_y = exp(-loss): of the plain loss alone.
    wrong = 1 - np.exp(-loss)
    assert (norm >= wrong - 1e-5).all()
    assert (norm <= 2**0.5 * wrong + 1e-5).all()
