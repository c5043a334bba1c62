import numpy as np
import pytest

from components.epoch_records import EpochRecord
from components.run_position import Plan
from components.selection.keep.loss_threshold import LossThreshold
from components.selection.selector import Epoch, Subset

PLAN = Plan(epochs=2, batch_size=4, look_size=8, look_batch=8, seed=0)
EPOCH = Epoch(0, 2)


@pytest.fixture
def learnt(make_evidence):
    """A method that has begun with so many examples, and learnt from the losses given, a list a batch."""

    def build(method, examples, *losses):
        method.begin(Subset.everything(examples), PLAN)
        for batch in losses:
            method.learn(with_losses(make_evidence, batch), None)
        return method

    return build


def with_losses(make_evidence, losses):
    n = len(losses)
    evidence = make_evidence(range(n), np.zeros((n, 2)), [0] * n)
    evidence.loss.copy_(evidence.loss.new_tensor(losses))
    return evidence


def kept(method, make_evidence, losses):
    return method.keep(with_losses(make_evidence, losses), None).tolist()


def test_stage_0_ends_with_its_share_and_the_threshold_is_the_mean_of_the_last_k_batches(learnt, make_evidence):
    method = learnt(LossThreshold(n_0=0.3, k=2), 40, [9, 9, 9, 9], [1, 2, 3, 4])
    assert (method.look(EPOCH), method.stage) == (None, 0)
    method.learn(with_losses(make_evidence, [1, 1, 1, 2.5]), None)
    assert (method.look(EPOCH), method.stage) == ("fresh", 1)
    assert method.low == pytest.approx((2.5 + 1.375) / 2)
    assert method.events() == ["stage 1: stage 0 ended after 12 examples, n_0 of the epoch; L_low is 1.938"]
    assert method.events() == []


@pytest.mark.parametrize(("update", "thresholds"), [("sliding", [2.0, 1.5, 0.5]), ("frozen", [2.0, 2.0, 2.0])])
def test_what_is_judged_is_judged_by_what_came_before_it(learnt, make_evidence, update, thresholds):
    method = learnt(LossThreshold(n_0=0.2, k=2, threshold_update=update), 40, [3.0] * 4, [1.0] * 4)
    for threshold, now in zip(thresholds, ([2.0] * 4, [0.0, 0.0, -1.0, -3.0], [0.0] * 4), strict=True):
        method.learn(with_losses(make_evidence, now), None)
        assert method.low == pytest.approx(threshold)
    assert kept(method, make_evidence, [method.low, method.low - 0.01, 9]) == [1, 0, 1]


def test_a_look_of_several_batches_gives_the_window_a_mean_each(learnt):
    method = learnt(LossThreshold(n_0=0.9, k=3), 40, [1, 1, 1, 1, 3, 3, 3, 3, 7, 9])
    assert method.window.tolist() == [1, 3, 8]


def test_a_window_of_examples_is_that_of_the_authors_code(learnt):
    method = learnt(LossThreshold(n_0=0.2, k=5, k_in="examples"), 40, [9, 9, 9, 1], [2, 3, 4, 5])
    assert method.low == pytest.approx(np.mean([1, 2, 3, 4, 5]))


def test_a_fixed_threshold_has_no_stage_0_and_stays(learnt, make_evidence):
    method = learnt(LossThreshold(0.3), 40, [9, 9, 9, 9])
    assert (method.look(EPOCH), method.low) == ("fresh", 0.3)
    assert kept(method, make_evidence, [0.1, 0.3, 0.29, 2]) == [0, 1, 0, 1]


def test_a_batch_is_kept_by_its_mean(learnt, make_evidence):
    method = learnt(LossThreshold(0.5, granularity="batch"), 40)
    assert method.look(EPOCH) == "whole-batch"
    assert kept(method, make_evidence, [0.0, 0.9]) == [0, 0]
    assert kept(method, make_evidence, [0.0, 1.0]) == [1, 1]


def test_a_run_turns_in_the_middle_of_its_first_epoch(make_training):
    training = make_training(method := LossThreshold(n_0=0.5, k=2), epochs=2)
    method.begin(Subset.everything(60), training.plan)
    first, second = (m for m in training.until() if isinstance(m, EpochRecord))
    assert (first.trained - first.kept, first.looked) == (32, 28)
    assert second.looked == 60
    assert second.trained == second.kept
    assert [e["step"] for e in first.events] == [4]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_0": 0.0}, r"n_0 must be in \(0, 1\), got 0.0; the nearest that works is 0.01"),
        ({"n_0": 1.0}, r"n_0 must be in \(0, 1\), got 1.0; the nearest that works is 0.99"),
        ({"k": 0}, "k must be at least 1, got 0; the nearest that works is 1"),
        ({"threshold": 0.0}, "threshold must be above 0, got 0.0; one that works: 0.3"),
        ({"k_in": "tokens"}, "k_in must be one of batches, examples, got 'tokens'"),
        ({"threshold_update": "never"}, "threshold_update must be one of sliding, frozen, got 'never'"),
        ({"granularity": "token"}, "granularity must be one of example, batch, got 'token'"),
    ],
)
def test_bad_settings_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        LossThreshold(**arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"k": 3}, r"k must be at most the 2 batches of stage 0 \(n_0: 0.2\), got 3; n_0: 0.3 is enough"),
        (
            {"k": 9, "k_in": "examples"},
            r"k must be at most the 8 examples of stage 0 \(n_0: 0.2\), got 9; n_0: 0.23 is enough",
        ),
    ],
)
def test_a_window_longer_than_stage_0_is_refused_before_training(arguments, message):
    with pytest.raises(ValueError, match=message):
        LossThreshold(n_0=0.2, **arguments).begin(Subset.everything(40), PLAN)
    LossThreshold(n_0=0.2, **arguments | {"k": arguments["k"] - 1}).begin(Subset.everything(40), PLAN)
