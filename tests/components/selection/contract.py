"""Every method of params.yaml in a run of five epochs, for the tests of what each must do."""

import json

import numpy as np
import pytest

from components.engine.proxy_ranking import rank
from components.epoch_records import EpochRecord
from components.rng import stream
from components.selection import METHODS
from components.selection.draw.holdout_only import Holdout
from components.selection.draw.short import Short
from components.selection.keep.loss_threshold import LossThreshold
from pipelines.config.loader import load
from pipelines.config.methods import build, resolve
from pipelines.config.schema.warm_up import WarmUp
from pipelines.training.checkpoints import pack
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


def cases(names):
    """Return the blocks ``names`` as parameters; all but one of those that stand for the same classes are slow."""
    seen, found = set(), []
    for name in sorted(names, key=lambda n: (n not in METHODS, n)):
        classes = tuple(classes_of(PARAMS.methods, name))
        found.append(pytest.param(name, id=name, marks=[pytest.mark.slow] if classes in seen else []))
        seen.add(classes)
    return found


every_method = pytest.mark.parametrize("name", cases(PARAMS.methods))
#: Their cost depends on the losses, or on when their batches came: their plans are tested beside them.
UNPLANNED = {"adaselection-whole", *(n for n in PARAMS.methods if not build(resolve(PARAMS, n, 2)).cost_known)}
every_planned_method = pytest.mark.parametrize("name", cases(set(PARAMS.methods) - UNPLANNED))


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


def copied(state):
    """Return ``state`` as it comes back from a file."""
    numbers, tensors = state
    return json.loads(json.dumps(numbers)), {k: v.to("cpu", copy=True) for k, v in tensors.items()}


def moments_of(training, records):
    """Run to the end; return the state at each moment on the way, and at the end."""
    moments = []
    for moment in training.until():
        if isinstance(moment, EpochRecord):
            records.append(moment)
        moments.append(copied(pack(training, records)))
    return moments, copied(pack(training, records))


def finished(training, records):
    records = records + [m for m in training.until() if isinstance(m, EpochRecord)]
    return copied(pack(training, records))


def assert_same(one, other):
    """Everything a run leaves is equal to the bit: weights, moments, ledger, selector, random state, records."""
    assert one[0] == other[0]
    assert one[1].keys() == other[1].keys()
    different = [k for k, v in one[1].items() if v.numpy().tobytes() != other[1][k].numpy().tobytes()]
    assert different == []
