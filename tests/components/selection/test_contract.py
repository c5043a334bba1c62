"""What every method must do, whoever wrote it: a block in params.yaml is all it takes to be tested here."""

import copy
import inspect
import random

import numpy as np
import pytest
import torch

from components.epoch_records import EpochRecord
from components.rng import stream
from components.selection import METHODS
from components.selection.admit.naive_bayes import NaiveBayes
from components.selection.keep.recent_batches import Window
from components.selection.selector import Epoch
from pipelines.config.methods import FACTORS, build, resolve
from pipelines.training.checkpoints import pack, unpack
from tests.components.selection.contract import (
    EPOCHS,
    EXAMPLES,
    PARAMS,
    assert_same,
    copied,
    every_method,
    every_planned_method,
    finished,
    moments_of,
    sights_of,
)
from tests.conftest import ROOT


def insides(selector):
    """Return all that a selector holds, by value."""
    held = copy.deepcopy(vars(selector))
    members = [insides(m) for m in held.pop("members", [])]
    return [(k, by_value(v)) for k, v in sorted(held.items())], members


def by_value(held):
    if isinstance(held, NaiveBayes):
        return insides(held)
    if isinstance(held, Window):
        return held.means.tobytes()
    if isinstance(held, list):
        return [by_value(h) for h in held]
    return held.tobytes() if isinstance(held, np.ndarray) else held


def globals_now():
    numpy_state = np.random.get_state()  # noqa: NPY002 - to see that nobody moves it
    return torch.get_rng_state().tolist(), numpy_state[1].tolist(), numpy_state[2], random.getstate()


def decisions(training, place):
    """Return what the three doors answer at ``place``, each with a fresh stream."""
    selector, ledger, rows = training.selector, training.ledger, training.position.rows
    epoch = Epoch(training.position.epoch, training.length, training.plan.first)
    by_input = "input_norm" in selector.wants
    evidence = training.learner.look(training.examples.fetch(rows.between(0, 5), training.learner.device), by_input=by_input)
    return (
        selector.draw(epoch, ledger, stream(0, "draw", place)),
        selector.admit(rows.between(0, 5), training.examples, stream(0, "admit", place)),
        selector.keep(evidence, stream(0, "keep", place)),
    )


def test_every_method_has_a_block_and_a_page():
    pages = {path.stem: path.read_text(encoding="utf-8") for path in (ROOT / "docs" / "methods").glob("*.md")}
    assert set(METHODS) <= set(PARAMS.methods)
    assert set(METHODS) <= set(pages)
    for name in METHODS:
        assert pages[name].startswith(f"# {name}\n")
        assert f"({name}.md)" in pages["index"]


def test_no_method_has_an_argument_of_the_name_of_a_key_that_all_blocks_share():
    shared = {*FACTORS, "guard"}
    assert not [name for name in METHODS if shared & set(inspect.signature(METHODS[name]).parameters)]


@every_method
def test_what_a_method_sets_of_its_own_is_no_factor_of_the_tasks_learning_rate(name):
    assert build(resolve(PARAMS, name, 2)).learning_rate == 1


@every_method
def test_weights_are_answered_for_every_example_of_every_epoch(begin, name):
    training, _ = begin(name)
    lengths = (EXAMPLES, 5, 5)
    for moment in training.until():
        if isinstance(moment, EpochRecord) or moment.done == moment.total:
            continue
        for weight, length in zip(decisions(training, moment.done), lengths, strict=True):
            assert weight.shape == (length,)
            assert weight.dtype in ((np.float32,) if length == EXAMPLES else (np.float32, np.bool_))
            assert np.isfinite(weight).all()
            assert (weight >= 0).all()
        assert decisions(training, moment.done)[0].any()


