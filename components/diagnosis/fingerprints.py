"""Contents of examples, as bytes, shingles and vectors, to find equal and similar ones."""

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
#: Bytes of pixels that are held at once.
AT_ONCE = 2**24
#: Features that n-grams are hashed into, for similarity.
BUCKETS = 2**18


def digests(examples: object) -> Array:
    """Return 16 bytes an example, ``(N,)``, the same where two are the same to the byte."""
    each = (hashlib.blake2b(bytes_, digest_size=16).digest() for bytes_ in _bytes(examples))
    return np.fromiter(each, "S16")


def shingles(splits: Sequence[Any], among: Array) -> list[Array]:
    """Return the small parts of each example, each once and hashed, whose overlap says how nearly the same two are.

    Args:
        splits: examples.
        among: ``(K,)`` indices of those that are asked for, in order; they go on from split to split.

    Returns:
        For each of the K its parts, uint64 in order.
    """
    found, first = [], 0
    for examples in splits:
        own = among[(among >= first) & (among < first + len(examples))] - first
        found += [np.unique(parts) for parts in _parts(examples, own)]
        first += len(examples)
    return found


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
    """Return whether two examples that share most of their parts are nearly the same; indices go on from split to split.

    Of images the pixels must move together: squares alone would say so of any two pairs of trousers.
    """
    if not isinstance(splits[0], Images):
        return True
    a, b = (_pixels(splits, row) for row in (one, other))
    return bool(a @ b >= CORRELATED * (np.linalg.norm(a) * np.linalg.norm(b)))


def _pixels(splits: Sequence[Images], row: int) -> Array:
    """Return an image's pixels less their mean."""
    for examples in splits:
        if row < len(examples):
            pixels = examples.pixels[row].ravel().astype(np.float64)
            return np.asarray(pixels - pixels.mean())
        row -= len(examples)
    raise IndexError(row)


@singledispatch
def _bytes(examples: object) -> Iterable[bytes]:
    raise TypeError(f"{type(examples).__name__} has no bytes")


@singledispatch
def _parts(examples: object, rows: Array) -> Iterable[Array]:
    raise TypeError(f"{type(examples).__name__} has no parts")


@_bytes.register
def _(examples: Texts) -> Iterable[bytes]:
    ends = zip(examples.offsets[:-1].tolist(), examples.offsets[1:].tolist(), strict=True)
    return (examples.tokens[a:b].tobytes() for a, b in ends)


@_parts.register
def _(examples: Texts, rows: Array) -> Iterable[Array]:
    sizes = np.diff(examples.offsets)[rows]
    inside = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return _threes(examples.tokens[np.repeat(examples.offsets[rows], sizes) + inside], sizes)


@_bytes.register
def _(examples: Blocks) -> Iterable[bytes]:
    return (row.tobytes() for row in examples.tokens)


@_parts.register
def _(examples: Blocks, rows: Array) -> Iterable[Array]:
    return _threes(examples.tokens[rows].ravel(), np.full(len(rows), examples.tokens.shape[1]))


@_bytes.register
def _(examples: Images) -> Iterable[bytes]:
    return (image.tobytes() for image in examples.pixels)


@_parts.register
def _(examples: Images, rows: Array) -> Iterable[Array]:
    """Return where an image is how bright, relative to its own brightest and darkest square."""
    squares = _reduced(examples, rows)
    darkest, span = squares.min(1, keepdims=True), np.ptp(squares, axis=1)[:, None]
    level = np.minimum((squares - darkest) / np.where(span, span, 1.0) * LEVELS, LEVELS - 1).astype(np.int64)
    return _hashed(np.arange(level.shape[1]), level)


@_bytes.register
def _(examples: Records) -> Iterable[bytes]:
    return (row.tobytes() for row in examples.values)


@_parts.register
def _(examples: Records, rows: Array) -> Iterable[Array]:
    """Return the values of a row to a hundredth of a deviation, each with its column."""
    return _hashed(np.arange(examples.values.shape[1]), np.rint(examples.values[rows] * 100).astype(np.int64))


def _threes(tokens: Array, sizes: Array) -> list[Array]:
    """Return the shingles of texts of ``sizes`` ``(K,)`` tokens, hashed; a text that is no longer than one is one itself."""
    room = sizes + SHINGLE - 1
    wide = np.full(room.sum(), -1, np.int64)
    wide[np.arange(len(tokens)) + (SHINGLE - 1) * np.repeat(np.arange(len(sizes)), sizes)] = tokens
    hashed = _hashed(*(wide[i : len(wide) - SHINGLE + 1 + i] for i in range(SHINGLE)))
    first, counts = np.cumsum(room) - room, np.maximum(1, sizes - SHINGLE + 1)
    return [hashed[a : a + n] for a, n in zip(first.tolist(), counts.tolist(), strict=True)]


def _hashed(*columns: Array) -> Array:
    """Return 64 bits for what stands beside each other in integer ``columns`` of one shape, or that can be brought to one."""
    from pandas.util import hash_array

    digest = np.uint64(0)
    for column in columns:
        flat = np.asarray(digest + column.astype(np.uint64))
        digest = hash_array(flat.ravel(), categorize=False).reshape(flat.shape)
    return np.asarray(digest)


def _reduced(examples: Images, rows: Array | None = None) -> Array:
    """Return the means of ``SIDE`` x ``SIDE`` squares of every channel, ``(N, d)`` float32, of all or of ``rows`` ``(K,)``."""
    rows = np.arange(len(examples)) if rows is None else rows
    some = max(1, AT_ONCE // examples.pixels[0].nbytes)
    parts = (rows[i : i + some] for i in range(0, max(1, len(rows)), some))
    return np.concatenate([tiles(examples.pixels[part], SIDE) for part in parts])


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
