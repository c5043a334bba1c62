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
from pipelines.sources.raw import Raw, splits_of


def from_idx(source: FromIdx, size: int | None = None) -> Raw:
    """Return the files of MNIST's format as raw data, its images resized to a square of ``size``."""
    folder = Path(source.folder)
    names = ["train", "t10k"] if source.validation is None else ["train", "t10k", source.validation]
    images, labels = ([_idx(folder, f"{name}-{kind}") for name in names] for kind in ("images-idx3-ubyte", "labels-idx1-ubyte"))
    for name, part in zip(names, images, strict=True):
        if (found := part.shape[1:]) != (wanted := images[0].shape[1:]):
            raise UserError(f"{folder}: {name}: images must be {wanted} as in train, got {found}")
    for name, part, of_part in zip(names, images, labels, strict=True):
        if len(part) != len(of_part):
            raise UserError(f"{folder}: {name}: must have as many labels as images, got {len(of_part)} for {len(part)}")
    pixels, label = np.concatenate(images)[:, None], np.concatenate(labels).astype(np.int64)
    tested, validates = splits_of(np.repeat(range(len(names)), [len(part) for part in labels]), range(len(names)))
    return Raw({}, label, tested, pixels=InMemory(pixels, size), validates=validates)


def _idx(folder: Path, name: str) -> Array:
    """Return an IDX file of bytes: two zeros, type 8, the number of dimensions, their sizes (big-endian), the bytes."""
    path = next((p for p in (folder / f"{name}.gz", folder / name) if p.exists()), None)
    if path is None:
        where = "Debian has it as the package dataset-fashion-mnist"
        if not name.startswith(("train-", "t10k-")):
            where = "source.validation says what its name begins with"
        raise UserError(f"{folder / name}[.gz]: no such file; {where}")
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
