import numpy as np
import pytest
import scipy.special

from components.epoch_records import EpochRecord
from components.rng import stream
from components.run_position import Plan
from components.selection.draw.swiftlearn import SwiftLearn
from components.selection.selector import Epoch, Subset

PLAN = Plan(epochs=2, batch_size=8, look_size=16, look_batch=16, seed=0)

CHANGE = np.array([0.1, 0.5, 0.3, 0.9, 0.2], np.float32)
RNG = np.random.default_rng


def chosen(subset):
    return np.flatnonzero(subset.weight).tolist()


@pytest.mark.parametrize(
    ("fraction", "places"), [(0.2, [3]), (0.4, [1, 3]), (0.5, [1, 3]), (0.7, [1, 2, 3, 4]), (1, [0, 1, 2, 3, 4])]
)
def test_the_largest_changes_are_kept(fraction, places):
    subset = SwiftLearn(fraction).select({"change": CHANGE}, RNG(0))
    # Of 5 examples, 0.5 is 2.5 and 0.7 is 3.5: rounded to even.
    assert chosen(subset) == places
    assert set(subset.weight.tolist()) <= {0, 1}
    assert subset.score.tolist() == CHANGE.tolist()


def test_sampling_follows_the_softmax_of_standardised_changes():
    draws, sigma = 3000, 0.7
    expected = scipy.special.softmax((CHANGE - CHANGE.mean()) / CHANGE.std() / sigma)
    rule = SwiftLearn(0.2, select="sample", temperature=sigma)
    hits = np.sum([rule.select({"change": CHANGE}, RNG(s)).weight for s in range(draws)], axis=0) / draws
    assert (abs(hits - expected) < 4 * np.sqrt(expected * (1 - expected) / draws)).all()


def test_a_change_never_seen_is_refused():
    with pytest.raises(ValueError, match="example 1"):
        SwiftLearn(0.4).select({"change": np.array([1, np.nan, 2], np.float32)}, RNG(0))


def run_through(selector, make_ledger, epochs, first, changes):
    """Return what a run would see: the epochs that sweep, and the places that each epoch draws."""
    selector.begin(selector.select({"change": CHANGE}, RNG(0)), PLAN)
    swept, drawn = [], {}
    for index in range(first, epochs):
        epoch, ledger = Epoch(index, epochs, first), make_ledger(5, change=changes(index))
        if selector.sweeps(epoch):
            swept.append(index)
        selector.review(epoch, ledger, stream(0, "review", index))
        drawn[index] = np.flatnonzero(selector.draw(epoch, ledger, stream(0, "draw", index))).tolist()
    return swept, drawn


def leader(index):
    """Let the example at place ``index % 5`` have changed most."""
    return np.roll([9.0, 0, 0, 0, 0], index)


def test_without_refresh_the_first_choice_stays(make_ledger):
    swept, drawn = run_through(SwiftLearn(0.2), make_ledger, 8, 2, leader)
    assert swept == []
    assert set(map(tuple, drawn.values())) == {(3,)}


def test_a_sweep_every_k_epochs_chooses_anew_and_lets_the_dropped_return(make_ledger):
    swept, drawn = run_through(SwiftLearn(0.2, refresh=2), make_ledger, 9, 2, leader)
    assert swept == [4, 6, 8]
    assert drawn == {2: [3], 3: [3], 4: [4], 5: [4], 6: [1], 7: [1], 8: [3]}


def test_a_full_epoch_every_k_epochs_chooses_after_it(make_ledger):
    swept, drawn = run_through(SwiftLearn(0.2, refresh=2, refresh_by="epoch"), make_ledger, 9, 2, leader)
    everything = [0, 1, 2, 3, 4]
    assert swept == []
    assert drawn == {2: [3], 3: [3], 4: everything, 5: [0], 6: everything, 7: [2], 8: everything}


def test_with_k_one_each_epoch_after_the_first_sweeps(make_ledger):
    swept, drawn = run_through(SwiftLearn(0.2, refresh=1), make_ledger, 5, 2, leader)
    assert swept == [3, 4]
    assert drawn == {2: [3], 3: [3], 4: [4]}


def test_a_sweep_in_a_run_looks_at_all_and_chooses_by_what_it_saw(make_training):
    selector = SwiftLearn(0.3, refresh=2)
    training = make_training(selector, epochs=5, first=0)
    selector.begin(Subset.everything(60), PLAN)
    records, choices = [], []
    for moment in training.until():
        if isinstance(moment, EpochRecord):
            records.append(moment)
            choices.append(selector.weight.copy())
    assert [r.looked for r in records] == [0, 0, 60, 0, 60]
    assert [r.trained for r in records] == [60, 60, 18, 18, 18]
    assert (choices[2] != choices[4]).any()


@pytest.mark.parametrize("refresh_by", ["sweep", "epoch"])
@pytest.mark.parametrize(("epochs", "first", "refresh"), [(6, 2, None), (6, 2, 1), (7, 2, 2), (5, 2, 2), (6, 2, 4), (6, 2, 3)])
def test_the_planned_cost_is_that_of_the_run(make_training, refresh_by, epochs, first, refresh):
    selector = SwiftLearn(0.3, refresh=refresh, refresh_by=refresh_by)
    training = make_training(selector, epochs=epochs, first=first)
    selector.begin(Subset.everything(60), PLAN)
    list(training.until(first))
    weight = np.zeros(60, np.float32)
    weight[:18] = 1
    selector.begin(Subset(weight, weight), PLAN)
    list(training.until())
    trained, looked = (int(training.ledger.column(n).sum()) for n in ("trained", "looked"))
    assert (trained + looked / 3) / 60 == pytest.approx(selector.planned_cost(epochs, first))


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"fraction": 0}, r"fraction must be in \(0, 1\], got 0; the nearest that works is 0.01"),
        ({"fraction": 1.5}, r"fraction must be in \(0, 1\], got 1.5; the nearest that works is 1.0"),
        ({"fraction": float("nan")}, "fraction"),
        ({"fraction": 0.3, "select": "best"}, "select must be one of top, sample, got 'best'"),
        ({"fraction": 0.3, "temperature": 0}, "temperature must be at least 1e-06, got 0"),
        ({"fraction": 0.3, "refresh": 0}, "refresh must be at least 1, got 0"),
        ({"fraction": 0.3, "refresh_by": "look"}, "refresh_by must be one of"),
    ],
)
def test_bounds(arguments, text):
    with pytest.raises(ValueError, match=text):
        SwiftLearn(**arguments)
