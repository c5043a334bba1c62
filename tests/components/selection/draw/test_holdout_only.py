"""The part that is held out, and that it alone is trained on."""

import numpy as np

from components.epoch_records import EpochRecord
from components.selection.draw.holdout_only import Holdout
from components.selection.selector import Epoch


def test_the_holdout_is_trained_on_alone_for_its_epochs(make_training):
    training = make_training(holdout := Holdout(0.2, 3, seed=5), epochs=9)
    records = [m for m in training.until() if isinstance(m, EpochRecord)]
    assert [r.trained for r in records] == [12] * 3
    assert (training.ledger.column("trained") == 3 * holdout.held(60)).all()
    assert training.learner.optimizer.param_groups[0]["lr"] < 0.05, "its learning rate decays to the end of its own epochs"
    assert (Holdout(0.2, 3, seed=6).held(60) != holdout.held(60)).any()


def test_what_is_held_out_is_drawn_in_every_epoch_and_nothing_else(make_ledger):
    holdout = Holdout(0.3, 2, seed=1)
    held = holdout.held(50)
    assert (held.dtype, held.sum()) == (np.bool_, 15)
    for index in (0, 1):
        drawn = holdout.draw(Epoch(index, 2), make_ledger(50), np.random.default_rng(index))
        assert drawn.tolist() == held.astype(float).tolist()
    assert holdout.length(9) == 2
