"""Operations of RandAugment on batches of images, by torchvision."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch import Tensor

from components.arrays import Array

#: Magnitudes are 0 up to this one; torchvision has as many bins and one more.
LARGEST = 30
#: Pixels of which float32 sums up the values exactly, in whatever order.
SUMMED = 2**24 // 255


@dataclass(frozen=True)
class Operation:
    """An operation, and its strengths.

    Attributes:
        apply: ``(n, channels, height, width)`` uint8 and the strength -> images of the same shape.
        least: strength at the magnitude 0.
        most: strength at the magnitude ``LARGEST``.
        signed: whether half of the strengths are negative.
        side: dimension whose length multiplies ``most``, None for none.
    """

    apply: Callable[[Tensor, float], Tensor]
    least: float = 0.0
    most: float = 0.0
    signed: bool = False
    side: int | None = None

    def strength(self, shape: torch.Size, magnitude: int) -> float:
        """Return the strength at ``magnitude`` for images of ``shape``, rounded to float32 as torchvision's is."""
        return _between(self.least, self.most * (1 if self.side is None else shape[self.side]), magnitude)


@cache
def _between(least: float, most: float, magnitude: int) -> float:
    return float(torch.linspace(least, most, LARGEST + 1)[magnitude])


def _affine(images: Tensor, *, right: float = 0, down: float = 0, shear: tuple[float, float] = (0.0, 0.0)) -> Tensor:
    from torchvision.transforms.v2 import functional

    degrees = [math.degrees(math.atan(s)) for s in shear]
    # A shear is about the top left corner.
    centre = [0.0, 0.0] if any(shear) else None
    moved: Tensor = functional.affine(
        images, angle=0.0, translate=[int(right), int(down)], scale=1.0, shear=degrees, center=centre
    )
    return moved


def _by(name: str, argument: Callable[[float], float | int] | None = None) -> Callable[[Tensor, float], Tensor]:
    """Return torchvision's function ``name``, whose ``argument`` is made from the strength."""

    def apply(images: Tensor, strength: float) -> Tensor:
        from torchvision.transforms.v2 import functional

        changed: Tensor = getattr(functional, name)(images, *([] if argument is None else [argument(strength)]))
        return changed

    return apply


def _factor(strength: float) -> float:
    return 1.0 + strength


#: The space of torchvision's ``RandAugment``, in its order (Cubuk et al., arXiv 1909.13719, section 3).
OPERATIONS = (
    Operation(lambda images, _: images),
    Operation(lambda images, s: _affine(images, shear=(s, 0.0)), most=0.3, signed=True),
    Operation(lambda images, s: _affine(images, shear=(0.0, s)), most=0.3, signed=True),
    Operation(lambda images, s: _affine(images, right=s), most=150 / 331, signed=True, side=3),
    Operation(lambda images, s: _affine(images, down=s), most=150 / 331, signed=True, side=2),
    Operation(_by("rotate", float), most=30.0, signed=True),
    Operation(_by("adjust_brightness", _factor), most=0.9, signed=True),
    Operation(_by("adjust_saturation", _factor), most=0.9, signed=True),
    Operation(_by("adjust_contrast", _factor), most=0.9, signed=True),
    Operation(_by("adjust_sharpness", _factor), most=0.9, signed=True),
    Operation(_by("posterize", lambda s: 8 - round(s)), most=4.0),
    Operation(_by("solarize", lambda s: 255.0 * s), least=1.0),
    Operation(_by("autocontrast")),
    Operation(_by("equalize")),
)


def operated(pixels: Tensor, chosen: Array, negative: Array, magnitude: int) -> Tensor:
    """Return ``pixels`` ``(B, channels, height, width)`` uint8 after one operation each.

    Images of the same operation go through torchvision together; those of which it could round a sum differently, alone.

    Args:
        pixels: images of one or three channels.
        chosen: ``(B,)`` int64, places in ``OPERATIONS``.
        negative: ``(B,)`` bool, whether a signed strength is negative.
        magnitude: 0 to ``LARGEST``.
    """
    found = pixels.clone()
    for place, operation in enumerate(OPERATIONS):
        strength = operation.strength(pixels.shape, magnitude)
        for minus in (False, True) if operation.signed else (None,):
            some = np.flatnonzero(chosen == place if minus is None else (chosen == place) & (negative == minus))
            step = 1 if pixels[0, 0].numel() > SUMMED else max(1, len(some))
            for part in (some[i : i + step] for i in range(0, len(some), step)):
                at = torch.from_numpy(part).to(pixels.device)
                found[at] = operation.apply(pixels[at], -strength if minus else strength)
    return found
