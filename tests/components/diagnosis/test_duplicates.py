import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from components.diagnosis.duplicates import THRESHOLD, copies, similarity

ALWAYS = lambda a, b: True  # noqa: E731 - the shortest


def parts(*numbers):
    return pd.util.hash_array(np.unique(np.array(numbers, np.uint64)))


def digest(sets):
    return np.array([b"".join(sorted(s)).hex()[:16].encode() or b"empty" for s in sets], "S16")


def test_exact_and_near_copies_are_of_the_first_that_says_the_same():
    base = list(range(50))
    sets = [parts(*base), parts(*range(100, 150)), parts(*base), parts(*base[1:], 900), parts(*base[2:], 901, 902)]
    digests = np.array([b"a", b"b", b"a", b"c", b"d"])
    found = copies(digests, np.arange(5), sets, ALWAYS)
    assert found.of.tolist() == [0, 1, 0, 0, 0]
    assert found.exact.tolist() == [False, False, True, False, False]
    assert found.near.tolist() == [False, False, False, True, True]


def test_an_exact_copy_of_a_near_copy_is_of_the_first():
    base = list(range(50))
    sets = [parts(*base), parts(*base[1:], 900), parts(*base[1:], 900)]
    found = copies(np.array([b"a", b"c", b"c"]), np.arange(3), sets, ALWAYS)
    assert found.of.tolist() == [0, 0, 0]
    assert found.exact.tolist() == [False, False, True]


def test_near_copies_are_sought_among_those_that_are_named():
    base = list(range(50))
    sets = [parts(*base), parts(*base[1:], 900), parts(*base[2:], 901, 902)]
    digests = np.array([b"a", b"b", b"a", b"c"])
    assert copies(digests, np.array([0, 1, 3]), sets, ALWAYS).of.tolist() == [0, 0, 0, 0]
    assert copies(digests, np.array([0, 3]), [sets[0], sets[2]], ALWAYS).of.tolist() == [0, 1, 0, 0]
    assert copies(digests, np.array([1, 3]), sets[1:], ALWAYS).of.tolist() == [0, 1, 0, 1]


def test_who_does_not_agree_is_no_copy():
    base = list(range(50))
    sets = [parts(*base), parts(*base[1:], 900)]
    assert copies(np.array([b"a", b"c"]), np.arange(2), sets, lambda a, b: False).of.tolist() == [0, 1]


@given(st.integers(0, 10**6))
def test_whatever_is_called_a_copy_shares_enough_and_hardly_any_is_missed(seed):
    rng = np.random.default_rng(seed)
    sets, changed = [parts(*rng.integers(0, 2**30, 60).tolist()) for _ in range(8)], []
    for i in range(8):
        kept = rng.integers(30, 61)
        changed.append(np.concatenate([sets[i][:kept], parts(*rng.integers(0, 2**30, 60 - kept).tolist())]))
    found = copies(np.array([str(i).encode() for i in range(16)]), np.arange(16), sets + changed, ALWAYS)
    assert found.of[:8].tolist() == list(range(8))
    for i in range(8):
        shared = similarity(sets[i], changed[i])
        assert found.of[8 + i] in (i, 8 + i)
        if found.of[8 + i] == i:
            assert shared >= THRESHOLD
        else:
            assert shared < 0.95  # MinHash may miss what is near the threshold


def test_similarity_by_hand():
    assert similarity(np.array([1, 2, 3]), np.array([2, 3, 4])) == 0.5
    assert similarity(np.array([]), np.array([])) == 1
