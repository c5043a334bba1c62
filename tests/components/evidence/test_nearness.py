import itertools
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.evidence import nearness
from components.evidence.nearness import BUCKETS, NEAREST, by_bags, by_features, by_ngrams
from components.tasks.cheap_features import Bags

TEXTS = st.lists(st.lists(st.integers(0, 30), min_size=1, max_size=8), min_size=2, max_size=12)


def packed(texts):
    return np.array([t for text in texts for t in text], np.int32), np.cumsum([0, *map(len, texts)])


def bucket(value):
    """Return the bucket of an integer, in Python's own numbers."""
    return ((value * 0x9E3779B97F4A7C15) % 2**64 >> 32) % BUCKETS


def ngrams(text):
    return [bucket(t) for t in text] + [bucket((a << 32) + b + 1) for a, b in itertools.pairwise(text)]


def slowly(texts, aimed):
    """Return the log ratio of each text, counted one n-gram after the other."""
    every = Counter(b for text in texts for b in ngrams(text))
    target = Counter(b for text, a in zip(texts, aimed, strict=True) if a for b in ngrams(text))
    sizes = [sum(c.values()) + BUCKETS for c in (target, every)]
    return [sum(np.log((target[b] + 1) / sizes[0]) - np.log((every[b] + 1) / sizes[1]) for b in ngrams(text)) for text in texts]


@given(TEXTS, st.data())
def test_the_ratio_of_ngrams_is_that_of_the_slow_count(texts, data):
    aimed = np.array(data.draw(st.lists(st.booleans(), min_size=len(texts), max_size=len(texts))))
    tokens, offsets = packed(texts)
    np.testing.assert_allclose(by_ngrams(tokens, offsets, aimed), slowly(texts, aimed), rtol=1e-4, atol=1e-4)


def test_texts_of_the_target_s_words_are_nearer():
    rng = np.random.default_rng(0)
    texts = [rng.integers(0, 50, 12) if i % 2 else rng.integers(40, 90, 12) for i in range(400)]
    aimed = np.array([i % 2 == 1 and i < 60 for i in range(400)])
    near = by_ngrams(*packed(texts), aimed)
    pool = ~aimed
    assert near[pool & (np.arange(400) % 2 == 1)].mean() > near[pool & (np.arange(400) % 2 == 0)].mean() + 3


def test_bags_of_bins_are_compared_the_same_way():
    columns = np.concatenate([np.zeros((50, 2)), np.ones((50, 2))]) + np.random.default_rng(0).normal(0, 0.1, (100, 2))
    aimed = np.arange(100) < 10
    near = by_bags(Bags.of_columns(columns), aimed)
    assert near[10:50].min() > near[50:].max()


@pytest.mark.parametrize("at_once", [1, 7, 4096])
def test_similarities_are_those_to_the_nearest_of_the_target_but_itself(monkeypatch, at_once):
    monkeypatch.setattr(nearness, "AT_ONCE", at_once)
    rng = np.random.default_rng(0)
    features = rng.normal(size=(60, 5)).astype(np.float32)
    aimed = np.arange(60) % 4 == 1
    centred = features - features.mean(0)
    unit = centred / np.linalg.norm(centred, axis=1, keepdims=True)
    expected = [np.sort([unit[i] @ unit[j] for j in np.flatnonzero(aimed) if j != i])[-NEAREST:].mean() for i in range(60)]
    np.testing.assert_allclose(by_features(features, aimed), expected, rtol=1e-4, atol=1e-5)


def test_a_target_of_one_example():
    near = by_features(np.eye(4, dtype=np.float32), np.arange(4) == 2)
    assert near.argmax() == 2
    assert np.isfinite(near).all()
