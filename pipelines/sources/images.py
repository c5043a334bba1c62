"""Images, from folders, IDX files and scikit-learn."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from components.arrays import Array
from pipelines.errors import UserError
from pipelines.sources.raw import Raw

#: What counts as an image in a folder.
IMAGE_SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff"}


def from_folder(task: dict[str, Any]) -> Raw:
    """Return the images of ``[train|test/]<class>/<image>`` as raw data."""
    from PIL import Image

    root = Path(task["source"]["folder"])
    if not root.is_dir():
        raise UserError(f"{root}: no such folder")
    split = [root / "train", root / "test"] if (root / "train").is_dir() else [root]
    paths = [p for part in split for p in sorted(part.glob("*/*")) if p.suffix.lower() in IMAGE_SUFFIXES]
    if not paths:
        raise UserError(f"{root}: has no images; they are looked for in [train|test/]<class>/<image>")

    def opened() -> Iterable[tuple[str, Any]]:
        for i, path in enumerate(paths):
            with decoding(f"id {i} ({path})"), Image.open(path) as image:
                image.load()
                yield f"id {i} ({path})", image

    tested = np.array([p.is_relative_to(root / "test") for p in paths])
    label = np.array([p.parent.name for p in paths])
    return Raw({"image": stacked(opened(), task["image_size"])}, label, tested if tested.any() else None)


@contextmanager
def decoding(where: str) -> Iterator[None]:
    """Name the image that cannot be decoded."""
    from PIL.Image import DecompressionBombError

    try:
        yield
    except (OSError, SyntaxError, DecompressionBombError) as error:  # Pillow's own error is an OSError
        raise UserError(f"image {where}: cannot be decoded: {error}") from None


def stacked(images: Iterable[tuple[str, Any]], size: int | None) -> Array:
    """Return PIL images as one array ``(N, channels, height, width)``; all of one size and mode, or resized to ``size``."""
    arrays: list[Array] = []
    for where, image in images:
        grey = image.mode in ("L", "1", "I", "I;16")
        fitted = image.convert("L" if grey else "RGB")
        pixels = np.asarray(fitted if size is None else fitted.resize((size, size)), np.uint8)
        pixels = pixels[None] if grey else pixels.transpose(2, 0, 1)
        if arrays and pixels.shape != arrays[0].shape:
            raise UserError(f"image {where}: must be {arrays[0].shape} like the first, got {pixels.shape}; set image_size")
        arrays.append(pixels)
    return np.stack(arrays)


def from_idx(task: dict[str, Any]) -> Raw:
    """Return the four files of MNIST's format as raw data."""
    folder = Path(task["source"]["folder"])
    arrays = [_idx(folder, f"{s}-{k}") for s in ("train", "t10k") for k in ("images-idx3-ubyte", "labels-idx1-ubyte")]
    if (size := arrays[2].shape[1:]) != (wanted := arrays[0].shape[1:]):
        raise UserError(f"{folder}: t10k: images must be {wanted} as in train, got {size}")
    for part, images, labels in (("train", arrays[0], arrays[1]), ("t10k", arrays[2], arrays[3])):
        if len(images) != len(labels):
            raise UserError(f"{folder}: {part}: has {len(images)} images and {len(labels)} labels")
    pixels = np.concatenate([arrays[0], arrays[2]])[:, None]
    label = np.concatenate([arrays[1], arrays[3]]).astype(np.int64)
    return Raw({"image": pixels}, label, np.arange(len(label)) >= len(arrays[1]))


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


def from_scikit_learn(task: dict[str, Any]) -> Raw:
    """Return scikit-learn's digits, 8 x 8, as raw data."""
    from sklearn.datasets import load_digits

    data = load_digits()
    pixels = (data.images * (255 / 16)).round().astype(np.uint8)[:, None]
    return Raw({"image": pixels}, data.target.astype(np.int64), None)
