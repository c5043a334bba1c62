import numpy as np
import pytest

from components.epoch_records import EpochRecord
from components.rng import stream
from components.selection.draw.infobatch import InfoBatch
from components.selection.selector import Epoch

#: The mean is exactly 1: six lie below it, three above, and one on it, which is not below.
LOSS = [0.125, 0.25, 0.25, 0.375, 0.5, 0.5, 1.0, 1.5, 2.5, 3.0]
LOW = range(6)


def weights(make_ledger, selector, index=1, seed=0, loss=LOSS, seen=1):
    ledger = make_ledger(len(loss), loss=loss, seen=np.full(len(loss), seen))
    return selector.draw(Epoch(index, 8), ledger, stream(seed, "draw", index))


@pytest.mark.parametrize(("prune", "kept"), [(0.5, 3), (0.4, 3), (0.7, 1), (0.9, 0), (0.2, 4), (0, 6)])
def test_an_exact_number_of_the_low_stay_and_weigh_more(make_ledger, prune, kept):
    weight = weights(make_ledger, InfoBatch(prune))
    low = weight[list(LOW)]
    assert weight[6:].tolist() == [1, 1, 1, 1]
    assert (low > 0).sum() == kept == int((1 - prune) * 6)
    np.testing.assert_allclose(low[low > 0], 1 / (1 - prune), rtol=1e-6)


def test_the_expected_weight_of_every_example_is_one(make_ledger):
    draws = 2000
    mean = np.mean([weights(make_ledger, InfoBatch(0.5), seed=s) for s in range(draws)], axis=0)
    # A low example weighs 2 half of the time: a deviation of 1 a draw.
    assert (abs(mean - 1) < 4 / np.sqrt(draws)).all()
    assert (mean[6:] == 1).all()


def test_the_sum_of_the_weights_stays_that_of_all(make_ledger):
    assert weights(make_ledger, InfoBatch(0.5)).sum() == len(LOSS)


def test_nothing_is_pruned_before_every_example_was_seen(make_ledger):
    ledger = make_ledger(10, loss=LOSS, seen=[1] * 9 + [0])
    assert InfoBatch().draw(Epoch(1, 8), ledger, stream(0, "draw")).tolist() == [1] * 10
    assert weights(make_ledger, InfoBatch(), seen=0).tolist() == [1] * 10


@pytest.mark.parametrize(("until", "full_from"), [(0.875, 7), (0.5, 4), (0.6, 4), (1.0, 8)])
def test_the_last_epochs_train_on_all(make_ledger, until, full_from):
    pruned = [e for e in range(8) if (weights(make_ledger, InfoBatch(0.5, until), index=e) != 1).any()]
    assert pruned == list(range(full_from))


def test_each_epoch_prunes_others(make_ledger):
    loss = [0.1] * 40 + [5.0] * 10
    one, other = (weights(make_ledger, InfoBatch(), index=e, loss=loss) for e in (1, 2))
    assert (one != other).any()


def test_it_follows_the_losses_of_the_last_sight_through_a_run(make_training):
    training = make_training(InfoBatch(0.5, 0.75), epochs=4)
    expected = [60]
    drawn = []
    for moment in training.until():
        if not isinstance(moment, EpochRecord):
            continue
        drawn.append(moment.trained)
        loss = training.ledger.column("loss").astype(np.float64)
        low = int((loss < loss.mean()).sum())
        expected.append(60 - low + int(0.5 * low) if moment.epoch + 1 < 3 else 60)
    assert drawn == expected[:4]
    assert min(drawn) < 60


def test_weights_over_their_mean(make_ledger):
    theirs, ours = (weights(make_ledger, InfoBatch(0.5, weights=w)) for w in ("authors", "mean"))
    # Four of weight 1 and three of weight 2: their mean is 10 / 7.
    np.testing.assert_allclose(ours, theirs * 0.7, rtol=1e-6)
    assert ours[ours > 0].mean() == pytest.approx(1)


def test_the_plan_counts_the_epochs_that_prune():
    # Of 8 epochs the first has seen nothing and the last is full: six leave out half of an assumed 60 %.
    assert InfoBatch().planned_cost(8, 0) == pytest.approx(8 - 6 * 0.5 * 0.6)
    assert InfoBatch().planned_cost(8, 2) == pytest.approx(8 - 5 * 0.5 * 0.6)


@pytest.mark.parametrize(
    ("arguments", "text"), [((0.91,), "nearest that works is 0.9"), ((-0.1,), "works is 0"), ((0.5, 0), "until")]
)
def test_bounds(arguments, text):
    with pytest.raises(ValueError, match=text):
        InfoBatch(*arguments)
