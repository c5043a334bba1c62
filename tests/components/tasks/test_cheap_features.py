import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.tasks import cheap_features as module
from components.tasks.cheap_features import BINS, Bag, Bags

BAG = Bag(np.array([3, 5, 0, 3, 4], np.int32), np.array([0, 2, 2, 5]))
TEXTS = st.lists(st.lists(st.integers(0, 9), max_size=7), min_size=1, max_size=12)


def of_texts(texts):
    ends = np.concatenate([[0], np.cumsum([len(t) for t in texts])]).astype(np.int64)
    return Bags.of_tokens(np.array([token for text in texts for token in text], np.int32), ends)


def test_a_bag_adds_up_and_repeats_by_example():
    assert len(BAG) == 3
    assert BAG.sums(np.array([1.0, 2.0, 4.0, 8.0, 16.0])).tolist() == [3, 0, 28]
    assert BAG.repeated(np.array([7, 8, 9])).tolist() == [7, 7, 9, 9, 9]
    part = BAG.between(1, 3)
    assert (part.features.tolist(), part.ends.tolist()) == ([0, 3, 4], [0, 0, 3])
    assert (BAG.union().features.tolist(), BAG.union().ends.tolist()) == ([0, 3, 4, 5], [0, 4])


@given(TEXTS, st.integers(1, 20))
def test_chunks_make_no_difference(texts, chunk):
    whole = of_texts(texts).of(np.arange(len(texts)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "CHUNK", chunk)
        parted = of_texts(texts).of(np.arange(len(texts)))
    assert (parted.features == whole.features).all()
    assert (parted.ends == whole.ends).all()


def test_columns_have_bins_of_as_many_examples_and_no_feature_in_common():
    columns = np.stack([np.arange(80.0), np.r_[np.zeros(60), np.ones(20)]], 1)
    bags = Bags.of_columns(columns)
    bag = bags.of(np.arange(80))
    first, second = bag.features.reshape(80, 2).T
    assert np.bincount(first).tolist() == [80 // BINS] * BINS
    assert [np.unique(second[:60]).size, np.unique(second[60:]).size, bags.count] == [1, 1, BINS + 2]
    assert not set(first) & set(second)
