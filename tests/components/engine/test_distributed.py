"""A batch in parts, exchanged to the bit, and a step that is that of one process; two ranks run in processes of their own."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from components.costs.clock import Clock, Lap
from components.engine.distributed import DistributedLearner, Group, Ranks
from components.engine.learner import Learner
from components.engine.optimizers import build_optimizer
from components.evidence.class_losses import WeighedClassification
from components.evidence.evidence import NonFiniteLossError
from components.evidence.objective import Objective
from components.evidence.objectives import OBJECTIVES
from components.tasks.augmentation import Augmentation, Crop, Erase, Flip, RandAugment
from components.tasks.batch import Rows

#: Batches that fall into equal parts, into unequal ones, and into one that is empty.
SIZES = (8, 7, 1)


class Kth(Ranks):
    def __init__(self, rank, count):
        self.rank, self.count = rank, count


@given(st.integers(0, 50), st.integers(1, 9))
def test_parts_are_contiguous_and_cover_a_batch(examples, count):
    parts = [Kth(rank, count).part(examples) for rank in range(count)]
    assert [i for part in parts for i in range(examples)[part]] == list(range(examples))
    lengths = [part.stop - part.start for part in parts]
    assert max(lengths) - min(lengths) <= 1


@pytest.mark.parametrize("examples", [0, 1, 2, 5, 6, 7, 8, 9])
def test_parts_filled_up_to_one_size_are_joined_without_what_filled_them(monkeypatch, examples):
    every = torch.arange(2 * examples).view(examples, 2)
    parts = [every[Kth(rank, 3).part(examples)] for rank in range(3)]
    group = object.__new__(Group)
    group.rank, group.count = 0, 3

    def gather(found, room):
        for rank, part in enumerate(parts):
            place = found[rank * len(room) : (rank + 1) * len(room)]
            place[: len(part)], place[len(part) :] = part, -1

    monkeypatch.setattr(torch.distributed, "all_gather_single", gather)
    torch.testing.assert_close(group.joined(parts[0], examples), every)


def test_ranks_take_the_time_of_the_slowest_and_the_cpu_time_of_all():
    clocks = [Clock({"train": Lap(2, 16, wall, cpu)}) for wall, cpu in ((3.0, 1.0), (2.0, 1.5))]
    assert Clock.together(clocks).laps == {"train": Lap(2, 16, 3.0, 2.5)}
    assert Clock.together(clocks[:1]) is clocks[0]


def test_one_process_is_all_there_is():
    alone = Ranks()
    assert (alone.leads, alone.highest(1), alone.all("x"), alone.part(5)) == (True, 1, ["x"], slice(0, 5))


def learner_of(model, kind=Learner, **options):
    return kind(model, build_optimizer(model, "sgd", 0.1, momentum=0.9), lambda epoch: 1.0, **options)


def rows_of(size, seed):
    rng = np.random.default_rng(seed)
    return Rows(torch.from_numpy(rng.permutation(60)[:size]), torch.from_numpy(rng.random(size, np.float32) + 0.5))


def every_other(evidence):
    return (np.arange(len(evidence)) % 2 == 0).astype(np.float32) * 2


class Numbers(nn.Module):
    """Predicts a number an image."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Linear(16, 1)

    def forward(self, input):
        return self.layer(input.flatten(1))