@every_method
def test_deciding_twice_is_deciding_once(begin, name):
    training, _ = begin(name)
    for moment in training.until():
        if isinstance(moment, EpochRecord):
            continue
        before = insides(training.selector), copied(pack(training, []))
        once, twice = decisions(training, moment.done), decisions(training, moment.done)
        assert all((a == b).all() for a, b in zip(once, twice, strict=True))
        assert insides(training.selector) == before[0]
        assert_same(copied(pack(training, [])), before[1])


@every_method
def test_global_random_states_are_neither_moved_nor_heard(begin, name):
    np.random.seed(1)  # noqa: NPY002 - a run must not hear of it
    random.seed(1)
    training, records = begin(name, dropout=0.0)
    before = globals_now()
    first = finished(training, records)
    assert globals_now() == before
    np.random.seed(2)  # noqa: NPY002
    random.seed(2)
    assert_same(finished(*begin(name, dropout=0.0)), first)


@every_method
def test_the_same_seed_is_the_same_run_and_another_is_another(begin, name):
    first = finished(*begin(name))
    assert_same(finished(*begin(name)), first)
    other = finished(*begin(name, seed=1))
    assert any((v != other[1][k]).any() for k, v in first[1].items() if k.startswith("model."))


@every_method
def test_a_batch_of_one(begin, make_images, name):
    training, records = begin(name, examples=make_images(7), batch_size=1, look_size=1)
    numbers, tensors = finished(training, records)
    assert [r["steps"] for r in numbers["records"]] == [r["trained"] for r in numbers["records"]]
    assert all(torch.isfinite(v).all() for k, v in tensors.items() if k.startswith("model."))


@every_method
def test_doors_only_narrow_and_no_epoch_is_empty(begin, name):
    training, records = begin(name)
    numbers, _ = finished(training, records)
    assert all(0 < r["trained"] <= r["drawn"] <= EXAMPLES for r in numbers["records"])
    assert all(r["kept"] <= min(r["looked"], r["trained"]) for r in numbers["records"])
    assert (training.ledger.column("trained") <= training.ledger.column("drawn")).all()


def easy(make_images):
    """Images of which each class is bright in a row of its own, and dark elsewhere."""
    examples = make_images(400, seed=3)
    examples.pixels[:] = np.random.default_rng(1).integers(0, 60, examples.pixels.shape)
    examples.pixels[np.arange(400), 0, examples.target] = 255
    return examples


@every_method
def test_what_is_easy_is_learnt(begin, make_images, name):
    """A rule with its sign the wrong way round trains on what teaches nothing, and says nothing of it."""
    training, records = begin(name, examples=easy(make_images), batch_size=20, look_size=40, dropout=0.0)
    finished(training, records)
    training.sweep()
    assert training.ledger.column("correct").mean() > 0.4  # chance is a quarter


@pytest.mark.slow
@every_method
def test_a_run_goes_on_from_any_moment_as_if_it_had_not_stopped(begin, name):
    training, records = begin(name)
    moments, uninterrupted = moments_of(training, records)
    inside = [m for m in moments if m[0]["position"]["begun"]]
    assert len(inside) > 5
    for state in [*random.Random(name).sample(inside, 3), random.Random(name).choice(moments)]:
        again, _ = begin(name)
        assert_same(finished(again, unpack(again, copied(state))), uninterrupted)


@every_planned_method
@pytest.mark.parametrize("more", [0, 0.5])
def test_the_planned_cost_is_the_real_one(begin, name, more):
    warm_up = sights_of(PARAMS.methods, name) + more
    training, records = begin(name, warm_up=warm_up)
    finished(training, records)
    trained, looked = (training.ledger.column(n).sum() for n in ("trained", "looked"))
    begun = 0 if training.selector.proxy else warm_up
    planned = training.selector.planned_cost(EPOCHS, begun) * (0.8 if training.selector.holdout else 1)
    # Half an example an epoch may be rounded away, or of each of its four looks; a look costs a third of a step.
    choices = 4 if looked else 1
    assert (trained + looked / 3) / EXAMPLES == pytest.approx(planned, abs=0.5 * choices * EPOCHS / EXAMPLES)
