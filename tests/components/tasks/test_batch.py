import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from components.tasks.batch import Refill, Rows, epoch_order


def test_a_door_drops_zeros_and_multiplies_weights(make_rows):
    rows = make_rows([5, 6, 7], [1, 2, 4]).through(np.float32([0.5, 0.0, 3.0]))
    assert rows.index.tolist() == [5, 7]
    assert rows.weight.tolist() == [0.5, 12]
    assert len(rows.through(np.zeros(2, np.float32))) == 0


def test_a_door_that_says_yes_or_no_leaves_the_weights(make_rows):
    answer = np.array([True, False, True])
    rows = make_rows([5, 6, 7], [1, 2, 4]).through(answer)
    assert (rows.index.tolist(), rows.weight.tolist()) == ([5, 7], [1, 4])
    unweighted = Rows.unweighted(torch.tensor([5, 6, 7])).through(answer)
    assert (unweighted.index.tolist(), unweighted.weight.tolist()) == ([5, 7], [1, 1])
    assert unweighted.weight.stride(0) == 0


def test_rows_can_be_cut_and_joined(make_rows):
    rows = make_rows(range(7), range(7))
    assert [r.index.tolist() for r in rows.split(3)] == [[0, 1, 2], [3, 4, 5], [6]]
    assert rows.between(2, 4).weight.tolist() == [2, 3]
    assert rows.between(5, 7).then(rows.between(0, 1)).index.tolist() == [5, 6, 0]
    assert len(Rows.none()) == 0


@given(st.integers(1, 6), st.lists(st.integers(0, 14), max_size=8), st.integers(0, 3))
def test_the_queue_gives_full_batches_in_order_and_loses_nothing(make_rows, size, pushes, restart):
    queue, out, start = Refill(size), [], 0
    for turn, count in enumerate(pushes):
        rows = make_rows(range(start, start + count), [0.5 + i for i in range(start, start + count)])
        out += list(queue.push(rows))
        start += count
        assert len(queue.waiting) < size
        if turn == restart:
            queue = Refill(size, queue.waiting)
    full = len(out)
    out += list(queue.flush())
    assert all(len(rows) == size for rows in out[:full])
    assert len(out) - full == (start % size > 0)
    assert [i for rows in out for i in rows.index.tolist()] == list(range(start))
    assert [w for rows in out for w in rows.weight.tolist()] == [0.5 + i for i in range(start)]
    assert list(queue.flush()) == []


@given(st.integers(1, 6), st.lists(st.integers(0, 14), min_size=1, max_size=8), st.booleans())
def test_an_epoch_ends_without_a_batch_of_one_where_there_is_a_batch_before_it(make_rows, size, pushes, by_length):
    start, out = 0, []
    lengths = np.arange(120) % 7 if by_length else None
    queue = Refill(size, lengths=lengths)
    for turn, count in enumerate(pushes):
        shuffle = (lambda: np.random.default_rng(0)) if by_length else None
        out += list(queue.push(make_rows(range(start, start + count)), shuffle, last=turn == len(pushes) - 1))
        start += count
    before = len(out)
    out += list(queue.flush(shuffle))
    assert sorted(i for rows in out for i in rows.index.tolist()) == list(range(start))
    sizes = [len(rows) for rows in out]
    if size > 1 and (len(out) - before > 1 or (pushes[-1] > 1 and start > size)):
        assert 1 not in sizes
        assert max(sizes) <= size + 1


@given(st.integers(0, 3), st.integers(1, 9))
def test_what_waits_is_a_copy(make_rows, before, pushed):
    queue, rows = Refill(4), make_rows(range(pushed))
    list(queue.push(make_rows(range(before))))
    list(queue.push(rows))
    assert queue.waiting.index.untyped_storage().data_ptr() != rows.index.untyped_storage().data_ptr()


def order(weight, lengths=None, size=4, seed=0):
    lengths = None if lengths is None else np.asarray(lengths)
    return epoch_order(np.asarray(weight, np.float32), lengths, size, np.random.default_rng(seed))


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=40), st.integers(0, 5))
def test_a_smaller_draw_thins_the_order_of_a_larger_one(flags, seed):
    larger = [float(a or b) for a, b in flags]
    smaller = [2.0 * (a and not b) for a, b in flags]
    thinned = [i for i in order(larger, seed=seed).index.tolist() if smaller[i]]
    rows = order(smaller, seed=seed)
    assert rows.index.tolist() == thinned
    assert rows.weight.tolist() == [2.0] * len(thinned)


def test_the_order_is_shuffled_whole_and_carries_weights():
    rows = order(np.arange(50))
    assert sorted(rows.index.tolist()) == list(range(1, 50))
    assert rows.index.tolist() != list(range(1, 50))
    assert rows.weight.tolist() == rows.index.tolist()
    assert (rows.index.dtype, rows.weight.dtype) == (torch.int64, torch.float32)


@given(st.lists(st.integers(0, 1), min_size=1, max_size=120), st.integers(1, 5), st.integers(0, 3))
def test_bucketing_moves_rows_but_loses_none(weight, size, seed):
    lengths = np.random.default_rng(seed).integers(1, 30, len(weight))
    rows = order(weight, lengths, size, seed)
    assert sorted(rows.index.tolist()) == np.flatnonzero(weight).tolist()


def test_bucketing_puts_like_lengths_into_one_batch_and_shuffles_the_batches():
    lengths = np.random.default_rng(1).permutation(np.repeat(np.arange(1, 26), 4))
    spans = [lengths[rows.index.numpy()] for rows in order(np.ones(100), lengths).split(4)]
    assert all(len(set(span.tolist())) == 1 for span in spans)
    assert [span[0] for span in spans] != sorted(span[0] for span in spans)


def test_a_short_batch_stays_last():
    lengths = np.random.default_rng(1).integers(1, 30, 42)
    for seed in range(10):
        rows = order(np.ones(42), lengths, 4, seed)
        assert lengths[rows.index[-2:]].min() >= lengths[rows.index[:-2]].max()


@pytest.mark.parametrize("count", [1, 3])
def test_fewer_rows_than_a_batch(count):
    assert sorted(order([1] * count, [5] * count).index.tolist()) == list(range(count))