if "LEFT_BY_RANKS" in os.environ:

    @pytest.mark.parametrize("keep", [None, every_other])
    @pytest.mark.parametrize("clip_norm", [None, 0.05])
    @pytest.mark.parametrize("micro_batch", [None, 1, 3])
    @pytest.mark.parametrize("size", SIZES)
    def test_steps_are_those_of_one_process_as_a_rank(ranks, make_images, make_mlp, size, micro_batch, clip_norm, keep):
        images = make_images()
        own = learner_of(make_mlp(dropout=0.0), clip_norm=clip_norm)
        part = learner_of(make_mlp(dropout=0.0), DistributedLearner, clip_norm=clip_norm, micro_batch=micro_batch, group=ranks)
        for seed in range(4):
            rows = rows_of(size, seed)
            images.fetched.clear()
            batch = part.fetch(images, rows)
            assert images.fetched == [rows.index[ranks.part(size)].tolist() or rows.index[:1].tolist()]
            theirs, expected = part.step(batch, 0, keep), own.step(own.fetch(images, rows), 0, keep)
            assert theirs.index.tolist() == expected.index.tolist() == rows.index.tolist()
            assert (theirs.target == expected.target).all()
            assert theirs.target.dtype == torch.int64
            torch.testing.assert_close(theirs.loss, expected.loss)
            torch.testing.assert_close(theirs.output, expected.output, rtol=1e-5, atol=1e-5)
        for p, q in zip(part.model.parameters(), own.model.parameters(), strict=True):
            torch.testing.assert_close(p, q, rtol=1e-5, atol=1e-6)
        assert part.model.state_dict().keys() == own.model.state_dict().keys()

    @pytest.mark.parametrize("size", SIZES)
    def test_looks_by_input_are_those_of_one_process_as_a_rank(ranks, make_images, make_mlp, size):
        images, rows = make_images(), rows_of(size, 0)
        own, part = learner_of(make_mlp()), learner_of(make_mlp(), DistributedLearner, group=ranks)
        theirs, expected = part.look(part.fetch(images, rows), by_input=True), own.look(own.fetch(images, rows), by_input=True)
        torch.testing.assert_close(theirs.input_norm, expected.input_norm)
        torch.testing.assert_close(theirs.loss, expected.loss)
        assert theirs.looked

    @pytest.mark.parametrize("size", SIZES)
    def test_an_image_is_augmented_alike_on_any_rank_as_a_rank(ranks, make_images, make_mlp, size):
        images, rows = make_images(), rows_of(size, 0)
        changed = images.augmented(Augmentation([Crop(2), Flip(0.5), RandAugment(2, 20), Erase(0.5)], 0), 3)
        part = learner_of(make_mlp(), DistributedLearner, group=ranks)
        whole, own = changed.fetch(rows, torch.device("cpu")).inputs["input"], ranks.part(size)
        assert torch.equal(part.fetch(changed, rows).inputs["input"], whole[own] if own.stop > own.start else whole[:1])
        assert not torch.equal(whole, images.fetch(rows, torch.device("cpu")).inputs["input"])

    def test_a_skipped_batch_is_skipped_by_all_as_a_rank(ranks, make_images, make_mlp):
        images, part = make_images(), learner_of(make_mlp(), DistributedLearner, group=ranks)
        before = [p.clone() for p in part.model.parameters()]
        for _ in range(3):
            assert part.step(part.fetch(images, rows_of(7, 0)), 0, lambda e: np.zeros(len(e), np.float32)).looked
        assert all(torch.equal(p, q) for p, q in zip(before, part.model.parameters(), strict=True))
        assert not part.step(part.fetch(images, rows_of(7, 0)), 0).looked

    @pytest.mark.parametrize("place", [0, 6])
    def test_a_loss_that_is_no_number_is_raised_by_all_as_a_rank(ranks, make_images, make_mlp, monkeypatch, place):
        images, rows = make_images(), rows_of(7, 0)
        part = learner_of(make_mlp(), DistributedLearner, group=ranks)
        batch = part.fetch(images, rows)
        if place in range(7)[ranks.part(7)]:
            batch.inputs["input"][place - ranks.part(7).start] = torch.nan
        with pytest.raises(NonFiniteLossError) as raised:
            part.step(batch, 0)
        assert raised.value.index == int(rows.index[place])

    def test_numbers_are_learnt_from_floats_as_a_rank(ranks, make_images):
        images, rows = make_images(), rows_of(5, 0)
        images.target = np.linspace(-1, 1, 60, dtype=np.float32)
        part = learner_of(Numbers(), DistributedLearner, objective=OBJECTIVES["number"], group=ranks)
        evidence = part.step(part.fetch(images, rows), 0)
        assert evidence.target.tolist() == images.target[rows.index.numpy()].tolist()

    @pytest.mark.parametrize("kind", ["label sets", "weighed classes"])
    @pytest.mark.parametrize("size", SIZES)
    def test_other_losses_are_those_of_one_process_as_a_rank(ranks, make_images, make_mlp, size, kind):
        images = make_images()
        objective: Objective = WeighedClassification(torch.tensor([0.5, 1.0, 2.0, 4.0]), 0.1)
        if kind == "label sets":
            objective = OBJECTIVES["classes"]
            images.target = (np.random.default_rng(0).random((60, 4)) < 0.4).astype(np.uint8)
        own = learner_of(make_mlp(dropout=0.0), objective=objective)
        part = learner_of(make_mlp(dropout=0.0), DistributedLearner, objective=objective, group=ranks)
        for seed in range(3):
            rows = rows_of(size, seed)
            theirs, expected = part.step(part.fetch(images, rows), 0), own.step(own.fetch(images, rows), 0)
            assert torch.equal(theirs.target, expected.target)
            torch.testing.assert_close(theirs.loss, expected.loss)
        for p, q in zip(part.model.parameters(), own.model.parameters(), strict=True):
            torch.testing.assert_close(p, q, rtol=1e-5, atol=1e-6)

    def test_each_rank_has_its_own_dropout_and_gets_it_back_as_a_rank(ranks, make_mlp):
        torch.manual_seed(0)
        part = learner_of(make_mlp(), DistributedLearner, group=ranks)
        saved = part.random_state()
        drawn = torch.rand(3).tolist()
        assert ranks.all(drawn)[0] != ranks.all(drawn)[1]
        part.restore_random(saved)
        assert torch.rand(3).tolist() == drawn
        Path(os.environ["LEFT_BY_RANKS"], f"done.{ranks.rank}").touch()

    def test_the_highest_wish_is_that_of_all_as_a_rank(ranks):
        assert ranks.highest(2 * ranks.rank) == 2
        assert ranks.all({"rank": ranks.rank}) == [{"rank": 0}, {"rank": 1}]


@pytest.mark.slow
def test_two_ranks_do_what_one_process_does(left_by_ranks):
    """The tests called ``as_a_rank`` have passed in both processes."""
    assert {p.name for p in left_by_ranks.glob("done.*")} == {"done.0", "done.1"}
