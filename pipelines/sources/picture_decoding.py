"""Decoding of pictures to pixels: scaling, white ground, orientation; and its worker process.

This imports little, since every process that decodes begins with it.
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

#: Pictures of one number a pixel, which are stored with one channel; and those whose numbers have 16 bits.
GREY = ("1", "L")
SIXTEEN = ("I;16", "I;16L", "I;16B", "I;16N")
#: Pictures with a level of transparency, or with a colour that stands for it.
TRANSPARENT = ("LA", "La", "PA", "RGBA", "RGBa")
#: Modes that Pillow turns into red, green and blue.
COLOURED = ("RGB", "P", "CMYK", "YCbCr", "HSV", "RGBX")
#: The tag of EXIF's orientation, and the one of a picture that lies as it is to be seen.
ORIENTATION, UPRIGHT = 0x0112, 1
#: Of 16 bits, what one of 8 bits is: 65,535 / 255.
STEP = 257
#: What was changed on reading.
SCALED, ON_WHITE, TURNED = (
    "images of 16 bits, divided by 257",
    "images with transparency, put on white",
    "images turned as their EXIF orientation says",
)


@dataclass(frozen=True)
class Item:
    """An encoded picture.

    Attributes:
        where: its id, and its file.
        path: of the file; None where there are bytes.
        content: its bytes; None where there is a file.
    """

    where: str
    path: str | None = None
    content: bytes | None = None


@dataclass(frozen=True)
class PixelFormat:
    """What the pixels of a picture must be.

    Attributes:
        size: height and width that pictures are resized to; None for as they are.
        shape: channels, height and width of the first one; None for the first one.
    """

    size: int | None
    shape: tuple[int, ...] | None = None


#: What ``write`` takes.
Call = tuple[Sequence[Item], PixelFormat, str, int]


def decoded(item: Item, wanted: PixelFormat, changes: Counter[str]) -> Array:
    """Return the pixels ``(channels, height, width)`` of a picture, uint8, and count in ``changes`` what was changed.

    Raises:
        UserError: for one that cannot be decoded, has no defined range of numbers, or is unlike the first.
    """
    with _naming(item.where), Image.open(item.path or io.BytesIO(item.content or b"")) as image:
        image.load()
        told = _plain(_upright(image, changes), item.where, changes)
    if wanted.size is not None:
        told = told.resize((wanted.size, wanted.size))
    pixels = np.asarray(told)
    pixels = pixels[None] if told.mode == "L" else pixels.transpose(2, 0, 1)
    if wanted.shape is not None and pixels.shape != wanted.shape:
        raise UserError(f"image {item.where}: {_unlike(pixels.shape, wanted.shape)}")
    return pixels


@contextmanager
def _naming(where: str) -> Iterator[None]:
    """Name the image that cannot be decoded."""
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
    """Return a picture as 8 bits of grey, or of red, green and blue."""
    if image.mode in SIXTEEN:
        changes[SCALED] += 1
        return Image.fromarray(((np.asarray(image).astype(np.uint32) + STEP // 2) // STEP).astype(np.uint8))
    if image.mode in TRANSPARENT or "transparency" in image.info:
        return _on_white(image, changes)
    if image.mode in GREY:
        return image.convert("L")
    if image.mode not in COLOURED:
        raise UserError(
            f"image {where}: is of mode {image.mode}, whose numbers have no defined range; save it with 8 bits, or 16 of grey"
        )
    return image if image.mode == "RGB" else image.convert("RGB")


def _on_white(image: Image.Image, changes: Counter[str]) -> Image.Image:
    """Return what one sees of a picture on white paper; grey where it has no colours."""
    layered = image.convert("RGBA")
    if layered.getchannel("A").getextrema() != (255, 255):
        changes[ON_WHITE] += 1
        layered = Image.alpha_composite(Image.new("RGBA", layered.size, "white"), layered)
    return layered.convert("L" if image.mode in GREY else "RGB")


def write(items: Sequence[Item], wanted: PixelFormat, path: str, offset: int) -> Counter[str]:
    """Write the pixels of ``items`` one after the other into the file ``path``, and return what was changed.

    Args:
        items: all of them of the shape that is ``wanted``.
        wanted: their shape.
        path: of a file that is long enough.
        offset: where the first one begins, in bytes.

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


def _serve(asked: IO[bytes], told: IO[bytes]) -> None:
    """Answer each call of ``write`` that is asked for, until there are no more."""
    while True:
        try:
            call: Call = pickle.load(asked)
        except EOFError:
            return
        try:
            answer: Counter[str] | str = write(*call)
        except UserError as error:
            answer = str(error)
        pickle.dump(answer, told)
        told.flush()


if __name__ == "__main__":
    # What Pillow prints must not stand among the answers.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    _serve(sys.stdin.buffer, answers)
