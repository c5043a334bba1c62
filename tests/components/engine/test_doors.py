"""Two toy methods at the doors that no listed method guards yet: the road carries them without a change."""

import numpy as np
import pytest

from components.epoch_records import EpochRecord
from components.selection.selector import Selector
from pipelines.training.checkpoints import pack, unpack


class KeepHardest(Selector):
    """Keeps ``share`` of the looked-at, by loss, at twice the weight."""

    def __init__(self, share):
        self.share = share
        self.asked, self.learnt, self.numbers = [], [], []

    def look(self, epoch):
        return "fresh"

    def keep(self, evidence, rng):
        kept = np.argsort(-evidence.signals.loss)[: round(self.share * len(evidence))]
        weight = np.zeros(len(evidence), np.float32)
        weight[kept] = 2.0
        self.asked.append((evidence.index.tolist(), evidence.index[weight > 0].tolist()))
        self.numbers.append(float(rng.random()))
        return weight

    def learn(self, evidence, examples):
        self.learnt.append((evidence.looked, len(evidence)))


class AdmitBright(Selector):
    """Admits what is brighter than the others, by its bytes alone, with a coin thrown for the rest."""

    admits = True

    def __init__(self):
        self.refused, self.learnt = set(), []

    def admit(self, rows, examples, rng):
        bright = examples.pixels[rows.index.numpy()].mean((1, 2, 3)) > 105
        passed = bright | (rng.random(len(rows)) < 0.2)
        self.refused |= set(rows.index[~passed].tolist())
        return passed.astype(np.float32)

    def learn(self, evidence, examples):
        self.learnt.append((evidence.looked, len(evidence)))


@pytest.fixture
def spied(make_training):
    """A run that notes the batches it steps on."""

    def build(selector, **options):
        training = make_training(selector, **options)
        training.stepped = []
        step = training.learner.step

        def spy(batch, *rest):
            training.stepped.append((batch.rows.index.tolist(), batch.weight.tolist()))
            return step(batch, *rest)

        training.learner.step = spy
        return training

    return build


@pytest.mark.parametrize(
    ("share", "look_size", "steps"),
    [(0.5, 16, [8, 8, 8, 6]), (0.25, 16, [8, 7]), (0.25, 40, [8, 7]), (0.5, 4, [8, 8, 8, 6]), (1, 16, [8] * 7 + [4])],
)
def test_kept_examples_are_refilled_to_full_batches_and_the_rest_is_flushed(spied, share, look_size, steps):
    training = spied(selector := KeepHardest(share), epochs=1, look_size=look_size)
    (record,) = [m for m in training.until() if isinstance(m, EpochRecord)]
    assert [len(index) for index, _ in training.stepped] == steps
    assert (record.drawn, record.looked, record.trained, record.steps) == (60, 60, sum(steps), len(steps))
    kept = [i for _, chosen in selector.asked for i in chosen]
    assert [i for index, _ in training.stepped for i in index] == kept
    assert {w for _, weight in training.stepped for w in weight} == {2.0}
    assert [len(seen) for seen, _ in selector.asked[:-1]] == [look_size] * (len(selector.asked) - 1)


def test_without_refill_what_one_look_keeps_is_trained_at_once(spied):
    training = spied(selector := KeepHardest(0.25), epochs=1, look_size=16, refill=False)
    list(training.until())
    assert [index for index, _ in training.stepped] == [chosen for _, chosen in selector.asked]
    assert [len(index) for index, _ in training.stepped] == [4, 4, 4, 3]


def test_the_ledger_counts_looks_and_steps_apart(spied):
    training = spied(selector := KeepHardest(0.5), epochs=2)
    list(training.until())
    kept = np.bincount([i for _, chosen in selector.asked for i in chosen], minlength=60)
    assert training.ledger.column("drawn").tolist() == training.ledger.column("looked").tolist() == [2] * 60
    assert training.ledger.column("trained").tolist() == kept.tolist()
    assert training.ledger.column("seen").tolist() == (2 + kept).tolist()


def test_a_method_that_looks_learns_from_looks_and_another_from_steps(spied):
    looking, stepping = spied(KeepHardest(0.5), epochs=1), spied(AdmitBright(), epochs=1)
    list(looking.until())
    list(stepping.until())
    assert looking.selector.learnt == [(True, 16), (True, 16), (True, 16), (True, 12)]
    assert {looked for looked, _ in stepping.selector.learnt} == {False}
    assert sum(size for _, size in stepping.selector.learnt) == stepping.ledger.column("trained").sum()


def test_what_is_not_admitted_is_never_fetched(spied):
    training = spied(selector := AdmitBright(), epochs=1)
    (record,) = [m for m in training.until() if isinstance(m, EpochRecord)]
    fetched = [i for batch in training.examples.fetched for i in batch]
    assert 0 < len(selector.refused) < 60
    assert sorted(fetched) == sorted(set(range(60)) - selector.refused)
    full, left = divmod(len(fetched), 8)
    assert [len(index) for index, _ in training.stepped] == [8] * full + [left] * (left > 0)
    assert (record.drawn, record.looked, record.trained) == (60, 0, len(fetched))


def test_no_two_looks_hear_the_same_random_numbers(spied):
    training = spied(selector := KeepHardest(0.5), epochs=2, look_size=4)
    list(training.until())
    assert len(set(selector.numbers)) == len(selector.numbers) == 30


def test_an_epoch_in_which_nothing_passes_has_no_loss(spied):
    training = spied(KeepHardest(0), epochs=1)
    (record,) = [m for m in training.until() if isinstance(m, EpochRecord)]
    assert (record.trained, record.steps, record.loss, record.accuracy) == (0, 0, None, None)


@pytest.mark.parametrize("make", [lambda: KeepHardest(0.3), AdmitBright], ids=["keep", "admit"])
def test_a_run_with_examples_in_the_queues_goes_on_as_if_it_had_not_stopped(make_training, make):
    def run(moments, state=None):
        training = make_training(make(), epochs=2, look_size=20)
        records = [] if state is None else unpack(training, state)
        for count, moment in enumerate(training.until(), 1):
            records += [moment] if isinstance(moment, EpochRecord) else []
            if count == moments:
                break
        numbers, tensors = pack(training, records)
        return numbers, {k: v.to("cpu", copy=True) for k, v in tensors.items()}

    whole = run(None)
    waited = set()
    for cut in (1, 2, 4, 5, 8, 9, 11, 14):
        state = run(cut)
        waited |= {k for k in ("looking", "training") if len(state[1][f"position.{k}.index"])}
        again = run(None, state)
        assert again[0] == whole[0]
        assert [k for k, v in whole[1].items() if v.numpy().tobytes() != again[1][k].numpy().tobytes()] == []
    assert "training" in waited


def test_a_method_is_asked_what_it_says_of_itself_also_where_it_admits_little(make_training):
    class AdmitFew(AdmitBright):
        def admit(self, rows, examples, rng):
            return (np.arange(len(rows)) == 0).astype(np.float32)

        def facts(self):
            return {"learnt": float(len(self.learnt))}

    training = make_training(AdmitFew(), epochs=1)
    (record,) = [m for m in training.until() if isinstance(m, EpochRecord)]
    assert [point["place"] for point in record.course] == [8 * k / 60 for k in range(1, 8)] + [1.0]
