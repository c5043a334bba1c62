"""Decoding of pictures to pixels: scaling, white background, orientation; and its worker process.

It imports little, since every decoding process starts with it.
"""

from __future__ import annotations

import io
import os
import pickle
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

import numpy as np
from PIL import Image, ImageOps

from pipelines.core.errors import UserError

if TYPE_CHECKING:
    from components.arrays import Array

#: Pillow's grey modes, stored with one channel; and those of 16 bits.
GREY = ("1", "L")
SIXTEEN = ("I;16", "I;16L", "I;16B", "I;16N")
#: Modes with an alpha channel.
TRANSPARENT = ("LA", "La", "PA", "RGBA", "RGBa")
#: Modes that Pillow turns into red, green and blue.
COLOURED = ("RGB", "P", "CMYK", "YCbCr", "HSV", "RGBX")
#: EXIF's orientation tag, and its value for an upright picture.
ORIENTATION, UPRIGHT = 0x0112, 1
#: Factor between 16-bit and 8-bit values: 65,535 / 255.
STEP = 257
#: Kinds of changes on reading.
SCALED, ON_WHITE, TURNED = (
    "images of 16 bits, divided by 257",
    "images with transparency, put on white",
    "images turned as their EXIF orientation says",
)


@dataclass(frozen=True)
class Item:
    """An encoded picture.

    Attributes:
        where: its id and file, for errors.
        path: of the file; None if ``content`` is given.
        content: encoded bytes; None if ``path`` is given.
    """

    where: str
    path: str | None = None
    content: bytes | None = None


@dataclass(frozen=True)
class PixelFormat:
    """Required format of decoded pictures.

    Attributes:
        size: height and width to resize to; None to keep the size.
        shape: required channels, height and width, those of the first picture; None for the first one.
    """

    size: int | None
    shape: tuple[int, ...] | None = None


#: The arguments of ``write``.
Call = tuple[Sequence[Item], PixelFormat, str, int]


def decoded(item: Item, wanted: PixelFormat, changes: Counter[str]) -> Array:
    """Return the pixels ``(channels, height, width)`` of a picture, uint8; count its changes in ``changes``.

    Raises:
        UserError: if it cannot be decoded, has no defined value range, or differs in shape from the first.
    """
    with _naming(item.where), Image.open(item.path or io.BytesIO(item.content or b"")) as image:
        image.load()
        plain = _plain(_upright(image, changes), item.where, changes)
    if wanted.size is not None:
        plain = plain.resize((wanted.size, wanted.size))
    pixels = np.asarray(plain)
    pixels = pixels[None] if plain.mode == "L" else pixels.transpose(2, 0, 1)
    if wanted.shape is not None and pixels.shape != wanted.shape:
        raise UserError(f"image {item.where}: {_unlike(pixels.shape, wanted.shape)}")
    return pixels


@contextmanager
def _naming(where: str) -> Iterator[None]:
    """Turn decoding errors into a UserError that names the image."""
    try:
        yield
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:  # Pillow's own error is an OSError
        raise UserError(f"image {where}: cannot be decoded: {error}") from None


def _unlike(shape: tuple[int, ...], first: tuple[int, ...]) -> str:
    if shape[0] != first[0]:
        kinds = {1: "grey", 3: "in colour"}
        return f"is {kinds[shape[0]]}, and the first one is {kinds[first[0]]}; convert them alike"
    return f"must be {first} like the first, got {shape}; set image_size"


def _upright(image: Image.Image, changes: Counter[str]) -> Image.Image:
    if image.getexif().get(ORIENTATION, UPRIGHT) == UPRIGHT:
        return image
    changes[TURNED] += 1
    return ImageOps.exif_transpose(image)


def _plain(image: Image.Image, where: str, changes: Counter[str]) -> Image.Image:
    """Return a picture as 8-bit grey or RGB."""
    if image.mode in SIXTEEN:
        changes[SCALED] += 1
        return Image.fromarray(((np.asarray(image).astype(np.uint32) + STEP // 2) // STEP).astype(np.uint8))
    if image.mode in TRANSPARENT or "transparency" in image.info:
        return _on_white(image, changes)
    if image.mode in GREY:
        return image.convert("L")
    if image.mode not in COLOURED:
        raise UserError(
            f"image {where}: has mode {image.mode}, whose values have no defined range; save it with 8 bits, or as 16-bit grey"
        )
    return image if image.mode == "RGB" else image.convert("RGB")


def _on_white(image: Image.Image, changes: Counter[str]) -> Image.Image:
    """Return a picture on a white background, grey if its mode has no colours."""
    layered = image.convert("RGBA")
    if layered.getchannel("A").getextrema() != (255, 255):
        changes[ON_WHITE] += 1
        layered = Image.alpha_composite(Image.new("RGBA", layered.size, "white"), layered)
    return layered.convert("L" if image.mode in GREY else "RGB")


def write(items: Sequence[Item], wanted: PixelFormat, path: str, offset: int) -> Counter[str]:
    """Write the pixels of ``items`` one after the other into the file ``path``; return counts of changes.

    Args:
        items: pictures.
        wanted: their format, with a shape.
        path: of an existing file that is long enough.
        offset: of the first picture, in bytes.

    Raises:
        UserError: as ``decoded``.
    """
    changes: Counter[str] = Counter()
    assert wanted.shape is not None
    pixels = np.empty((len(items), *wanted.shape), np.uint8)
    for row, item in zip(pixels, items, strict=True):
        row[...] = decoded(item, wanted, changes)
    with open(path, "r+b") as file:
        file.seek(offset)
        file.write(pixels.data)
    return changes


def _serve(calls: IO[bytes], answers: IO[bytes]) -> None:
    """Answer calls of ``write`` from a stream until it ends."""
    while True:
        try:
            call: Call = pickle.load(calls)
        except EOFError:
            return
        try:
            answer: Counter[str] | str = write(*call)
        except UserError as error:
            answer = str(error)
        pickle.dump(answer, answers)
        answers.flush()


if __name__ == "__main__":
    # Pillow's prints go to stderr, so that stdout has the answers alone.
    stdout = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    _serve(sys.stdin.buffer, stdout)
