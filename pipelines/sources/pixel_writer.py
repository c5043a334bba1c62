"""Pixels of pictures of one shape, written without holding all in memory."""

from __future__ import annotations

import mmap
import shutil
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa

from components.arrays import Array
from pipelines.core.errors import UserError

#: Bytes of pixels that are in memory at once.
BLOCK = 1 << 23


class Pixels(Protocol):
    """N pictures, by id."""

    @property
    def shape(self) -> tuple[int, ...]:
        """``(channels, height, width)``."""
        ...

    def __len__(self) -> int: ...

    def write(self, ids: Array, path: Path, offset: int) -> Counter[str]:
        """Write the pixels of ``ids`` as they lie in an array into a file that is long enough, and return what was changed."""
        ...


class InMemory:
    """Pictures that are in memory, an array ``(N, channels, height, width)`` of uint8."""

    def __init__(self, pixels: Array) -> None:
        self._pixels, self.shape = pixels, pixels.shape[1:]

    def __len__(self) -> int:
        return len(self._pixels)

    def write(self, ids: Array, path: Path, offset: int) -> Counter[str]:
        """Write the pixels of ``ids``."""
        with path.open("r+b") as file:
            file.seek(offset)
            for part in blocks(len(ids), self.shape):
                file.write(np.ascontiguousarray(self._pixels[ids[part]]).data)
        return Counter()


@dataclass(frozen=True)
class WithCopies:
    """Pictures, and behind them copies of some.

    Attributes:
        base: N pictures.
        of: ``(K,)`` the id that each copy is of.
        moves: ``(K, 2)`` as ``moved`` takes them; None for exact copies.
    """

    base: Pixels
    of: Array
    moves: Array | None

    @property
    def shape(self) -> tuple[int, ...]:
        """Of every picture."""
        return self.base.shape

    def __len__(self) -> int:
        return len(self.base) + len(self.of)

    def write(self, ids: Array, path: Path, offset: int) -> Counter[str]:
        """Write the pixels of ``ids``, copies as what they are of and then moved where they lie."""
        rows = np.flatnonzero(ids >= len(self.base))
        copies, source = ids[rows] - len(self.base), ids.copy()
        source[rows] = self.of[copies]
        changes = self.base.write(source, path, offset)
        if self.moves is not None and len(rows):
            pixels = np.memmap(path, np.uint8, "r+", offset, (len(ids), *self.shape))
            for part in blocks(len(rows), self.shape):
                pixels[rows[part]] = moved(pixels[rows[part]], self.moves[copies[part]])
        return changes


def moved(pixels: Array, moves: Array) -> Array:
    """Return images ``(K, channels, height, width)`` seen through a window that is moved down and right; edges are repeated.

    Args:
        pixels: uint8.
        moves: ``(K, 2)``, each -1, 0 or 1.
    """
    padded = np.pad(pixels, ((0, 0), (0, 0), (1, 1), (1, 1)), mode="edge")
    height, width = pixels.shape[2:]
    return np.stack([image[:, y : y + height, x : x + width] for image, (y, x) in zip(padded, moves + 1, strict=True)])


def blocks(count: int, shape: tuple[int, ...]) -> list[slice]:
    """Return slices of ``count`` pictures, each of as many as are in memory at once."""
    size = max(1, BLOCK // max(1, int(np.prod(shape))))
    return [slice(start, min(start + size, count)) for start in range(0, count, size)]


def blank(count: int, shape: tuple[int, ...]) -> pa.Array:
    """Return a column of ``count`` pictures of zeros, which take no memory: their place in a file is filled afterwards.

    Raises:
        UserError: where the disk has no room for them.
    """
    each, free = int(np.prod(shape)), shutil.disk_usage(".").free
    if count * each > free:
        most = int((free // max(1, count * shape[0])) ** 0.5)
        sizes = f"{shape[1]} x {shape[2]} need {count * each / 1e9:,.1f} GB, and the disk has {free / 1e9:,.1f} GB free"
        raise UserError(f"{count:,} images of {sizes}; set limit, or an image_size of at most {most}")
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | getattr(mmap, "MAP_NORESERVE", 0)
    zeros = pa.py_buffer(mmap.mmap(-1, max(1, count * each), flags=flags, prot=mmap.PROT_READ))
    return pa.FixedSizeListArray.from_arrays(pa.Array.from_buffers(pa.uint8(), count * each, [None, zeros]), each)


@dataclass(frozen=True)
class Filled:
    """Pixels that were written: mean and standard deviation of those of training, and what was changed."""

    mean: float
    deviation: float
    changes: Counter[str]


def fill(folder: Path, pixels: Pixels, chosen: dict[str, Array], where: str) -> Filled:
    """Write pixels where ``blank`` left a place for them, and return what a reader must know of them, and what was changed.

    Args:
        folder: with a file for each split.
        pixels: of all ids.
        chosen: by split, the ids in it.
        where: what an error names.

    Raises:
        UserError: where all images of training are the same, or one cannot be used.
    """
    changes: Counter[str] = Counter()
    for name, ids in chosen.items():
        path = folder / f"{name}.arrow"
        changes += pixels.write(ids, path, _offset(path))
    path = folder / "train.arrow"
    return Filled(*_moments(path, _offset(path), len(chosen["train"]), pixels.shape, where), changes)


def _offset(path: Path) -> int:
    """Return where the pixels begin in an Arrow stream of one record batch, in bytes."""
    whole = pa.memory_map(str(path)).read_buffer()
    found = pa.ipc.open_stream(pa.BufferReader(whole)).read_all()["pixels"].chunk(0).flatten().buffers()[1]
    return int(found.address - whole.address)


def _moments(path: Path, offset: int, count: int, shape: tuple[int, ...], where: str) -> tuple[float, float]:
    """Return mean and standard deviation of the pixels of ``count`` pictures in a file, from how often each value is there."""
    counts, first, alike = np.zeros(256, np.int64), None, count > 1
    with path.open("rb") as file:
        file.seek(offset)
        for part in blocks(count, shape):
            read = np.fromfile(file, np.uint8, (part.stop - part.start) * int(np.prod(shape)))
            counts += np.bincount(read, minlength=256)
            rows = read.reshape(part.stop - part.start, -1)
            first = rows[0].copy() if first is None else first
            alike = alike and bool((rows == first).all())
    if alike:
        raise UserError(f"{where}: all {count:,} images of the training split are the same, so that there is nothing to learn")
    values = np.arange(256, dtype=np.float64)
    mean = float(values @ counts / counts.sum())
    return mean, float(np.sqrt((values - mean) ** 2 @ counts / counts.sum()))
