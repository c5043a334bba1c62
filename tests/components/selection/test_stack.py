import numpy as np
import pytest
import torch

from components.rng import stream
from components.run_position import Plan
from components.selection.draw.infobatch import InfoBatch
from components.selection.draw.short import Short
from components.selection.draw.swiftlearn import SwiftLearn
from components.selection.draw.uniform import Uniform
from components.selection.selector import Epoch, Selector, Subset
from components.selection.stack import Stack

PLAN = Plan(epochs=2, batch_size=8, look_size=16, look_batch=16, seed=0)


class KeepDouble(Selector):
    """Keeps all, at twice the weight, and counts what it learnt from."""

    def __init__(self):
        self.learnt = np.zeros(1, np.int64)

    def look(self, epoch):
        return "fresh"

    def keep(self, evidence, rng):
        return np.full(len(evidence), 2.0, np.float32)

    def learn(self, evidence, examples):
        self.learnt = self.learnt + len(evidence)

    def state(self):
        return {"learnt": self.learnt}

    def restore(self, state):
        self.learnt = state["learnt"]


class AdmitEven(Selector):
    """Admits the even places at a third of their weight."""

    admits = True

    def admit(self, rows, examples, rng):
        return (rows.index.numpy() % 2 == 0).astype(np.float32) / 3


def test_the_doors_of_all_members_stand_one_behind_the_other(make_training):
    training = make_training(stack := Stack([Uniform(0.5), AdmitEven(), KeepDouble()]), epochs=1)
    weights = []
    step = training.learner.step
    training.learner.step = lambda batch, *rest: weights.append(batch.weight.cpu()) or step(batch, *rest)
    list(training.until())
    drawn, looked, trained = (training.ledger.column(n) for n in ("drawn", "looked", "trained"))
    assert drawn.sum() == 30
    assert trained.tolist() == looked.tolist() == (drawn * (np.arange(60) % 2 == 0)).tolist()
    torch.testing.assert_close(torch.cat(weights), torch.full((int(trained.sum()),), 2 / 3))
    assert stack.members[2].learnt == looked.sum()


def test_weights_multiply_at_every_door(make_rows, make_images, make_evidence, make_ledger):
    stack = Stack([InfoBatch(0.5), AdmitEven(), KeepDouble()])
    ledger = make_ledger(4, loss=[0.1, 0.2, 3, 4], seen=[1, 1, 1, 1])
    assert sorted(stack.draw(Epoch(1, 8), ledger, stream(0, "draw")).tolist()) == [0, 1, 1, 2]
    assert stack.admit(make_rows([0, 1, 2]), make_images(), None).tolist() == pytest.approx([1 / 3, 0, 1 / 3])
    assert stack.keep(make_evidence([0, 1], np.zeros((2, 4)), [0, 1]), None).tolist() == [2, 2]


def test_subsets_multiply_and_every_member_begins_with_the_product():
    stack = Stack([SwiftLearn(0.5), KeepDouble()])
    scores = {"id": np.arange(4), "change": np.array([4, 3, 2, 1], np.float32)}
    subset = stack.select(scores, stream(0, "subset"))
    assert subset.weight.tolist() == [1, 1, 0, 0]
    assert subset.score.tolist() == [4, 3, 2, 1]
    stack.begin(Subset(np.array([0, 0, 1, 1], np.float32), subset.score), PLAN)
    assert stack.members[0].weight.tolist() == [0, 0, 1, 1]


def test_it_needs_what_any_member_needs():
    stack = Stack([SwiftLearn(0.3, refresh=2), KeepDouble()])
    assert (stack.admits, stack.look(Epoch(0, 8)), stack.sights) == (False, "fresh", 2)
    assert [stack.sweeps(Epoch(e, 8, 2)) for e in (2, 3, 4)] == [False, False, True]
    assert Stack([Short(2.5), KeepDouble()]).length(6) == 2.5
    assert Stack([SwiftLearn(0.3), KeepDouble()]).planned_cost(10, 2) == pytest.approx(4.4)


def test_states_do_not_mix():
    stack = Stack([SwiftLearn(0.3), KeepDouble()])
    stack.members[0].weight, stack.members[1].learnt = np.ones(3, np.float32), np.array([7])
    other = Stack([SwiftLearn(0.3), KeepDouble()])
    other.restore(stack.state())
    assert other.members[0].weight.tolist() == [1, 1, 1]
    assert other.members[1].learnt.tolist() == [7]


@pytest.mark.parametrize(
    ("members", "names", "door"),
    [
        ([Uniform(0.3), SwiftLearn(0.3)], "Uniform and SwiftLearn", "draw"),
        ([KeepDouble(), Uniform(0.3), KeepDouble()], "KeepDouble and KeepDouble", "keep"),
        ([AdmitEven(), AdmitEven()], "AdmitEven and AdmitEven", "admit"),
    ],
)
def test_two_guards_of_one_door_are_refused(members, names, door):
    with pytest.raises(ValueError, match=f"{names} both guard the door '{door}'"):
        Stack(members)
