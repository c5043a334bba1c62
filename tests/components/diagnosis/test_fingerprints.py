import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.feature_extraction.text import TfidfTransformer

from components.diagnosis.fingerprints import agree, digests, shingles, vectors
from components.tasks.image import Images
from components.tasks.language import Blocks
from components.tasks.table import Records
from components.tasks.text import Texts


def texts(*words):
    return Texts(
        np.concatenate([np.array(w, np.int32) for w in words]), np.cumsum([0, *map(len, words)]), np.zeros(len(words)), 2, 0
    )


def images(pixels):
    return Images(np.asarray(pixels, np.uint8), np.zeros(len(pixels)), 2, 100.0, 50.0)


def test_equal_examples_have_equal_digests_and_no_others_have():
    found = digests(texts([1, 2, 3], [1, 2], [1, 2, 3], [3]))
    assert (found[0] == found[2], len(set(found.tolist()))) == (True, 3)
    pixels = np.random.default_rng(0).integers(0, 255, (3, 1, 4, 4))
    found = digests(images([pixels[0], pixels[1], pixels[0]]))
    assert (found[0] == found[2], found[0] == found[1]) == (True, False)
    found = digests(Records(np.array([[1, 2], [1, 3], [1, 2]], np.float32), np.zeros(3), 1))
    assert (found[0] == found[2], found[0] == found[1]) == (True, False)
    found = digests(Blocks(np.array([[1, 2], [1, 3], [1, 2]], np.int32)))
    assert (found[0] == found[2], found[0] == found[1]) == (True, False)


def threes(words):
    return {tuple(words[i : i + 3]) for i in range(max(1, len(words) - 2))}


@given(st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=9), min_size=2, max_size=6), st.integers(1, 5), st.data())
def test_texts_share_as_many_shingles_as_they_share_threes(words, cut, data):
    splits = [texts(*part) for part in (words[:cut], words[cut:]) if part]
    among = sorted(data.draw(st.sets(st.integers(0, len(words) - 1), min_size=1)))
    found = shingles(splits, np.array(among))
    for (i, one), (j, other) in itertools.product(zip(among, found, strict=True), repeat=2):
        assert len(np.intersect1d(one, other)) == len(threes(words[i]) & threes(words[j]))
        assert len(one) == len(threes(words[i]))


def test_blocks_share_shingles_as_texts_do():
    rows = np.array([[5, 6, 7, 8], [6, 7, 8, 9], [1, 2, 3, 4]], np.int32)
    as_blocks, as_texts = shingles([Blocks(rows)], np.array([0, 2])), shingles([texts(*rows.tolist())], np.array([0, 2]))
    for block, text in zip(as_blocks, as_texts, strict=True):
        np.testing.assert_array_equal(block, text)


def test_an_image_that_is_brighter_has_the_same_squares_and_another_picture_has_not():
    rng = np.random.default_rng(0)
    one, other = rng.integers(20, 200, (2, 1, 16, 16))
    first, brighter, another = (set(parts) for parts in shingles([images([one, one + 30, other])], np.arange(3)))
    assert first == brighter
    assert len(first & another) < len(first) / 2
    splits = [images([one]), images([one + 30, other])]
    assert agree(splits, 0, 1)
    assert not agree(splits, 0, 2)


def test_the_values_of_a_row_are_told_to_a_hundredth():
    same, near, other = (
        set(p) for p in shingles([Records(np.array([[1, 2], [1.001, 2], [1.1, 2]], np.float32), np.zeros(3), 1)], np.arange(3))
    )
    assert same == near
    assert len(same & other) == 1


def test_vectors_of_texts_are_those_of_scikit_learn():
    words = [[1, 2, 3], [1, 2], [7, 8, 9], [1, 1, 1]]
    found = vectors([texts(*words[:2]), texts(*words[2:])])
    grams = [[*w, *itertools.pairwise(w)] for w in words]
    names = list(dict.fromkeys(g for row in grams for g in row))
    counts = np.array([[row.count(g) for g in names] for row in grams], float)
    expected = TfidfTransformer(sublinear_tf=True).fit_transform(counts)
    np.testing.assert_allclose((found @ found.T).toarray(), (expected @ expected.T).toarray(), atol=1e-6)


@pytest.mark.parametrize(
    "make", [lambda r: images(r.integers(0, 255, (6, 3, 9, 9))), lambda r: Records(r.normal(size=(6, 4)), np.zeros(6), 1)]
)
def test_other_vectors_have_unit_length_around_their_mean(make):
    found = vectors([make(np.random.default_rng(0)), make(np.random.default_rng(1))])
    assert len(found) == 12
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, rtol=1e-5)


def test_vectors_of_blocks():
    found = vectors([Blocks(np.array([[1, 2, 3], [4, 5, 6]], np.int32)), Blocks(np.array([[1, 2, 3]], np.int32))])
    like = (found @ found.T).toarray()
    assert like[0, 2] == pytest.approx(1)
    assert like[0, 1] == 0
