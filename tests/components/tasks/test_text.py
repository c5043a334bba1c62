from itertools import pairwise

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from components.tasks.text import Texts

CPU = torch.device("cpu")
TEXTS = st.lists(st.lists(st.integers(1, 50), min_size=1, max_size=7), min_size=1, max_size=8)


def collected(texts, pad=0):
    tokens = np.array([t for text in texts for t in text], np.int32)
    offsets = np.cumsum([0, *map(len, texts)])
    return Texts(tokens, offsets, np.arange(len(texts)) % 3, 3, pad)


@given(TEXTS, st.data(), st.integers(51, 60))
def test_a_batch_is_padded_on_the_right_to_its_longest(make_rows, texts, data, pad):
    index = data.draw(st.lists(st.integers(0, len(texts) - 1), min_size=1, max_size=6))
    batch = collected(texts, pad).fetch(make_rows(index), CPU)
    width = max(len(texts[i]) for i in index)
    ids = [texts[i] + [pad] * (width - len(texts[i])) for i in index]
    mask = [[1] * len(texts[i]) + [0] * (width - len(texts[i])) for i in index]
    assert batch.inputs["input_ids"].tolist() == ids
    assert batch.inputs["attention_mask"].tolist() == mask
    assert batch.inputs["input_ids"].dtype == batch.inputs["attention_mask"].dtype == torch.int64
    assert batch.target.tolist() == [i % 3 for i in index]


def test_the_tokens_of_a_second_text_are_marked_and_what_fills_up_is_not(make_rows):
    tokens, offsets, second = np.arange(1, 7, dtype=np.int32), np.array([0, 3, 4, 6]), np.array([2, 1, 0])
    examples = Texts(tokens, offsets, np.zeros(3, np.int64), 2, 0, second)
    types = examples.fetch(make_rows([1, 0, 2]), CPU).inputs["token_type_ids"]
    assert types.tolist() == [[0, 0, 0], [0, 0, 1], [1, 1, 0]]
    assert types.dtype == torch.int64
    assert "token_type_ids" not in collected([[1]]).fetch(make_rows([0]), CPU).inputs


@given(TEXTS, st.data())
def test_a_bag_has_each_token_of_a_text_once(texts, data):
    index = data.draw(st.lists(st.integers(0, len(texts) - 1), max_size=6))
    bags = collected(texts).bags
    known = sorted({token for text in texts for token in text})
    bag = bags.of(np.array(index, np.int64))
    assert bags.count == len(known)
    assert [[known[f] for f in bag.features[a:b]] for a, b in pairwise(bag.ends)] == [sorted(set(texts[i])) for i in index]


def test_lengths_and_weights(make_rows):
    examples = collected([[1, 2, 3], [4], [5, 6]])
    assert examples.lengths.tolist() == [3, 1, 2]
    assert len(examples) == 3
    batch = examples.fetch(make_rows([2, 0], [0.5, 2.0]), CPU)
    assert batch.weight.tolist() == batch.rows.weight.tolist() == [0.5, 2.0]
    assert len(batch) == 2
