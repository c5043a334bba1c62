"""Writing of equally shaped arrays, such as pictures, in blocks that fit in memory."""

from __future__ import annotations

import mmap
import shutil
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
from PIL import Image

from components.arrays import Array
from pipelines.core.errors import UserError

#: Most bytes of pixels in memory at once.
BLOCK = 1 << 23


@dataclass(frozen=True)
class Form:
    """How arrays are stored.

    Attributes:
        column: name of their column.
        dtype: of their values.
        noun: what they are, in errors.
        own_scale: whether values have a scale of their own; else they are standardised by the training split.
    """

    column: str
    dtype: np.dtype[Any]
    noun: str
    own_scale: bool = False


#: Pictures, as bytes.
PIXELS = Form("pixels", np.dtype(np.uint8), "images")


class Pixels(Protocol):
    """N pictures or sounds, by id."""

    @property
    def form(self) -> Form:
        """How they are stored."""
        ...

    @property
    def shape(self) -> tuple[int, ...]:
        """``(channels, height, width)`` of pictures."""
        ...

    def __len__(self) -> int: ...

    def write(self, ids: Array, path: Path, offset: int) -> Counter[str]:
        """Write the pixels of ``ids`` at ``offset`` of an existing file; return counts of changes."""
        ...


class InMemory:
    """Pictures in memory, an array ``(N, channels, height, width)`` of uint8.

    They are written as squares of ``size`` if it is given.
    """

    form = PIXELS

    def __init__(self, pixels: Array, size: int | None = None) -> None:
        self._pixels, self._size = pixels, size
        self.shape = pixels.shape[1:] if size is None else (pixels.shape[1], size, size)

    def __len__(self) -> int:
        return len(self._pixels)

    def write(self, ids: Array, path: Path, offset: int) -> Counter[str]:
        """Write the pixels of ``ids``."""
        with path.open("r+b") as file:
            file.seek(offset)
            for part in blocks(len(ids), self.shape):
                pixels = self._pixels[ids[part]]
                file.write(np.ascontiguousarray(pixels if self._size is None else resized(pixels, self._size)).data)
        return Counter()


@dataclass(frozen=True)
class WithCopies:
    """Pictures with copies of some appended.

    Attributes:
        base: N pictures.
        of: ``(K,)`` id of each copy's original.
        moves: ``(K, 2)`` for ``moved``; None for exact copies.
    """

    base: Pixels
    of: Array
    moves: Array | None

    @property
    def form(self) -> Form:
        """How they are stored."""
        return self.base.form

    @property
    def shape(self) -> tuple[int, ...]:
        """``(channels, height, width)``."""
        return self.base.shape

    def __len__(self) -> int:
        return len(self.base) + len(self.of)

    def write(self, ids: Array, path: Path, offset: int) -> Counter[str]:
        """Write the pixels of ``ids``; copies are written as their originals, then shifted in the file."""
        rows = np.flatnonzero(ids >= len(self.base))
        copies, source = ids[rows] - len(self.base), ids.copy()
        source[rows] = self.of[copies]
        changes = self.base.write(source, path, offset)
        if self.moves is not None and len(rows):
            pixels = np.memmap(path, np.uint8, "r+", offset, (len(ids), *self.shape))
            for part in blocks(len(rows), self.shape):
                pixels[rows[part]] = moved(pixels[rows[part]], self.moves[copies[part]])
        return changes


def resized(pixels: Array, size: int) -> Array:
    """Return pictures ``(K, channels, height, width)`` of uint8 as squares of ``size``, as Pillow resizes each channel."""
    found = np.empty((*pixels.shape[:2], size, size), np.uint8)
    for index in np.ndindex(*pixels.shape[:2]):
        found[index] = Image.fromarray(pixels[index]).resize((size, size))
    return found


def moved(pixels: Array, moves: Array) -> Array:
    """Return images ``(K, channels, height, width)`` shifted by up to one pixel, with edges repeated.

    Args:
        pixels: uint8.
        moves: ``(K, 2)``, offset of the view window down and right, each -1, 0 or 1.
    """
    padded = np.pad(pixels, ((0, 0), (0, 0), (1, 1), (1, 1)), mode="edge")
    height, width = pixels.shape[2:]
    return np.stack([image[:, y : y + height, x : x + width] for image, (y, x) in zip(padded, moves + 1, strict=True)])


