import numpy as np
import pytest
from sklearn.naive_bayes import BernoulliNB

from components.epoch_records import EpochRecord
from components.run_position import Plan
from components.selection.admit.multistage import Multistage
from components.selection.selector import Epoch, Subset
from components.tasks.text import Texts

PLAN = Plan(epochs=2, batch_size=4, look_size=8, look_batch=8, seed=0)
#: Token 1 marks what is hard, token 2 what is easy.
HARD = np.arange(40) % 4 == 0


@pytest.fixture(scope="module")
def texts():
    rng = np.random.default_rng(0)
    rows = np.stack([np.where(HARD, 1, 2), *rng.integers(3, 20, (2, 40))], 1).astype(np.int32)
    return Texts(rows.ravel(), np.arange(41) * 3, np.zeros(40, np.int64), 2, 0)


@pytest.fixture
def taught(make_evidence, texts):
    """A method that has learnt from all texts in order, whose loss is 2 where they are hard and else 0.1."""

    def build(method, rounds=1, losses=None):
        method.begin(Subset.everything(40), PLAN)
        losses = np.where(HARD, 2.0, 0.1) if losses is None else losses
        for place in [*range(0, 40, 8)] * rounds:
            evidence = make_evidence(range(place, place + 8), np.zeros((8, 2)), [0] * 8)
            evidence.loss.copy_(evidence.loss.new_tensor(losses[place : place + 8]))
            method.learn(evidence, texts)
        return method

    return build


def admitted(method, texts, make_rows, rng=None):
    return method.admit(make_rows(range(40)), texts, rng)


def test_the_stages_turn_over_and_say_so(taught):
    method = taught(Multistage(n_0=0.2, k=2, w=4, alt=0.3), rounds=4)
    assert method.stage == 2
    assert method.admits
    stage_1, stage_2 = method.events()
    assert stage_1.startswith("stage 1: stage 0 ended after 8 examples")
    assert stage_2.startswith("stage 2: the mean of the last 4 predictor losses is 0.")
    assert method.remark() is None


def test_what_the_predictor_knows_to_be_easy_is_refused(taught, texts, make_rows):
    method = taught(Multistage(n_0=0.2, k=2, w=4, alt=0.3), rounds=4)
    assert (admitted(method, texts, make_rows) == HARD).all()


def test_the_predictor_learns_the_decisions_of_stage_1_alone(taught, texts, make_rows):
    method = taught(Multistage(n_0=0.2, k=2))
    assert method.predictor.examples.tolist() == [24, 8]
    theirs = BernoulliNB()
    present = np.zeros((40, 20), bool)
    present[np.arange(40)[:, None], texts.tokens.reshape(40, 3)] = True
    known = present[:, present.any(0)]
    theirs.partial_fit(known[8:], HARD[8:], classes=[False, True])
    probability = theirs.predict_log_proba(known)
    odds = method.predictor.log_odds(texts.bags.of(np.arange(40)))
    assert odds == pytest.approx(probability[:, 1] - probability[:, 0], abs=1e-6)


def test_if_stage_2_is_not_reached_the_setting_that_kept_it_is_named(taught):
    method = taught(Multistage(n_0=0.2, k=2, w=4, alt=1e-9))
    assert method.stage == 1
    assert method.remark().startswith("stage 1, and no forward pass was skipped: the mean of the last 4 predictor losses is")
    assert method.remark().endswith("stage 2 begins at alt: 1e-09 over w: 4")


def test_a_loss_measured_before_learning_is_larger(taught):
    honest, optimistic = (taught(Multistage(n_0=0.2, k=2, predictor_loss=p)) for p in ("before", "after"))
    assert honest.losses.mean() > optimistic.losses.mean()
    assert honest.predictor.counts.tolist() == optimistic.predictor.counts.tolist()


@pytest.mark.parametrize("loss", [0.0, 5.0])
def test_a_stream_of_one_decision_neither_divides_by_zero_nor_refuses_everything(taught, texts, make_rows, loss):
    losses = np.full(40, loss)
    losses[:8] = 1.0  # the threshold, frozen: everything after it is under it, or over
    method = taught(Multistage(n_0=0.2, k=2, w=1, alt=0.6, threshold_update="frozen"), losses=losses)
    assert sorted(method.predictor.examples.tolist()) == [0, 32]
    assert method.losses.tolist() == pytest.approx([np.log(2)])
    assert method.stage == 1
    assert admitted(method, texts, make_rows).all()


def test_some_of_the_refused_are_explored(taught, texts, make_rows):
    method = taught(Multistage(n_0=0.2, k=2, w=4, alt=0.3, explore=0.5), rounds=4)
    passed = admitted(method, texts, make_rows, np.random.default_rng(0))
    assert method.chance
    assert passed[HARD].all()
    assert 0 < passed[~HARD].mean() < 1


def test_a_batch_is_admitted_as_a_whole_by_all_its_features(taught, texts, make_rows):
    method = taught(Multistage(n_0=0.2, k=2, w=1, alt=9.0, granularity="batch"), rounds=2)
    assert method.look(Epoch(0, 2)) == "whole-batch"
    assert len(set(admitted(method, texts, make_rows).tolist())) == 1
    assert method.predictor.examples.sum() == 9


def test_it_goes_on_from_its_state(taught, texts, make_rows):
    method = taught(Multistage(n_0=0.2, k=2, w=4, alt=0.3), rounds=4)
    again = Multistage(n_0=0.2, k=2, w=4, alt=0.3)
    again.begin(Subset.everything(40), PLAN)
    again.restore(method.state())
    assert (admitted(again, texts, make_rows) == admitted(method, texts, make_rows)).all()
    assert again.facts() == method.facts()


@pytest.mark.parametrize("granularity", ["example", "batch"])
def test_what_is_refused_is_neither_fetched_nor_seen_and_later_epochs_stay_in_stage_2(make_training, make_images, granularity):
    images = make_images(80)
    method = Multistage(n_0=0.3, k=2, w=1, alt=9.0, explore=0.2, granularity=granularity)
    training = make_training(method, examples=images, epochs=3)
    method.begin(Subset.everything(80), training.plan)
    records = [m for m in training.until() if isinstance(m, EpochRecord)]
    assert [bool(r.events) for r in records] == [True, False, False]
    assert method.stage == 2
    refused = 80 - records[2].looked
    if granularity == "batch":
        refused -= records[2].trained
    assert refused > 0
    assert sum(len(batch) for batch in images.fetched) == sum(r.looked + r.trained for r in records)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"w": 0}, "w must be at least 1, got 0; the nearest that works is 1"),
        ({"alt": 0.0}, "alt must be above 0, got 0.0; one that works: 0.5"),
        ({"explore": 1.0}, r"explore must be in \[0, 1\), got 1.0; the nearest that works is 0.99"),
        ({"explore": -0.1}, r"explore must be in \[0, 1\), got -0.1; the nearest that works is 0"),
        ({"predictor_loss": "never"}, "predictor_loss must be one of before, after, got 'never'"),
        ({"n_0": 1.5}, r"n_0 must be in \(0, 1\)"),
    ],
)
def test_bad_settings_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Multistage(**arguments)
