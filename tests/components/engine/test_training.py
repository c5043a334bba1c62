"""A run: its batches, records and sweeps, and that stopping changes nothing."""

import numpy as np
import pytest
import torch
from torch import nn

from components.epoch_records import EpochRecord, Step
from components.selection.draw.uniform import Uniform
from components.selection.selector import Selector
from pipelines.training.checkpoints import pack, unpack


def records_of(moments):
    return [m for m in moments if isinstance(m, EpochRecord)]


def weights_of(training):
    return {k: v.clone() for k, v in training.learner.model.state_dict().items()}


def same_weights(one, other):
    return all(torch.equal(v, other[k]) for k, v in one.items())


def test_moments_tell_where_a_run_is(make_training, make_images):
    moments = list(make_training(examples=make_images(20), epochs=2).until())
    steps = [m for m in moments if isinstance(m, Step)]
    assert [(s.epoch, s.done, s.total) for s in steps] == [(e, d, 20) for e in (0, 1) for d in (8, 16, 20)]
    assert [type(m) for m in moments] == [Step, Step, Step, EpochRecord] * 2


def test_the_last_short_batch_is_trained_too(make_training, make_images):
    training = make_training(examples=make_images(20), epochs=1)
    (record,) = records_of(training.until())
    assert (record.drawn, record.trained, record.looked, record.steps) == (20, 20, 0, 3)
    assert [len(b) for b in training.examples.fetched] == [8, 8, 4]
    assert training.ledger.column("trained").tolist() == [1] * 20


@pytest.mark.parametrize(("n", "sizes"), [(17, [8, 9]), (9, [9]), (8, [8]), (1, [1]), (18, [8, 8, 2])])
def test_a_last_batch_of_one_joins_the_batch_before_it(make_training, make_images, n, sizes):
    training = make_training(examples=make_images(n), epochs=2)
    records = records_of(training.until())
    assert [len(b) for b in training.examples.fetched] == sizes * 2
    assert [(r.drawn, r.trained) for r in records] == [(n, n)] * 2


class AdmitEveryOther(Selector):
    admits = True

    def admit(self, rows, examples, rng):
        return np.arange(len(rows)) % 2 == 0


class KeepEveryOther(Selector):
    def look(self, epoch):
        return "fresh"

    def keep(self, evidence, rng):
        return np.arange(len(evidence)) % 2 == 0


@pytest.mark.parametrize("method", [Selector, AdmitEveryOther, KeepEveryOther])
@pytest.mark.parametrize("n", [*range(9, 19), 34])
def test_batch_norm_over_one_pixel_trains_on_any_number_of_examples(make_training, make_images, method, n):
    model = nn.Sequential(nn.Conv2d(1, 5, 4), nn.BatchNorm2d(5), nn.Flatten(), nn.Linear(5, 4))
    training = make_training(examples=make_images(n), model=model, selector=method(), epochs=2)
    assert [r.epoch for r in records_of(training.until())] == [0, 1]
    assert all(module.training for module in model.modules())
    assert all(torch.isfinite(p).all() for p in model.parameters())


def test_a_record_is_the_mean_of_what_the_steps_showed(make_training):
    training = make_training(epochs=1)
    losses, right = [], []
    step = training.learner.step

    def spy(batch, *rest):
        evidence = step(batch, *rest)
        losses.extend(evidence.loss.tolist())
        right.extend((evidence.output.argmax(1) == batch.target).tolist())
        return evidence

    training.learner.step = spy
    (record,) = records_of(training.until())
    assert record.loss == pytest.approx(np.mean(losses), rel=1e-5)
    assert record.accuracy == np.mean(right)
    assert record.learning_rate == training.learner.optimizer.param_groups[0]["lr"]


@pytest.mark.parametrize("end", [0.1, 0.37, 0.5, 0.999, 1.25])
@pytest.mark.parametrize("kind", ["images", "texts"])
def test_a_warm_up_may_end_inside_an_epoch_and_the_run_goes_on_at_the_next_example(
    request, make_training, make_texts, make_bert, end, kind
):
    options = {"examples": make_texts(60), "model": make_bert()} if kind == "texts" else {}
    training = make_training(epochs=2, **options)
    list(training.until(end))
    assert training.ledger.column("drawn").sum() == round(end * 60)
    list(training.until())
    assert training.ledger.column("drawn").tolist() == [2] * 60
    assert training.ledger.column("trained").tolist() == [2] * 60


def test_stopping_inside_an_epoch_changes_no_batch(make_training):
    stopped, straight = (make_training(epochs=2, constant=True, dropout=0.0) for _ in range(2))
    for end in (0.1, 0.35, 1.2):
        list(stopped.until(end))
    list(stopped.until())
    list(straight.until())
    assert stopped.examples.fetched == straight.examples.fetched
    assert same_weights(weights_of(stopped), weights_of(straight))


@pytest.mark.parametrize("end", [1, 0.5, 1.5])
def test_a_run_to_where_it_already_is_does_nothing(make_training, end):
    training = make_training(epochs=2)
    list(training.until(end))
    before = weights_of(training)
    assert list(training.until(end)) == []
    assert same_weights(before, weights_of(training))


def test_another_methods_draw_does_not_move_the_order(make_training):
    everything, some = make_training(epochs=1), make_training(Uniform(0.4), epochs=1)
    list(everything.until())
    list(some.until())
    drawn = some.ledger.column("drawn") > 0
    assert drawn.sum() == 24
    assert [i for b in some.examples.fetched for i in b] == [i for b in everything.examples.fetched for i in b if drawn[i]]


def test_the_weights_of_the_draw_reach_the_gradient(make_training):
    class Half(Selector):
        def draw(self, epoch, ledger, rng):
            return np.full(len(ledger), 0.5, np.float32)

    half, whole = (make_training(s, epochs=1, constant=True, dropout=0.0) for s in (Half(), Selector()))
    for group in whole.learner.optimizer.param_groups:
        group["initial_lr"] /= 2
    list(half.until())
    list(whole.until())
    for name, value in weights_of(half).items():
        torch.testing.assert_close(value, weights_of(whole)[name])


def test_a_sweep_looks_at_all_and_trains_on_none(make_training, make_texts, make_bert):
    training = make_training(examples=make_texts(30), model=make_bert(), looks_only=True)
    before = weights_of(training)
    training.sweep()
    training.sweep()
    assert training.ledger.column("looked").tolist() == [2] * 30
    assert training.ledger.column("change").tolist() == [0] * 30
    assert same_weights(before, weights_of(training))


def test_a_run_goes_on_from_every_moment_also_where_an_epochs_last_batch_was_full(make_training, make_images):
    def run(cut=None, state=None):
        training = make_training(examples=make_images(16), epochs=3)
        records = [] if state is None else unpack(training, state)
        for count, moment in enumerate(training.until(), 1):
            records += [moment] if isinstance(moment, EpochRecord) else []
            if count == cut:
                break
        numbers, tensors = pack(training, records)
        return numbers, {k: v.clone() for k, v in tensors.items()}

    whole = run()
    for cut in range(1, 10):
        again = run(state=run(cut))
        assert again[0] == whole[0]
        assert all(torch.equal(v, again[1][k]) for k, v in whole[1].items() if k.startswith("model."))


def test_bf16_trains_and_stays_near(make_training):
    full, half = (records_of(make_training(epochs=3, precision=p).until()) for p in ("fp32", "bf16"))
    assert half[-1].loss < half[0].loss
    assert half[-1].loss == pytest.approx(full[-1].loss, rel=0.05)
    assert half != full
