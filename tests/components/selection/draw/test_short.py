import numpy as np
import pytest

from components.epoch_records import EpochRecord
from components.selection.draw.short import Short, epochs_begun
from components.selection.selector import Epoch


@pytest.mark.parametrize(("length", "begun"), [(1, 1), (1.5, 2), (2.0000001, 2), (2.001, 3), (0.01, 1)])
def test_how_many_epochs_are_begun(length, begun):
    assert epochs_begun(length) == begun


def test_the_part_of_an_epoch_at_the_end_is_a_random_part_of_the_examples(make_training):
    training = make_training(Short(2.25), epochs=6)
    records = [m for m in training.until() if isinstance(m, EpochRecord)]
    assert [r.trained for r in records] == [60, 60, 15]
    trained = training.ledger.column("trained")
    assert sorted(set(trained.tolist())) == [2, 3]
    assert (trained == 3).sum() == 15
    assert [len(b) for b in training.examples.fetched[-2:]] == [8, 7]
    assert np.flatnonzero(trained == 3).tolist() != list(range(15))


def test_the_schedule_is_fully_decayed_at_its_own_end(make_training):
    training = make_training(Short(2.25), epochs=6)
    list(training.until())
    # The middle of the last 7 of 15 rows, that are a quarter of an epoch; the decay goes from 1.125 to 2.25.
    at = 2 + 0.25 * (15 - 3.5) / 15
    factor = 1 - (at - 1.125) / 1.125
    assert training.learner.optimizer.param_groups[0]["lr"] == pytest.approx(0.1 * factor)


def test_it_draws_everything_before_its_last_epoch(make_ledger):
    short = Short(2.5)
    assert all(short.draw(Epoch(e, 2.5), make_ledger(10), None).tolist() == [1] * 10 for e in (0, 1))


def test_the_control_takes_the_cost_it_is_given():
    assert Short.at_cost(4.4, epochs=10, warm_up=2) == {"epochs": 4.4}
    assert Short.at_cost(12, epochs=10, warm_up=0) == {"epochs": 10.0}
    assert Short(4.4).planned_cost(10, 0) == 4.4


@pytest.mark.parametrize("epochs", [0, -1, 0.001, float("nan")])
def test_no_length_at_all_is_refused(epochs):
    with pytest.raises(ValueError, match=r"epochs must be at least 0\.01"):
        Short(epochs)


@pytest.mark.parametrize(("weights", "power"), [("none", 0), ("square-root", 0.5), ("balanced", 1)])
def test_classes_may_weigh_alike(make_ledger, weights, power):
    target = np.repeat([0, 1, 2], [90, 9, 1])
    got = Short(3, weights).draw(Epoch(0, 3), make_ledger(100, 3, target=target), None)
    expected = np.repeat([90.0**-power, 9.0**-power, 1], [90, 9, 1])
    np.testing.assert_allclose(got, expected / expected.mean(), rtol=1e-5)
    if power == 1:
        assert [got[target == c].sum() for c in range(3)] == pytest.approx([100 / 3] * 3, rel=1e-5)


def test_a_part_of_an_epoch_is_weighted_too(make_ledger):
    target = np.repeat([0, 1], [6, 2])
    got = Short(0.5, "balanced").draw(Epoch(0, 0.5), make_ledger(8, 2, target=target), np.random.default_rng(0))
    assert (got > 0).sum() == 4
    assert all(w == pytest.approx(2 / 3 if c == 0 else 2) for w, c in zip(got, target, strict=True) if w)
