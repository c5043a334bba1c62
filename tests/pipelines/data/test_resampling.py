"""Long tails, copies and both with label noise: sizes, ids and contents, by hand and for whatever is drawn."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.arrays import count_of
from pipelines.core import artifacts, tables
from pipelines.core.errors import UserError
from pipelines.costs.records import CostRecord
from pipelines.data.manifest import Manifest
from pipelines.data.resampling import duplicates, long_tail, profile
from pipelines.plan import plan
from pipelines.prepare import prepare
from pipelines.subset import subset
from pipelines.train import train
from pipelines.warm_up import warm_up
from tests.pipelines.records import task_plan

DIGITS = {"source": {"from": "scikit-learn", "name": "digits"}, "columns": {}, "kind": "image", "test": 0.2}
SIZES = st.lists(st.integers(1, 60), min_size=2, max_size=12).map(np.array)


def tail(ratio, seed=0):
    return task_plan(name="own", long_tail={"ratio": ratio, "seed": seed})


def copies(fraction, seed=0):
    return task_plan(name="own", duplicates={"fraction": fraction, "near": False, "seed": seed})


def labels_of(sizes):
    """Return labels of classes of these ``sizes``, mixed."""
    return np.random.default_rng(1).permutation(np.repeat(np.arange(len(sizes)), sizes))


def test_a_profile_by_hand():
    # 100 * 100^(-c / 2): 100, 10, 1; the largest is the second class, and of equal ones the first comes first.
    assert profile(np.array([80, 100, 80]), 100.0).tolist() == [10, 100, 1]
    # 32 * 2^(-c / 1): 32 and 16; a class of fewer keeps what it has.
    assert profile(np.array([32, 32]), 2.0).tolist() == [32, 16]
    assert profile(np.array([32, 9]), 2.0).tolist() == [32, 9]
    # CIFAR-10 at 100, whose smallest class has 50 of 5,000.
    assert profile(np.full(10, 5000), 100.0).tolist() == [5000, 2997, 1797, 1077, 646, 387, 232, 139, 83, 50]


@given(SIZES, st.floats(1.001, 1e6), st.integers(0, 99))
def test_a_tail_has_its_profile_of_every_class_and_rows_of_the_split_alone(sizes, ratio, seed):
    target = labels_of(sizes)
    train = np.arange(len(target))
    kept, told = long_tail(train, target, tail(ratio, seed))
    assert np.bincount(target[kept], minlength=len(sizes)).tolist() == profile(sizes, ratio).tolist()
    assert profile(sizes, ratio).min() >= 1
    assert profile(sizes, ratio).max() == sizes.max()
    assert (np.diff(kept) > 0).all()
    assert told.dropped == len(train) - len(kept)


@given(SIZES, st.floats(0.01, 0.99), st.integers(0, 99))
def test_copies_fill_the_size_are_spread_evenly_and_leave_no_class_empty(sizes, fraction, seed):
    target = labels_of(sizes)
    train = np.flatnonzero(np.arange(len(target)) % 7 < 6)
    count = count_of(fraction, len(train))
    if len(train) - count < len(np.unique(target[train])):
        with pytest.raises(UserError, match=r"duplicates.fraction: must leave one row of each class"):
            duplicates(train, target, copies(fraction, seed))
        return
    made, told = duplicates(train, target, copies(fraction, seed))
    ids = made.ids(len(target))
    assert len(ids) == len(train) == len(set(ids.tolist()))
    assert len(made.of) == count == told.copies
    assert set(made.of) <= set(made.kept) <= set(train)
    assert set(target[made.kept]) == set(target[train])
    times = np.bincount(np.searchsorted(made.kept, made.of), minlength=len(made.kept))
    assert times.max() - times.min() <= 1
    # What an id says: the row that it is a copy of, and which copy it is.
    assert (ids % len(target)).tolist() == [*made.kept, *made.of]
    assert (ids // len(target)).tolist() == [*[0] * len(made.kept), *made.turn]


def test_half_duplicates_are_half_of_the_rows_each_twice():
    made, told = duplicates(np.arange(100), None, copies(0.5))
    assert len(made.kept) == 50
    assert made.of.tolist() == made.kept.tolist()
    assert set(made.turn) == {1}
    assert told.model_dump() == {"fraction": 0.5, "near": False, "seed": 0, "copies": 50, "originals": 50}


def test_three_quarters_are_three_copies_of_each():
    made, _ = duplicates(np.arange(8), None, copies(0.75))
    assert made.of.tolist() == [*made.kept] * 3
    assert made.turn.tolist() == [1, 1, 2, 2, 3, 3]
    assert made.ids(10).tolist() == [*made.kept, *(made.kept + 10), *(made.kept + 20), *(made.kept + 30)]


def test_too_many_copies_are_refused_with_the_nearest_fraction():
    with pytest.raises(UserError, match=r"own.duplicates.fraction: .*2 of 4, got 0.75; the nearest that works is 0.5"):
        duplicates(np.arange(4), np.array([0, 0, 0, 1]), copies(0.75))


def test_another_seed_draws_others():
    first, second = (duplicates(np.arange(100), None, copies(0.3, seed))[0] for seed in (0, 1))
    assert first.kept.tolist() != second.kept.tolist()
    target = labels_of([50, 50])
    assert (
        long_tail(np.arange(100), target, tail(9.0, 0))[0].tolist()
        != long_tail(np.arange(100), target, tail(9.0, 1))[0].tolist()
    )


def test_all_three_in_order_on_digits(prepared):
    _, plain, test = prepared(**DIGITS)
    regimes = {"long_tail": {"ratio": 20.0}, "duplicates": {"fraction": 0.5, "seed": 3}, "label_noise": {"fraction": 0.25}}
    manifest, train, same = prepared(**DIGITS, limit=1000, **regimes)
    n, made, originals = len(train.ids), manifest.duplicates, len(train.ids) - round(len(train.ids) / 2)
    assert manifest.counts.model_dump() == {"train": n, "test": 359}
    assert sum(manifest.long_tail.sizes) == n == 1000 - manifest.long_tail.dropped
    expected = {"fraction": 0.5, "near": False, "seed": 3, "copies": n - originals, "originals": originals}
    assert made.model_dump() == expected
    assert manifest.label_noise.changed == round(0.25 * n)
    assert same.table == test.table
    of = train.table["copy_of"].to_pylist()
    assert [i for i, o in zip(train.ids, of, strict=True) if o is None] == train.ids[:originals].tolist()
    for i, original, pixels in zip(train.ids, of, train.examples.pixels, strict=True):
        assert i % 1797 == (i if original is None else original)
        place = plain.ids.tolist().index(i % 1797)
        assert (pixels == plain.examples.pixels[place]).all()


def test_a_task_without_regimes_says_nothing_of_them(prepared):
    manifest, train, _ = prepared(**DIGITS)
    assert not {"duplicates", "long_tail"} & manifest.dumped().keys()
    assert "copy_of" not in train.table.column_names


@pytest.mark.slow
def test_regimes_are_part_of_the_hash_and_the_same_twice(prepared):
    tasks = [{}, *2 * [{"duplicates": {"fraction": 0.5}}], {"duplicates": {"fraction": 0.5, "near": True}}]
    tasks += [{"long_tail": {"ratio": 9.0}}, {"long_tail": {"ratio": 9.0, "seed": 1}}]
    hashes = [prepared(**DIGITS, **more)[0].content for more in tasks]
    assert hashes[1] == hashes[2]
    assert len(set(hashes)) == len(tasks) - 1


def test_blocks_of_running_text_may_be_copied_exactly(prepared, tmp_path):
    (tmp_path / "books").mkdir()
    for i in range(8):
        (tmp_path / "books" / f"{i}.txt").write_text(f"it was the best of times {i} " * 9)
    task = {"kind": "language", "model": {"family": "gpt", "layers": 1, "width": 16, "heads": 2}, "test": 2, "block": 8}
    source = {"from": "folder", "folder": str(tmp_path / "books"), "files": "*.txt"}
    _, plain, test = prepared(source, {}, vocabulary=300, **task)
    _, train, same = prepared(source, {}, vocabulary=300, duplicates={"fraction": 0.5}, **task)
    assert same.table == test.table
    total = len(plain.ids) + len(test.ids)
    assert len(set(train.ids.tolist())) == len(plain.ids) == len(train.ids)
    assert (train.examples.tokens == plain.examples.tokens[train.ids % total]).all()


def test_noise_comes_after_copies_and_may_part_them(prepared):
    regimes = {"duplicates": {"fraction": 0.5}, "label_noise": {"fraction": 0.25}}
    _, train, _ = prepared(**DIGITS, **regimes)
    half = len(train.ids) - round(len(train.ids) / 2)
    pairs = train.examples.target[:half][: len(train.ids) - half] == train.examples.target[half:]
    assert 0 < pairs.sum() < len(pairs)


REFUSED = {
    "a tail of numbers": (
        {"predicts": "number", "long_tail": {"ratio": 9.0}},
        r"long_tail: is for classes, and this task has predicts",
    ),
    "no tail at all": ({"long_tail": {"ratio": 1.0}}, r"long_tail.ratio: .*greater than 1, got 1.0"),
    "nothing but copies": ({"duplicates": {"fraction": 1.0}}, r"duplicates.fraction: .*less than 1, got 1.0"),
    "no copies": ({"duplicates": {"fraction": 0.0}}, r"duplicates.fraction: .*greater than 0, got 0.0"),
    "a key that is none": ({"duplicates": {"fracton": 0.5}}, r"'fracton': no such key, did you mean 'fraction'"),
}


@pytest.mark.parametrize(("more", "said"), REFUSED.values(), ids=REFUSED)
def test_what_makes_no_sense_is_refused_by_name(prepared, more, said):
    with pytest.raises(UserError, match=said):
        prepared(**DIGITS, **more)


STREAM = {"tasks.digits.stream": True, "tasks.digits.training.epochs": 1, "task": "digits"}
NO_SECOND_SIGHT = {
    "two epochs": (
        {"tasks.digits.training.epochs": 2},
        r"training.epochs: must be 1 for a task with 'stream: true'.* got 2; the nearest",
    ),
    "a warm-up": (
        {"compare.swiftlearn": "two-epochs"},
        r"compare.swiftlearn: must start from a warm-up of 0 epochs.*'two-epochs' of 2.*: none",
    ),
    "a part of one": (
        {"warm_ups.part": {"epochs": 0.1}, "compare.infobatch": "part"},
        r"compare.infobatch: must start from a warm-up of 0 epochs.*'part' of 0.1",
    ),
    "a holdout": (
        {"warm_ups.held": {"epochs": 1, "holdout": 0.2}, "compare.rho-loss": "held"},
        r"compare.rho-loss: must start from a warm-up of 0 epochs",
    ),
    "two sights": (
        {"compare.swiftlearn": "none"},
        r"compare.swiftlearn: must have seen every example 2 times.*tasks.digits.stream lets",
    ),
}


@pytest.mark.parametrize(("changes", "said"), NO_SECOND_SIGHT.values(), ids=NO_SECOND_SIGHT)
def test_a_stream_refuses_what_sees_an_example_twice(write_params, changes, said):
    write_params(
        {**STREAM, "warm_ups": {"none": {"epochs": 0}, "two-epochs": {"epochs": 2}}, "compare": {"full": "none"}, **changes}
    )
    with pytest.raises(UserError, match=said):
        plan()


@pytest.mark.filterwarnings("ignore:The save_to_:DeprecationWarning")
def test_of_a_stream_no_example_is_drawn_twice(write_params, torch_as_it_was):
    """The ledger of each method counts the sights of every example; what was looked at was drawn for that step."""
    warm_ups = {"none": {"epochs": 0}}
    methods = {"full": {}, "adaselection": {"fraction": 0.3}, "multistage": {"n_0": 0.3}, "infobatch": {}}
    compare = dict.fromkeys(methods, "none")
    write_params({**STREAM, "warm_ups": warm_ups, "methods": methods, "compare": compare, "diagnose": {"warm_up": "none"}})
    plan()
    prepare()
    assert Manifest.prepared().stream is True
    warm_up("none")
    for name in methods:
        subset(name)
        train(name)
        counts = CostRecord.read(artifacts.cost_of("train", name)).counts
        assert counts.drawn <= counts.examples == 1438
        assert counts.trained <= counts.drawn
        ledger = tables.read_table(artifacts.result("train", name, "ledger.parquet"))[0]
        assert ledger["trained"].max() == 1, name
    counts = CostRecord.read(artifacts.cost_of("train", "adaselection")).counts
    assert counts.trained == pytest.approx(0.3 * 1438, abs=20)
