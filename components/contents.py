"""What examples hold, as a model is given them: for telling which are the same, nearly the same, or alike."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from functools import singledispatch
from typing import Any

import numpy as np

from components.arrays import Array
from components.tasks.image import Images, tiles
from components.tasks.language import Blocks
from components.tasks.table import Records
from components.tasks.text import Texts

#: Tokens of a shingle: two texts that share most of their threes are one text a little changed.
SHINGLE = 3
#: Side of the squares that an image is reduced to, and the levels of brightness told apart in each.
SIDE, LEVELS = 8, 6
#: Correlation of the pixels of two images from which on they are nearly the same.
CORRELATED = 0.985
#: Features that n-grams are hashed into, for similarity.
BUCKETS = 2**18


def digests(examples: object) -> Array:
    """Return 16 bytes an example, ``(N,)``, the same where two are the same to the byte."""
    each = (hashlib.blake2b(bytes_, digest_size=16).digest() for bytes_ in _bytes(examples))
    return np.fromiter(each, "S16")


def shingles(examples: object) -> list[list[bytes]]:
    """Return the set of small parts of each example, whose overlap says how nearly the same two are."""
    return [[part.tobytes() for part in parts] for parts in _parts(examples)]


def vectors(splits: Sequence[Any]) -> Any:  # noqa: ANN401 - an array, or a sparse matrix of scipy
    """Return a row of unit length an example of all ``splits``, ``(N, d)``: the product of two is how alike they are.

    Of texts, hashed unigrams and bigrams weighted by how rare they are; of images squares, and of tables values.
    """
    first = splits[0]
    if isinstance(first, Texts):
        tokens = [s.tokens[s.offsets[0] : s.offsets[-1]] for s in splits]
        return _tfidf(np.concatenate(tokens), np.concatenate([np.diff(s.offsets) for s in splits]))
    if isinstance(first, Blocks):
        return _tfidf(np.concatenate([s.tokens.ravel() for s in splits]), np.full(sum(map(len, splits)), first.tokens.shape[1]))
    rows = [_reduced(s) if isinstance(s, Images) else np.asarray(s.values) for s in splits]
    return _unit(np.concatenate(rows))


def agree(splits: Sequence[Any], one: int, other: int) -> bool:
    """Return whether two examples that share most of their parts are nearly the same; places go on from split to split.

    Of images the pixels must move together: squares alone would say so of any two pairs of trousers.
    """
    if not isinstance(splits[0], Images):
        return True
    a, b = (_pixels(splits, place) for place in (one, other))
    return bool(a @ b >= CORRELATED * (np.linalg.norm(a) * np.linalg.norm(b)))


def _pixels(splits: Sequence[Images], place: int) -> Array:
    """Return an image's pixels less their mean."""
    for examples in splits:
        if place < len(examples):
            pixels = examples.pixels[place].ravel().astype(np.float64)
            return np.asarray(pixels - pixels.mean())
        place -= len(examples)
    raise IndexError(place)


@singledispatch
def _bytes(examples: object) -> Iterable[bytes]:
    raise TypeError(f"{type(examples).__name__} has no bytes")


@singledispatch
def _parts(examples: object) -> Iterable[Array]:
    raise TypeError(f"{type(examples).__name__} has no parts")


@_bytes.register
def _(examples: Texts) -> Iterable[bytes]:
    return (examples.tokens[a:b].tobytes() for a, b in _spans(examples.offsets))


@_parts.register
def _(examples: Texts) -> Iterable[Array]:
    return (_threes(examples.tokens[a:b]) for a, b in _spans(examples.offsets))


@_bytes.register
def _(examples: Blocks) -> Iterable[bytes]:
    return (row.tobytes() for row in examples.tokens)


@_parts.register
def _(examples: Blocks) -> Iterable[Array]:
    return (_threes(row) for row in examples.tokens)


@_bytes.register
def _(examples: Images) -> Iterable[bytes]:
    return (image.tobytes() for image in examples.pixels)


@_parts.register
def _(examples: Images) -> Iterable[Array]:
    """Yield where an image is how bright, relative to its own brightest and darkest square."""
    for image in _reduced(examples):
        span = float(np.ptp(image)) or 1.0
        level = np.minimum((image - image.min()) / span * LEVELS, LEVELS - 1).astype(np.int32)
        yield (np.arange(len(level), dtype=np.int32) * LEVELS + level)[:, None]


@_bytes.register
def _(examples: Records) -> Iterable[bytes]:
    return (row.tobytes() for row in examples.values)


@_parts.register
def _(examples: Records) -> Iterable[Array]:
    """Yield the values of a row to a hundredth of a deviation, each with its column."""
    columns = np.arange(examples.values.shape[1], dtype=np.int32)
    for row in examples.values:
        yield np.stack([columns, np.rint(row * 100).astype(np.int32)], axis=1)


def _spans(offsets: Array) -> Iterable[tuple[int, int]]:
    return zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True)


def _threes(tokens: Array) -> Array:
    """Return the shingles of a text ``(n, 3)``; a shorter one is a shingle by itself."""
    if len(tokens) <= SHINGLE:
        return tokens[None, :]
    return np.unique(np.lib.stride_tricks.sliding_window_view(tokens, SHINGLE), axis=0)


def _reduced(examples: Images) -> Array:
    """Return the means of ``SIDE`` x ``SIDE`` squares of every channel, ``(N, d)`` float32."""
    parts = np.array_split(examples.pixels, 1 + len(examples) // 4096)
    return np.concatenate([tiles(part, SIDE) for part in parts])


def _unit(rows: Array) -> Array:
    """Return the rows less their mean, of unit length, ``(N, d)`` float32."""
    centred = rows - rows.mean(0, dtype=np.float64)
    length = np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-12)
    return np.asarray(centred / length, np.float32)


def _tfidf(tokens: Array, sizes: Array) -> Any:  # noqa: ANN401 - a sparse matrix
    """Return hashed unigrams and bigrams, weighted by how rare they are, a row of unit length a text."""
    from scipy.sparse import csr_matrix
    from sklearn.feature_extraction.text import TfidfTransformer

    texts = np.repeat(np.arange(len(sizes)), sizes)
    inside = texts[1:] == texts[:-1]
    at = tokens.astype(np.int64)
    pairs = (at[:-1][inside] * 1_000_003 + at[1:][inside]) % (BUCKETS // 2) + BUCKETS // 2
    owners, features = np.concatenate([texts, texts[1:][inside]]), np.concatenate([at % (BUCKETS // 2), pairs])
    counts = csr_matrix((np.ones(len(features), np.float32), (owners, features)), shape=(len(sizes), BUCKETS))
    return TfidfTransformer(sublinear_tf=True).fit_transform(counts)
