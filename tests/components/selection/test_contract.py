"""What every method must do, whoever wrote it: a block in params.yaml is all it takes to be tested here."""

import copy
import json
import math
import os
import pickle
import random
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from components.engine.distributed import DistributedLearner
from components.engine.proxy import rank
from components.epoch_records import EpochRecord
from components.rng import stream
from components.selection import METHODS
from components.selection.admit.naive_bayes import NaiveBayes
from components.selection.draw.holdout import Holdout
from components.selection.draw.short import Short
from components.selection.keep.loss_threshold import LossThreshold
from components.selection.keep.window import Window
from components.selection.selector import Epoch, Selector
from pipelines.config.loader import load
from pipelines.config.methods import build, resolve
from pipelines.config.schema.warm_up import WarmUp
from pipelines.training.checkpoints import pack, unpack
from tests.conftest import ROOT

EPOCHS, EXAMPLES = 5, 60


HOLDOUT = WarmUp(epochs=2, holdout=0.2)
PROXY = WarmUp.model_validate({"epochs": 2, "proxy": {"model": {"family": "small", "name": "mlp"}}})
APART = {
    "holdout": HOLDOUT,
    "proxy": PROXY,
    "nearness": WarmUp(epochs=0, nearness="ngrams"),
    "fake_class": WarmUp(epochs=2, fake_class=True),
}


def classes_of(methods, name):
    """Return the classes that the block ``name`` stands for."""
    block = methods[name]
    if isinstance(block, list):
        return [c for part in block for c in classes_of(methods, part)]
    return [METHODS[block.get("method", name)]]


def sights_of(methods, name):
    """Return how many epochs of warm-up the block ``name`` needs."""
    return max(c.sights for c in classes_of(methods, name))


def start_of(methods, name):
    """Return the name of the warm-up that the block ``name`` needs: of a kind of its own, or of so many epochs."""
    classes = classes_of(methods, name)
    if "fake-class" in (methods[name].values() if isinstance(methods[name], dict) else ()):
        return "fake_class"
    return next((kind for kind in APART if any(getattr(c, kind) for c in classes)), str(sights_of(methods, name)))


def fitted(methods, name):
    """Return the block ``name`` for sixty examples: a threshold is found among the few of them that stage 0 has."""
    finds = issubclass(classes_of(methods, name)[0], LossThreshold) and "threshold" not in methods[name]
    return methods[name] | {"n_0": 0.3, "k": 2} if finds else methods[name]


def smaller(params):
    """Return ``params`` for a run of five epochs in which every block takes part, with the warm-up that it needs."""
    task = params.chosen
    task = task.model_copy(update={"training": task.training.model_copy(update={"epochs": EPOCHS})})
    compare = {name: start_of(params.methods, name) for name in params.methods}
    methods = {name: fitted(params.methods, name) for name in params.methods}
    # At a cost that a warm-up of two epochs leaves room in.
    methods |= {name: {"controls": "swiftlearn"} for name in ("uniform", "short")}
    warm_ups = {name: APART.get(name) or WarmUp(epochs=int(name)) for name in compare.values()}
    return params.model_copy(
        update={"tasks": {params.task: task}, "methods": methods, "compare": compare, "warm_ups": warm_ups}
    )


PARAMS = smaller(load(ROOT / "params.yaml"))
every_method = pytest.mark.parametrize("name", sorted(PARAMS.methods))
#: Their cost depends on the losses, or on when their batches came: their plans are tested beside them.
UNPLANNED = {"adaselection-whole", *(n for n in PARAMS.methods if not build(resolve(PARAMS, n, 2)).cost_known)}
every_planned_method = pytest.mark.parametrize("name", sorted(set(PARAMS.methods) - UNPLANNED))


def scores_of(training):
    """Return the score table of a warm-up that has ended, after the look that those of a kind of their own end with."""
    apart = {}
    if isinstance(training.selector, Holdout):
        training.sweep()
        apart = {"holdout": training.selector.held(len(training.ledger))}
    if isinstance(training.selector, Short):
        apart = rank(training)
    # As warm-ups with nearness and with a fake class have them; who needs no such columns does not read them.
    rows = np.arange(len(training.ledger))
    apart |= {"target": rows % 10 == 0, "nearness": stream(0, "nearness").random(len(rows), np.float32), "fake": rows % 5 == 0}
    columns = {n: training.ledger.column(n) for n in training.ledger.columns}
    return {"id": np.arange(len(training.ledger)), **columns, **apart}


