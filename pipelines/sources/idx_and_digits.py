"""Images in memory: IDX files, and scikit-learn's digits."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

import numpy as np

from components.arrays import Array
from pipelines.config.schema.source import FromIdx
from pipelines.core.errors import UserError
from pipelines.sources.pixel_writer import InMemory
from pipelines.sources.raw import Raw


def from_idx(source: FromIdx, size: int | None = None) -> Raw:
    """Return the four files of MNIST's format as raw data, its images resized to a square of ``size``."""
    folder = Path(source.folder)
    arrays = [_idx(folder, f"{s}-{k}") for s in ("train", "t10k") for k in ("images-idx3-ubyte", "labels-idx1-ubyte")]
    if (found := arrays[2].shape[1:]) != (wanted := arrays[0].shape[1:]):
        raise UserError(f"{folder}: t10k: images must be {wanted} as in train, got {found}")
    for part, images, labels in (("train", arrays[0], arrays[1]), ("t10k", arrays[2], arrays[3])):
        if len(images) != len(labels):
            raise UserError(f"{folder}: {part}: must have as many labels as images, got {len(labels)} for {len(images)}")
    pixels = np.concatenate([arrays[0], arrays[2]])[:, None]
    label = np.concatenate([arrays[1], arrays[3]]).astype(np.int64)
    return Raw({}, label, np.arange(len(label)) >= len(arrays[1]), pixels=InMemory(pixels, size))


def _idx(folder: Path, name: str) -> Array:
    """Return an IDX file of bytes: two zeros, type 8, the number of dimensions, their sizes (big-endian), the bytes."""
    path = next((p for p in (folder / f"{name}.gz", folder / name) if p.exists()), None)
    if path is None:
        raise UserError(f"{folder / name}[.gz]: no such file; Debian has it as the package dataset-fashion-mnist")
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path}: cannot be read: {error}") from None
    dimensions = int(name.split("idx")[1][0])
    start = 4 + 4 * dimensions
    if len(content) < start or content[:4] != bytes([0, 0, 8, dimensions]):
        raise UserError(f"{path}: is no IDX file of bytes in {dimensions} dimensions, or not all of one; fetch it again")
    sizes = np.frombuffer(content, ">i4", dimensions, 4)
    wanted = int(np.prod(sizes, dtype=np.int64))
    if len(content) - start != wanted:
        raise UserError(f"{path}: must hold {wanted} bytes of data, got {len(content) - start}; fetch it again")
    return np.frombuffer(content, np.uint8, offset=start).reshape(tuple(sizes))


def from_scikit_learn(size: int | None = None) -> Raw:
    """Return scikit-learn's digits, 8 x 8 or resized to a square of ``size``, as raw data."""
    from sklearn.datasets import load_digits

    data = load_digits()
    pixels = (data.images * (255 / 16)).round().astype(np.uint8)[:, None]
    return Raw({}, data.target.astype(np.int64), None, pixels=InMemory(pixels, size))
