import numpy as np
import pytest

from components.epoch_records import EpochRecord
from components.evidence.signals import Signals
from components.selection.keep.selective_backprop import SelectiveBackprop


def test_the_probability_is_the_share_of_smaller_losses_to_the_power_beta():
    method = SelectiveBackprop(beta=2.0, memory=4)
    method.take(Signals(np.float32([9.0])))
    method.take(Signals(np.float32([1, 2, 2, 4])))  # the 9 is forgotten
    got = method.score(Signals(np.float32([0.5, 1.0, 2.0, 3.0, 9.0])), None, None)
    np.testing.assert_allclose(got, [0, 0, (1 / 4) ** 2, (3 / 4) ** 2, 1])


@pytest.mark.parametrize(("beta", "share"), [(1.0, 1 / 2), (2.0, 1 / 3), (3.0, 1 / 4)])
def test_of_losses_that_stay_alike_the_expected_share_is_kept(make_evidence, beta, share):
    rng = np.random.default_rng(0)
    method, kept = SelectiveBackprop(beta=beta), []
    for _ in range(300):
        evidence = make_evidence(range(32), rng.normal(size=(32, 5)) * 2, rng.integers(0, 5, 32))
        method.learn(evidence, None)
        kept.append(method.keep(evidence, rng).mean())
    assert np.mean(kept[50:]) == pytest.approx(share, abs=0.02)


def test_the_first_epoch_trains_on_everything_and_fills_the_memory(make_training):
    training = make_training(SelectiveBackprop(memory=50), epochs=3)
    first, *others = [m for m in training.until() if isinstance(m, EpochRecord)]
    assert (first.looked, first.trained) == (0, 60)
    assert [r.looked for r in others] == [60, 60]
    assert all(0 < r.trained == r.kept < 60 for r in others)
    assert len(training.selector.losses) == 50
    assert training.selector.planned_cost(3, 0) == pytest.approx(1 + 2 * (1 / 3 + 1 / 2))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"beta": 0.0}, "beta must be at least"),
        ({"memory": 0}, "memory must be at least 1"),
        ({"look": "whole-batch"}, "look must"),
    ],
)
def test_what_cannot_be_is_refused(arguments, said):
    with pytest.raises(ValueError, match=said):
        SelectiveBackprop(**arguments)