@pytest.fixture(scope="session")
def begin(make_training):
    """A method's run at the end of its warm-up, handed over as the stages do it."""

    def hand_over(name, seed=0, warm_up=None, **options):
        warm_up = sights_of(PARAMS.methods, name) if warm_up is None else warm_up
        selector = build(resolve(PARAMS, name, warm_up))
        apart = Holdout(HOLDOUT.holdout, int(HOLDOUT.epochs), seed) if selector.holdout else None
        apart = Short(PROXY.epochs) if selector.proxy else apart
        warm = make_training(apart or Selector(), epochs=EPOCHS, seed=seed, **options)
        start = copied(pack(warm, []))
        records = [m for m in warm.until(None if apart else warm_up) if isinstance(m, EpochRecord)]
        training = make_training(selector, epochs=EPOCHS, seed=seed, first=0 if apart else math.ceil(warm_up), **options)
        records = unpack(training, start if apart else copied(pack(warm, records)), selector=False)
        training.scores = scores_of(warm)
        training.subset = selector.select(training.scores, stream(seed, "subset"))
        selector.begin(training.subset, training.plan)
        return training, records

    return hand_over


def copied(state):
    """Return ``state`` as it comes back from a file."""
    numbers, tensors = state
    return json.loads(json.dumps(numbers)), {k: v.to("cpu", copy=True) for k, v in tensors.items()}


def finished(training, records):
    records = records + [m for m in training.until() if isinstance(m, EpochRecord)]
    return copied(pack(training, records))


def assert_same(one, other):
    """Everything a run leaves is equal to the bit: weights, moments, ledger, selector, random state, records."""
    assert one[0] == other[0]
    assert one[1].keys() == other[1].keys()
    different = [k for k, v in one[1].items() if v.numpy().tobytes() != other[1][k].numpy().tobytes()]
    assert different == []


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
    moments = []
    for moment in training.until():
        if isinstance(moment, EpochRecord):
            records.append(moment)
        moments.append(copied(pack(training, records)))
    uninterrupted = copied(pack(training, records))
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


def all_of(begin, name, **options):
    """Return everything that a run leaves, without dropout and with batches that do not fall into equal parts."""
    training, records = begin(name, dropout=0.0, batch_size=7, look_size=15, **options)
    numbers, tensors = finished(training, records)
    arrays = {k: v.numpy() for k, v in tensors.items() if not k.startswith("rng.")}
    arrays |= {f"scores.{k}": v for k, v in training.scores.items()} | vars(training.subset)
    return numbers, arrays


if "LEFT_BY_RANKS" in os.environ:

    def test_every_method_as_a_rank(begin, ranks):
        left = {n: all_of(begin, n, learner=partial(DistributedLearner, group=ranks)) for n in PARAMS.methods}
        Path(os.environ["LEFT_BY_RANKS"], f"methods.{ranks.rank}").write_bytes(pickle.dumps(left))


@pytest.fixture(scope="module")
def methods_of_ranks(left_by_ranks):
    return [pickle.loads((left_by_ranks / f"methods.{rank}").read_bytes()) for rank in range(2)]


@pytest.mark.slow
@every_method
def test_two_ranks_leave_what_one_process_leaves(begin, methods_of_ranks, name):
    for left in methods_of_ranks:
        assert_near(left[name], all_of(begin, name))


# The two are compared, so both must be there. What CUDA itself would refuse, evidence/test_ledger.py finds without it;
# docs/how-to/gpu.md says when these were last run on a GPU.
@pytest.mark.skipif(not torch.cuda.is_available(), reason="CUDA sees no GPU to compare with the CPU")
@every_method
def test_a_gpu_leaves_what_a_cpu_leaves(begin, name):
    assert_near(*(all_of(begin, name, device=torch.device(kind)) for kind in ("cuda", "cpu")))


def assert_near(theirs, own):
    """Counts and choices are equal to the bit; a float within what sums in another order make of it over five epochs."""
    (their_numbers, their_arrays), (numbers, arrays) = theirs, own
    assert their_arrays.keys() == arrays.keys()
    assert their_numbers["position"] == numbers["position"]
    for k, v in arrays.items():
        assert their_arrays[k].dtype == v.dtype
        np.testing.assert_allclose(their_arrays[k], v, rtol=1e-3 * (v.dtype.kind == "f"), atol=1e-5 * (v.dtype.kind == "f"))
    for record, other in zip(their_numbers["records"], numbers["records"], strict=True):
        measured = ("loss", "course", "events")
        assert {k: v for k, v in record.items() if k not in measured} == {k: v for k, v in other.items() if k not in measured}
        assert (record["loss"] or 0) == pytest.approx(other["loss"] or 0, rel=1e-4)
        assert record["course"] == [pytest.approx(point, rel=1e-3, abs=1e-5) for point in other["course"]]
        assert [(e["place"], e["step"]) for e in record["events"]] == [(e["place"], e["step"]) for e in other["events"]]


@pytest.mark.slow
@every_method
def test_ranks_agree_to_the_bit(methods_of_ranks, name):
    (numbers, arrays), (their_numbers, their_arrays) = (left[name] for left in methods_of_ranks)
    assert their_numbers == numbers
    assert [k for k, v in arrays.items() if v.tobytes() != their_arrays[k].tobytes()] == []