def blocks(count: int, shape: tuple[int, ...]) -> list[slice]:
    """Return slices of ``count`` pictures, each of at most ``BLOCK`` bytes or one picture."""
    size = max(1, BLOCK // max(1, int(np.prod(shape))))
    return [slice(start, min(start + size, count)) for start in range(0, count, size)]


def blank(count: int, pixels: Pixels) -> pa.Array:
    """Return a column of ``count`` zero arrays like ``pixels`` that takes no memory; ``fill`` writes their values later.

    Raises:
        UserError: if the disk has no room for them.
    """
    shape, form = pixels.shape, pixels.form
    each, free = int(np.prod(shape)), shutil.disk_usage(".").free
    if (needed := count * each * form.dtype.itemsize) > free:
        sizes = " x ".join(map(str, shape[-2:]))
        least = f"an image_size of at most {int((free // max(1, count * shape[0])) ** 0.5)}"
        raise UserError(
            f"{count:,} {form.noun} of {sizes} need {needed / 1e9:,.1f} GB, and the disk has {free / 1e9:,.1f} GB free; set "
            f"limit, or {least if form is PIXELS else 'a smaller audio.max_seconds'}"
        )
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | getattr(mmap, "MAP_NORESERVE", 0)
    zeros = pa.py_buffer(mmap.mmap(-1, max(1, needed), flags=flags, prot=mmap.PROT_READ))
    values = pa.Array.from_buffers(pa.from_numpy_dtype(form.dtype), count * each, [None, zeros])
    return pa.FixedSizeListArray.from_arrays(values, each)


@dataclass(frozen=True)
class Filled:
    """Mean and standard deviation of the training values (0 and 1 of an own scale), and counts of changes."""

    mean: float
    deviation: float
    changes: Counter[str]


def fill(folder: Path, pixels: Pixels, chosen: dict[str, Array], where: str) -> Filled:
    """Write the pixels into the columns of ``blank``, and return their statistics.

    Args:
        folder: with a file for each split.
        pixels: of all ids.
        chosen: ids by split.
        where: start of an error.

    Raises:
        UserError: if all training images are the same, or one cannot be used.
    """
    changes: Counter[str] = Counter()
    for name, ids in chosen.items():
        path = folder / f"{name}.arrow"
        changes += pixels.write(ids, path, offset_of(path, pixels.form.column))
    path = folder / "train.arrow"
    moments = _moments if pixels.form is PIXELS else _float_moments
    found = moments(path, offset_of(path, pixels.form.column), len(chosen["train"]), pixels, where)
    return Filled(*((0.0, 1.0) if pixels.form.own_scale else found), changes)


def offset_of(path: Path, column: str) -> int:
    """Return the offset in bytes of the values of ``column`` in an Arrow stream of one record batch."""
    whole = pa.memory_map(str(path)).read_buffer()
    found = pa.ipc.open_stream(pa.BufferReader(whole)).read_all()[column].chunk(0)
    values = found.flatten() if isinstance(found, pa.FixedSizeListArray) else found
    return int(values.buffers()[1].address - whole.address)


def _moments(path: Path, offset: int, count: int, pixels: Pixels, where: str) -> tuple[float, float]:
    """Return mean and standard deviation of ``count`` pictures in a file, from a histogram of values."""
    counts, shape, first, alike = np.zeros(256, np.int64), pixels.shape, None, count > 1
    with path.open("rb") as file:
        file.seek(offset)
        for part in blocks(count, shape):
            read = np.fromfile(file, np.uint8, (part.stop - part.start) * int(np.prod(shape)))
            counts += np.bincount(read, minlength=256)
            rows = read.reshape(part.stop - part.start, -1)
            first = rows[0].copy() if first is None else first
            alike = alike and bool((rows == first).all())
    if alike:
        raise _alike(where, count, pixels)
    values = np.arange(256, dtype=np.float64)
    mean = float(values @ counts / counts.sum())
    return mean, float(np.sqrt((values - mean) ** 2 @ counts / counts.sum()))


def _float_moments(path: Path, offset: int, count: int, pixels: Pixels, where: str) -> tuple[float, float]:
    """Return mean and standard deviation of ``count`` float arrays in a file, by two passes over it."""
    rows = np.memmap(path, pixels.form.dtype, "r", offset, (count, int(np.prod(pixels.shape))))
    parts = blocks(count, pixels.shape)
    if count > 1 and all((rows[part] == rows[0]).all() for part in parts):
        raise _alike(where, count, pixels)
    mean = float(sum(rows[part].sum(dtype=np.float64) for part in parts) / rows.size)
    squares = sum(np.square(rows[part] - np.float64(mean)).sum() for part in parts)
    return mean, float(np.sqrt(squares / rows.size))


def _alike(where: str, count: int, pixels: Pixels) -> UserError:
    return UserError(
        f"{where}: all {count:,} {pixels.form.noun} of the training split are the same, so there is nothing to learn"
    )
