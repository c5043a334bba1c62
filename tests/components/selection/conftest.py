"""The run of any method, begun as the stages do it."""

import math

import pytest

from components.epoch_records import EpochRecord
from components.rng import stream
from components.selection.draw.holdout_only import Holdout
from components.selection.draw.short import Short
from components.selection.selector import Selector
from pipelines.config.methods import build, resolve
from pipelines.training.checkpoints import pack, unpack
from tests.components.selection.contract import EPOCHS, HOLDOUT, PARAMS, PROXY, copied, scores_of, sights_of


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
