"""Groups of rows are never divided between splits."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.rng import stream
from pipelines.core.errors import UserError
from pipelines.data.splits import groups

NAMES = st.lists(st.sampled_from("abcdefg"), min_size=2, max_size=40).filter(lambda n: len(set(n)) > 1)


@given(NAMES, st.integers(0, 2**31), st.data())
def test_no_group_is_in_both_and_the_cut_is_the_least_that_has_enough(names, seed, data):
    group = np.array(names)
    ids = np.flatnonzero(stream(seed, "kept").random(len(group)) < 0.9)
    if len(set(group[ids])) < 2:
        return
    size = data.draw(st.integers(1, len(ids) - 1))
    try:
        order, cut = groups.drawn(ids, size, group, stream(seed, "split"), "here")
    except UserError:
        return
    assert sorted(order) == ids.tolist()
    assert not set(group[order[:cut]]) & set(group[order[cut:]])
    last = group[order[cut - 1]]
    assert size <= cut < size + (group[ids] == last).sum()
    again = groups.drawn(ids, size, group, stream(seed, "split"), "here")
    assert (again[0].tolist(), again[1]) == (order.tolist(), cut)


def test_without_groups_it_is_the_permutation_of_before():
    ids = np.arange(20)
    order, cut = groups.drawn(ids, 7, None, stream(3, "split"), "here")
    assert (order.tolist(), cut) == (stream(3, "split").permutation(ids).tolist(), 7)


def test_all_groups_cut_off_are_refused_with_the_nearest_size():
    group = np.array(["a"] * 3 + ["b"] * 5)
    with pytest.raises(UserError, match=r"here: must leave one of the 2 groups to train on, got 6 of 8 rows; .* is [35]$"):
        groups.drawn(np.arange(8), 6, group, stream(0, "split"), "here")
    with pytest.raises(UserError, match=r"must leave one of the 1 groups to train on, got 1 of 3 rows$"):
        groups.drawn(np.arange(3), 1, group, stream(0, "split"), "here")


@pytest.fixture
def texts(tmp_path):
    def write(name, rows):
        lines = [f"{'good film' if g % 2 else 'dull bore'} {'a ' * (g % 5)},{g % 2},{g // 2}" for g in rows]
        (tmp_path / name).write_text("\n".join(["text,label,author", *lines]))
        return str(tmp_path / name)

    return write


COLUMNS = {"text": "text", "label": "label", "group": "author"}


def test_texts_are_divided_by_group_and_so_is_a_validation_part(prepared, texts):
    source = {"from": "files", "train": texts("rows.csv", range(40))}
    _, train, test = prepared(source, COLUMNS, test=0.25)
    assert (len(train.ids), len(test.ids)) == (30, 10)
    assert not set(train.ids // 2) & set(test.ids // 2)
    _, left, judged = prepared(source, COLUMNS, test=0.25, validation=0.2)
    assert set(left.ids) | set(judged.ids) == set(train.ids)
    assert not set(left.ids // 2) & set(judged.ids // 2)
    _, fewer, same = prepared(source, COLUMNS, test=0.25, validation=0.2, limit=9)
    assert same.ids.tolist() == judged.ids.tolist()
    assert set(fewer.ids) < set(left.ids)


def test_a_group_in_both_splits_of_a_source_is_refused(prepared, texts):
    source = {"from": "files", "train": texts("rows.csv", range(20)), "test": texts("test.csv", range(18, 24))}
    with pytest.raises(UserError, match=r"columns.group: 1 groups are in both splits of the source, the first of them '9'"):
        prepared(source, COLUMNS)


def test_a_row_without_a_group_is_refused(prepared, tmp_path):
    (tmp_path / "rows.csv").write_text("text,label,author\ngood,1,a\nbad,0,\n")
    with pytest.raises(UserError, match=r"author: id 1 has no group; name one in each row"):
        prepared({"from": "files", "train": str(tmp_path / "rows.csv")}, COLUMNS, test=1)
