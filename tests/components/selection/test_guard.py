"""The guard opens admit and keep to random choice while a method unlearns, and is shut again when it recovers."""

import numpy as np
import pytest
import torch

from components.epoch_records import EpochRecord
from components.evidence.evidence import Evidence
from components.evidence.objectives import OBJECTIVES
from components.run_position import Plan
from components.selection.draw.uniform import Uniform
from components.selection.guard import Guarded, can_unlearn
from components.selection.keep.rule import ByRule
from components.selection.selector import Selector, Subset
from components.tasks.batch import Rows
from components.tasks.language import Blocks
from components.tasks.table import Records

N, PLAN = 800, Plan(epochs=4, batch_size=100, look_size=100, look_batch=100, seed=3)
TARGET = np.repeat([0, 1], N // 2)  # a constant prediction loses log 2
EXAMPLES = Records(np.zeros((N, 1), np.float32), TARGET, 2)


class LowIndices(Selector):
    """Admits the lower half of all indices, and keeps the lowest quarter of a look."""

    admits = True

    def admit(self, rows, examples, rng):
        return rows.index.numpy() < N // 2

    def look(self, epoch):
        return "fresh"

    def keep(self, evidence, rng):
        index = evidence.index.numpy()
        return np.isin(index, np.sort(index)[: len(index) // 4])


class Halves(Selector):
    """Lets every second whole batch pass."""

    by_batch, count = True, 0

    def learn(self, evidence, examples):
        self.count += 1

    def keep(self, evidence, rng):
        return np.full(len(evidence), self.count % 2 == 0)


def guarded(*members):
    guard = Guarded(members or [LowIndices()])
    guard.begin(Subset.everything(N), PLAN)
    return guard


def looked(loss, first=0, **options):
    """Return the evidence of a look at a hundred examples of the mean ``loss``, which spread by a twentieth of it."""
    losses = torch.tensor(np.linspace(0.95 * loss, 1.05 * loss, 100), dtype=torch.float32)
    index = torch.arange(first, first + 100)
    return Evidence(index, torch.from_numpy(TARGET)[index], losses, torch.zeros(100, 2), True, **options)


def learn(guard, *losses):
    for loss in losses:
        guard.learn(looked(loss), EXAMPLES)
    return guard


def test_of_a_method_that_learns_nothing_is_changed():
    guard = learn(guarded(), 0.7, 0.69, 0.68, 0.6, 0.5, 0.45, 0.4, 0.38)
    evidence, rows = looked(0.4), Rows.unweighted(torch.arange(300, 500))
    assert not guard.open
    assert guard.events() == []
    np.testing.assert_array_equal(guard.keep(evidence, None), LowIndices().keep(evidence, None))
    np.testing.assert_array_equal(guard.admit(rows, EXAMPLES, None), LowIndices().admit(rows, EXAMPLES, None))


def test_a_model_at_chance_has_half_an_epoch():
    assert not learn(guarded(), 0.7, 0.7, 0.7).open
    guard = learn(guarded(), 0.7, 0.7, 0.7, 0.7)
    assert guard.open
    assert guard.events() == [
        "guard opened to random choice at the same cost: the mean loss is 0.7, a constant prediction's 0.6931; "
        "learnt 0%, at best 0%"
    ]
    assert guard.events() == []


def test_what_was_learnt_and_lost_opens_it_and_what_is_won_again_shuts_it():
    # Learnt: 1 - 0.35 / 0.6931 = 50 %. Half of it is left at a loss of 0.52, and three quarters at 0.43.
    guard = learn(guarded(), 0.35)
    assert not learn(guard, 0.5).open
    assert learn(guard, 0.55).open
    assert learn(guard, 0.45).open
    assert not learn(guard, 0.42).open
    opened, shut = guard.events()
    assert opened.startswith("guard opened to random choice at the same cost: the mean loss is 0.55")
    assert shut.startswith("guard closed, and the method chooses again: the mean loss is 0.42")


def test_chance_is_left_by_a_twentieth_at_least():
    guard = learn(guarded(), *[0.7] * 4, 0.685, 0.67)
    assert guard.open
    assert not learn(guard, 0.62).open


def test_noise_is_not_unlearning():
    """A block of losses that spread as widely as its mean is off says nothing."""
    guard = learn(guarded(), 0.35)
    losses = torch.zeros(100)
    losses[:2] = 0.55 * 50  # the mean is 0.55, and two standard errors of it are 0.77
    guard.learn(Evidence(torch.arange(100), torch.zeros(100, dtype=torch.int64), losses, torch.zeros(100, 2), True), EXAMPLES)
    assert not guard.open


def test_recalled_losses_are_old_ones_and_not_judged():
    guard = guarded()
    for _ in range(9):
        guard.learn(looked(0.9, recalled=True), EXAMPLES)
    assert not guard.open
    assert guard.seen == 0


def test_open_doors_let_as_many_pass_at_random():
    guard = learn(guarded(), *[0.7] * 4)
    evidence = looked(0.7)
    kept = guard.keep(evidence, None)
    assert kept.sum() == 25
    assert 5 < np.flatnonzero(kept).mean() - 12 < 60  # not the lowest, whose mean is 12
    np.testing.assert_array_equal(guard.keep(evidence, None), kept)
    assert (guard.keep(looked(0.7, first=100), None) != kept).any()
    admitted = guard.admit(Rows.unweighted(torch.arange(N)), EXAMPLES, None)
    assert admitted.sum() == pytest.approx(N / 2, abs=4 * np.sqrt(N) / 2)
    assert admitted[N // 2 :].sum() == pytest.approx(N / 4, abs=4 * np.sqrt(N / 2) / 2)


def test_whole_batches_pass_as_often_as_of_late():
    guard = learn(guarded(Halves()), *[0.7] * 400)
    assert guard.open
    assert guard.share == pytest.approx(0.5, abs=0.02)
    passed = []
    for _ in range(400):
        learn(guard, 0.7)
        answer = guard.keep(looked(0.7), None)
        assert answer.all() == answer.any()
        passed.append(answer.all())
    assert np.mean(passed) == pytest.approx(0.5, abs=4 * 0.5 / 20)
    assert passed != [n % 2 == 0 for n in range(400)]


def test_it_goes_on_from_its_state():
    one = learn(guarded(), 0.35, 0.5, 0.55)
    other = guarded()
    other.restore(one.state())
    assert (other.open, other.best, other.seen, other.constant) == (one.open, one.best, one.seen, one.constant)
    for guard in (one, other):
        learn(guard, 0.5, 0.42)
    assert one.state().keys() == other.state().keys()
    assert all(np.array_equal(v, other.state()[k]) for k, v in one.state().items())


@pytest.mark.parametrize(
    ("kind", "answers", "loss"),
    [
        ("class", np.array([0, 0, 0, 1]), -(0.75 * np.log(0.75) + 0.25 * np.log(0.25))),
        ("class", np.array([2, 2]), 0.0),
        ("number", np.array([1.0, 3.0], np.float32), 1.0),
        ("tokens", np.array([[5, 7, 7], [7, 5, 5]]), np.log(2)),
    ],
)
def test_the_loss_of_a_constant_prediction_is_that_worked_by_hand(kind, answers, loss):
    examples = Blocks(answers) if kind == "tokens" else Records(np.zeros((len(answers), 1), np.float32), answers, 3)
    assert OBJECTIVES[kind].constant_loss(examples) == pytest.approx(loss)


def test_of_tokens_the_frequencies_count_and_the_first_is_not_predicted():
    guard = guarded()
    tokens = np.tile(np.array([9, 1, 2], np.int32), (N, 1))
    losses = torch.full((100,), 0.7)
    evidence = Evidence(torch.arange(100), torch.zeros(100, 3), losses, torch.zeros(100, 2), True, OBJECTIVES["tokens"])
    guard.learn(evidence, Blocks(tokens))
    assert guard.constant == pytest.approx(np.log(2))


def test_one_class_alone_cannot_be_unlearnt():
    guard = guarded()
    only = Records(np.zeros((N, 1), np.float32), np.zeros(N, np.int64), 2)
    for _ in range(9):
        guard.learn(looked(0.9), only)
    assert not guard.open


def test_the_cost_planned_is_the_methods_own():
    rule = ByRule("big-loss", 0.3)
    assert Guarded([rule]).planned_cost(7, 1.5) == rule.planned_cost(7, 1.5)


def test_a_method_of_the_door_draw_has_none():
    assert can_unlearn(ByRule)
    assert can_unlearn(LowIndices)
    assert not can_unlearn(Uniform)
    assert not can_unlearn(Selector)


class OneClass(Selector):
    """Keeps an eighth of each look, of class 0 alone: the model forgets all other classes."""

    def look(self, epoch):
        return "fresh"

    def keep(self, evidence, rng):
        order = np.argsort(evidence.target.cpu().numpy(), kind="stable")
        return np.isin(np.arange(len(order)), order[: len(order) // 8])


def test_a_model_that_forgets_is_caught_at_the_same_cost(make_training, make_images):
    ends = {}
    for name, selector in (("pure", OneClass()), ("guarded", Guarded([OneClass()]))):
        examples = make_images(400, seed=3)
        examples.pixels[np.arange(400), 0, examples.target] = 255  # a row a class is bright
        training = make_training(selector, examples=examples, epochs=8, batch_size=20, look_size=80, dropout=0.0)
        selector.begin(Subset.everything(400), training.plan)
        records = [moment for moment in training.until() if isinstance(moment, EpochRecord)]
        training.sweep()
        events = [event["event"] for record in records for event in record.events]
        ends[name] = training.ledger.column("correct").mean(), sum(r.trained for r in records), events
    assert ends["pure"][2] == []
    assert ends["guarded"][2][0].startswith("guard opened to random choice at the same cost")
    assert ends["guarded"][1] == ends["pure"][1]
    assert ends["pure"][0] < 0.3  # of four classes
    assert ends["guarded"][0] > 0.6


def test_a_run_in_which_it_stays_shut_leaves_the_same_weights_and_ledger(make_training, make_images):
    left = []
    for selector in (ByRule("uniform", 0.5), Guarded([ByRule("uniform", 0.5)])):
        examples = make_images(400, seed=3)
        examples.pixels[np.arange(400), 0, examples.target] = 255
        training = make_training(selector, examples=examples, epochs=4, batch_size=20, look_size=40)
        selector.begin(Subset.everything(400), training.plan)
        assert not [e for moment in training.until() if isinstance(moment, EpochRecord) for e in moment.events]
        left.append([*training.learner.model.state_dict().values(), *training.ledger.tensors().values()])
    assert all(torch.equal(one.nan_to_num(), other.nan_to_num()) for one, other in zip(*left, strict=True))
