"""Fingerprints of examples, as bytes, shingles and vectors, to find equal and similar ones."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from functools import singledispatch
from typing import Any

import numpy as np

from components.arrays import Array
from components.tasks.image import Images, tiles
from components.tasks.language import Blocks
from components.tasks.sound import Sounds
from components.tasks.table import Records
from components.tasks.text import Texts

#: Tokens per shingle.
SHINGLE = 3
#: Side, in squares, that an image is reduced to, and the brightness levels of a square.
SIDE, LEVELS = 8, 6
#: Correlation of two images' pixels from which on they are near duplicates.
CORRELATED = 0.985
#: Bytes of pixels in memory at once.
AT_ONCE = 2**24
#: Buckets that n-grams are hashed into.
BUCKETS = 2**18


def digests(examples: object) -> Array:
    """Return a 16-byte digest of each example, ``(N,)``, equal for examples that are equal to the byte."""
    each = (hashlib.blake2b(bytes_, digest_size=16).digest() for bytes_ in _bytes(examples))
    return np.fromiter(each, "S16")


def shingles(splits: Sequence[Any], among: Array) -> list[Array]:
    """Return the hashed shingles of each example, whose overlap measures similarity.

    Args:
        splits: examples.
        among: ``(K,)`` ascending indices of the examples, counted on from split to split.

    Returns:
        One array for each of the K examples: sorted, unique uint64.
    """
    found, first = [], 0
    for examples in splits:
        own = among[(among >= first) & (among < first + len(examples))] - first
        found += [np.unique(parts) for parts in _parts(examples, own)]
        first += len(examples)
    return found


def vectors(splits: Sequence[Any]) -> Any:  # noqa: ANN401 - an array, or a sparse matrix of scipy
    """Return a unit vector for each example of all ``splits``, ``(N, d)``: dot products are similarities.

    Texts give hashed unigrams and bigrams weighted by inverse document frequency, images their squares, sounds their
    tiles or loudness, tables their values.
    """
    first = splits[0]
    if isinstance(first, Texts):
        tokens = [s.tokens[s.offsets[0] : s.offsets[-1]] for s in splits]
        return _tfidf(np.concatenate(tokens), np.concatenate([np.diff(s.offsets) for s in splits]))
    if isinstance(first, Blocks):
        return _tfidf(np.concatenate([s.tokens.ravel() for s in splits]), np.full(sum(map(len, splits)), first.tokens.shape[1]))
    if isinstance(first, Sounds):
        return _unit(np.concatenate([s.reduced(np.arange(len(s)), SIDE) for s in splits]))
    rows = [_reduced(s) if isinstance(s, Images) else np.asarray(s.values) for s in splits]
    return _unit(np.concatenate(rows))


def agree(splits: Sequence[Any], one: int, other: int) -> bool:
    """Return whether two examples that share most shingles are near duplicates.

    Indices count on from split to split.

    Images must also correlate pixel by pixel: by squares alone, any two pictures of trousers would be alike.
    """
    if not isinstance(splits[0], Images):
        return True
    a, b = (_pixels(splits, row) for row in (one, other))
    return bool(a @ b >= CORRELATED * (np.linalg.norm(a) * np.linalg.norm(b)))


def _pixels(splits: Sequence[Images], row: int) -> Array:
    """Return an image's pixels minus their mean."""
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
    """Return the brightness level of each square of an image, relative to its brightest and darkest one."""
    squares = _reduced(examples, rows)
    darkest, span = squares.min(1, keepdims=True), np.ptp(squares, axis=1)[:, None]
    level = np.minimum((squares - darkest) / np.where(span, span, 1.0) * LEVELS, LEVELS - 1).astype(np.int64)
    return _hashed(np.arange(level.shape[1]), level)


@_bytes.register
def _(examples: Records) -> Iterable[bytes]:
    return (row.tobytes() for row in examples.values)


@_parts.register
def _(examples: Records, rows: Array) -> Iterable[Array]:
    """Return a row's values, rounded to a hundredth of a deviation, each hashed with its column."""
    return _hashed(np.arange(examples.values.shape[1]), np.rint(examples.values[rows] * 100).astype(np.int64))


@_bytes.register
def _(examples: Sounds) -> Iterable[bytes]:
    return (sound.tobytes() for sound in examples.values)


@_parts.register
def _(examples: Sounds, rows: Array) -> Iterable[Array]:
    """Return a single shingle of all values, so that only equal sounds are near: silence at the end makes any two alike."""
    values = (hashlib.blake2b(examples.values[row].tobytes(), digest_size=8).digest() for row in rows)
    return (np.frombuffer(value, np.uint64) for value in values)


def _threes(tokens: Array, sizes: Array) -> list[Array]:
    """Return the hashed shingles of texts of ``sizes`` ``(K,)`` tokens; a shorter text is one shingle."""
    room = sizes + SHINGLE - 1
    wide = np.full(room.sum(), -1, np.int64)
    wide[np.arange(len(tokens)) + (SHINGLE - 1) * np.repeat(np.arange(len(sizes)), sizes)] = tokens
    hashed = _hashed(*(wide[i : len(wide) - SHINGLE + 1 + i] for i in range(SHINGLE)))
    first, counts = np.cumsum(room) - room, np.maximum(1, sizes - SHINGLE + 1)
    return [hashed[a : a + n] for a, n in zip(first.tolist(), counts.tolist(), strict=True)]


def _hashed(*columns: Array) -> Array:
    """Return 64-bit hashes of the elementwise tuples of integer ``columns``, which are broadcast to one shape."""
    from pandas.util import hash_array

    digest = np.uint64(0)
    for column in columns:
        flat = np.asarray(digest + column.astype(np.uint64))
        digest = hash_array(flat.ravel(), categorize=False).reshape(flat.shape)
    return np.asarray(digest)


def _reduced(examples: Images, rows: Array | None = None) -> Array:
    """Return the mean of each of ``SIDE`` x ``SIDE`` squares per channel, ``(N, d)`` float32.

    It covers ``rows`` ``(K,)``, or all images.
    """
    rows = np.arange(len(examples)) if rows is None else rows
    some = max(1, AT_ONCE // examples.pixels[0].nbytes)
    parts = (rows[i : i + some] for i in range(0, max(1, len(rows)), some))
    return np.concatenate([tiles(examples.pixels[part], SIDE) for part in parts])


def _unit(rows: Array) -> Array:
    """Return the rows minus their mean, scaled to unit length, ``(N, d)`` float32."""
    centred = rows - rows.mean(0, dtype=np.float64)
    length = np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-12)
    return np.asarray(centred / length, np.float32)


def _tfidf(tokens: Array, sizes: Array) -> Any:  # noqa: ANN401 - a sparse matrix
    """Return TF-IDF vectors of hashed unigrams and bigrams, a row of unit length per text."""
    from scipy.sparse import csr_matrix
    from sklearn.feature_extraction.text import TfidfTransformer

    texts = np.repeat(np.arange(len(sizes)), sizes)
    inside = texts[1:] == texts[:-1]
    at = tokens.astype(np.int64)
    pairs = (at[:-1][inside] * 1_000_003 + at[1:][inside]) % (BUCKETS // 2) + BUCKETS // 2
    owners, features = np.concatenate([texts, texts[1:][inside]]), np.concatenate([at % (BUCKETS // 2), pairs])
    counts = csr_matrix((np.ones(len(features), np.float32), (owners, features)), shape=(len(sizes), BUCKETS))
    return TfidfTransformer(sublinear_tf=True).fit_transform(counts)
