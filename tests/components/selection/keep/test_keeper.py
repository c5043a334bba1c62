"""How examples become known at the door before the backward pass: by a fresh look, the last sight, or a whole batch at once."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from components.arrays import count_of
from components.epoch_records import EpochRecord
from components.selection.keep.adaselection import AdaSelection
from components.selection.keep.keeper import CORRECTION
from components.selection.keep.rule import ByRule
from components.selection.selector import Epoch, Selector


def records_of(training):
    return [m for m in training.until() if isinstance(m, EpochRecord)]


def test_a_fresh_look_sees_everything_and_trains_the_fraction(make_training):
    training = make_training(ByRule("big-loss", 0.25), epochs=2, look_size=20)
    records = records_of(training)
    assert [(r.looked, r.kept, r.trained) for r in records] == [(60, 15, 15)] * 2


def test_keeping_all_looks_at_nothing_and_is_training_on_everything(make_training):
    whole, kept = (make_training(s, epochs=2, dropout=0.0) for s in (Selector(), AdaSelection(1.0)))
    records_of(whole)
    assert [r.looked for r in records_of(kept)] == [0, 0]
    for name, value in whole.learner.model.state_dict().items():
        assert torch.equal(value, kept.learner.model.state_dict()[name])


def test_a_stale_look_serves_some_visits(make_training):
    training = make_training(ByRule("big-loss", 0.5, look="stale(3)"), epochs=7, look_size=20)
    records = records_of(training)
    assert [r.looked for r in records] == [60, 0, 0, 60, 0, 0, 60]
    assert [r.kept for r in records] == [30, 0, 0, 30, 0, 0, 30]
    assert [r.trained for r in records] == [30] * 7
    assert training.selector.planned_cost(7, 0) == pytest.approx(7 * 0.5 + 3 / 3)
    fetched = [len(b) for b in training.examples.fetched]
    assert sum(fetched) == 7 * 30 + 3 * 60


def test_what_is_recalled_is_the_last_sight_by_look_or_step(make_training):
    training = make_training(selector := ByRule("big-loss", 0.5, look="stale(2)"), epochs=2, look_size=60)
    asked = []
    keep = selector.keep
    selector.keep = lambda evidence, rng: asked.append((evidence.index.numpy(), evidence.signals.loss)) or keep(evidence, rng)
    moments = training.until()
    for moment in moments:
        if isinstance(moment, EpochRecord):
            break
    last = training.ledger.column("loss").copy()
    by_look = training.ledger.column("seen_by_look").copy()
    list(moments)
    (first, _), (index, loss) = asked
    assert sorted(first) == sorted(index) == list(range(60))
    assert (loss == last[index]).all()
    assert by_look.sum() == 30


def test_an_example_never_seen_is_looked_at_where_its_loss_would_be_recalled(make_training):
    class HalfFirst(ByRule):
        def draw(self, epoch, ledger, rng):
            weight = np.ones(len(ledger), np.float32)
            weight[:30] = epoch.index > 0
            return weight

    training = make_training(HalfFirst("big-loss", 0.5, look="stale(2)"), epochs=2, look_size=60)
    assert [r.looked for r in records_of(training)] == [30, 60]


def test_a_whole_batch_is_kept_or_skipped_by_its_training_pass(make_training):
    training = make_training(ByRule("big-loss", 0.5, look="whole-batch"), epochs=4)
    records = records_of(training)
    assert [r.looked + r.trained for r in records] == [60] * 4
    assert {r.kept for r in records} == {0}
    laps = training.clock.laps
    assert laps["forward"].examples == 4 * 60
    assert laps["backward"].examples == sum(r.trained for r in records)
    assert "look" not in laps
    assert [len(b) for b in training.examples.fetched] == ([8] * 7 + [4]) * 4
    assert sum(r.steps for r in records) == laps["backward"].times


def test_a_skipped_batch_moves_no_weight(make_training):
    training = make_training(ByRule("big-loss", 0.01, look="whole-batch"), epochs=1)
    training.selector.judged, training.selector.kept = 1000, 100  # far too many were kept: none is for long
    before = {k: v.clone() for k, v in training.learner.model.state_dict().items()}
    (record,) = records_of(training)
    assert (record.trained, record.looked, record.loss) == (0, 60, None)
    assert all(torch.equal(v, before[k]) for k, v in training.learner.model.state_dict().items())


@pytest.mark.parametrize("rule", ["big-loss", "small-loss", "coreset-1", "gradient-norm", "uniform"])
@given(st.integers(0, 10**6), st.sampled_from([0.1, 0.3, 0.5, 0.8]), st.sampled_from([-0.05, 0.0, 0.05]))
def test_whole_batches_keep_to_the_fraction_also_where_losses_drift(make_evidence, rule, seed, fraction, drift):
    rng = np.random.default_rng(seed)
    method = ByRule(rule, fraction, look="whole-batch")
    kept = 0
    for i in range(120):
        scale = np.exp(drift * i)
        method.learn(make_evidence(range(4), rng.normal(size=(4, 3)) * scale, rng.integers(0, 3, 4)), None)
        kept += method.worth
    assert abs(kept - fraction * 120) <= 1 / CORRECTION


def test_whole_batches_of_large_loss_are_the_ones_kept(make_evidence):
    rng = np.random.default_rng(0)
    method = ByRule("big-loss", 0.5, look="whole-batch")
    means, kept = [], []
    for _ in range(400):
        evidence = make_evidence(range(8), rng.normal(size=(8, 3)) * 2, rng.integers(0, 3, 8))
        method.learn(evidence, None)
        means.append(float(evidence.loss.mean()))
        kept.append(bool(method.keep(evidence, None).all()))
    means, kept = np.array(means), np.array(kept)
    assert means[kept].mean() > means[~kept].mean() + 0.5 * means.std()


@pytest.mark.parametrize(
    ("look", "epoch", "first", "expected"),
    [
        ("fresh", 3, 0, "fresh"),
        ("stale(2)", 0, 0, "fresh"),
        ("stale(2)", 1, 0, "recalled"),
        ("stale(2)", 4, 2, "fresh"),
        ("stale(2)", 1, 2, "fresh"),
        ("whole-batch", 5, 2, "whole-batch"),
    ],
)
def test_how_an_epoch_is_looked_at(look, epoch, first, expected):
    assert ByRule("big-loss", 0.5, look=look).look(Epoch(epoch, 8, first)) == expected
    assert ByRule("big-loss", 1.0, look=look).look(Epoch(epoch, 8, first)) is None


@pytest.mark.parametrize("look", ["stale", "stale(0)", "stale(1)", "stale(-2)", "Fresh", "whole", ""])
def test_other_looks_are_refused(look):
    with pytest.raises(ValueError, match="look must be 'fresh', 'whole-batch' or 'stale\\(n\\)' with n of 2 or more, got"):
        ByRule("big-loss", 0.5, look=look)


def test_the_gradient_by_the_input_is_asked_for_and_reaches_the_rule(make_training):
    training = make_training(ByRule("input-gradient-norm", 0.5), epochs=1)
    asked = []
    look = training.learner.look
    training.learner.look = lambda batch, **how: asked.append(how) or look(batch, **how)
    (record,) = records_of(training)
    assert asked == [{"by_input": True}] * 4
    assert record.trained == 30


def test_kept_texts_leave_with_those_of_like_length(make_training, make_texts, make_bert):
    """Padding of the trained batches stays near that of sorted ones, and nothing is dropped."""
    examples = make_texts(400)
    training = make_training(ByRule("uniform", 0.5), examples=examples, model=make_bert(), epochs=1, batch_size=8, look_size=32)
    lengths = examples.lengths
    stepped = []
    step = training.learner.step
    training.learner.step = lambda batch, *rest: stepped.append(batch.rows.index.numpy()) or step(batch, *rest)
    (record,) = records_of(training)
    kept = np.concatenate(stepped)
    assert len(kept) == len(set(kept)) == record.trained == 200
    assert [len(s) for s in stepped] == [8] * 25
    padded = sum(len(s) * lengths[s].max() for s in stepped)
    in_order = np.sort(lengths[kept]).reshape(25, 8)
    assert padded <= 1.15 * (8 * in_order.max(1)).sum()


def test_a_look_may_be_of_several_forward_passes(make_training):
    whole, parts = (make_training(AdaSelection(0.3), epochs=2, look_size=40, look_batch=b, dropout=0.0) for b in (40, 10))
    records = records_of(whole), records_of(parts)
    assert [(r.looked, r.kept) for r in records[0]] == [(r.looked, r.kept) for r in records[1]]
    assert parts.clock.laps["look"].times == 2 * whole.clock.laps["look"].times + 2 * 2
    for name, value in whole.learner.model.state_dict().items():
        torch.testing.assert_close(value, parts.learner.model.state_dict()[name])


@pytest.mark.parametrize("look_batch", [20, 10])
def test_what_one_pass_looked_at_is_not_fetched_again(make_training, look_batch):
    training = make_training(ByRule("big-loss", 0.4), epochs=2, look_size=20, look_batch=look_batch, dropout=0.0)
    again = make_training(ByRule("big-loss", 0.4), epochs=2, look_size=20, look_batch=look_batch, dropout=0.0)
    again.learner.picked = lambda batch, rows, answer: None
    assert records_of(training) == records_of(again)
    fetched = [sum(map(len, run.examples.fetched)) for run in (training, again)]
    assert fetched == [2 * (60 if look_batch == 20 else 84), 2 * 84]
    for name, value in training.learner.model.state_dict().items():
        assert torch.equal(value, again.learner.model.state_dict()[name])


def test_texts_are_fetched_again_for_their_padding(make_training, make_texts, make_bert):
    training = make_training(ByRule("big-loss", 0.5), make_texts(), make_bert(), epochs=1, look_size=16)
    training.learner.picked = None
    assert records_of(training)[0].trained == 20


@pytest.mark.parametrize(("fraction", "size"), [(0.1, 1280), (0.3, 427), (0.5, 256), (0.9, 142), (1.0, 128)])
def test_a_look_is_so_large_that_one_batch_is_kept(fraction, size):
    assert ByRule("big-loss", fraction).look_size(128) == size
    assert count_of(fraction, size) == 128


def test_what_is_trained_was_chosen_by_the_model_of_now(make_training):
    """With looks of the method's own size no step stands between a look and the step on what it kept."""
    method = AdaSelection(0.25)
    training = make_training(method, epochs=1, look_size=method.look_size(5), look_batch=7, batch_size=5)
    happened = []
    look, step = training.learner.look, training.learner.step
    training.learner.look = lambda batch, **how: happened.append("look") or look(batch, **how)
    training.learner.step = lambda batch, *rest: happened.append("step") or step(batch, *rest)
    records_of(training)
    assert happened == ["look", "look", "look", "step"] * 3
