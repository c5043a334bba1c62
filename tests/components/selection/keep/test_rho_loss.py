"""Irreducible losses: the score, and that the holdout is never drawn."""

import numpy as np
import pytest

from components.epoch_records import EpochRecord
from components.evidence.signals import Signals
from components.run_position import Plan
from components.selection.draw.holdout_only import Holdout
from components.selection.keep.rho_loss import RhoLoss

PLAN = Plan(epochs=2, batch_size=8, look_size=16, look_batch=16, seed=0)


def test_the_score_is_the_loss_less_the_irreducible_one():
    method = RhoLoss(0.5)
    scores = {"id": np.arange(4), "loss": np.float32([0.5, 1.0, 2.0, 0.1]), "holdout": np.array([False, True, False, False])}
    subset = method.select(scores, None)
    assert subset.weight.tolist() == [1, 0, 1, 1]
    method.begin(subset, PLAN)
    seen = Signals(np.float32([3.0, 1.0, 0.4]))
    np.testing.assert_allclose(method.score(seen, np.array([2, 0, 3]), None), [1.0, 0.5, 0.3], atol=1e-6)


def test_a_table_without_a_holdout_is_refused():
    with pytest.raises(ValueError, match="needs the score table of a warm-up with 'holdout'"):
        RhoLoss().select({"id": np.arange(2), "loss": np.ones(2, np.float32)}, None)


def test_the_holdout_is_never_drawn(make_training):
    training = make_training(method := RhoLoss(0.5), epochs=2)
    held = Holdout(0.25, 1, 0).held(60)
    method.begin(method.select({"id": np.arange(60), "loss": np.zeros(60, np.float32), "holdout": held}, None), PLAN)
    records = [m for m in training.until() if isinstance(m, EpochRecord)]
    assert [(r.drawn, r.looked) for r in records] == [(45, 45)] * 2
    assert training.ledger.column("drawn")[held].sum() == 0
