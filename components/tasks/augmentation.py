"""Random changes of images for training steps, the same for an example in an epoch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad
from typing_extensions import override

from components.arrays import Array
from components.rng import draws_at
from components.tasks.examples import to_device
from components.tasks.rand_augment import OPERATIONS, operated

#: Indices ``(B,)`` and a count -> as many numbers in [0, 1) for each index, ``(B, count)``.
Draw = Callable[[Array, int], Array]
#: Share of an image that is erased, and ratio of the rectangle's sides, each at least and at most (torchvision's defaults).
ERASED, SIDES = (0.02, 0.33), (0.3, 3.3)
#: Rectangles that are tried; if none fits into the image, nothing is erased (as in torchvision).
TRIES = 10


class Transform(Protocol):
    """A random change of images."""

    def __call__(self, pixels: Tensor, index: Array, draw: Draw) -> Tensor:
        """Return ``pixels`` ``(B, channels, height, width)`` uint8, changed; ``index`` ``(B,)`` are the examples'."""


@dataclass(frozen=True)
class Crop(Transform):
    """Cuts an image of the same size out of one with ``padding`` black pixels on each side."""

    padding: int

    @override
    def __call__(self, pixels: Tensor, index: Array, draw: Draw) -> Tensor:
        top, left = self.corners(draw(index, 2)).T
        height, width = pixels.shape[2:]
        windows = pad(pixels, [self.padding] * 4).unfold(2, height, 1).unfold(3, width, 1)
        return windows[_there(np.arange(len(index)), pixels), :, _there(top, pixels), _there(left, pixels)]

    def corners(self, numbers: Array) -> Array:
        """Return the top left corners of the cut images ``(B, 2)``, for as many ``numbers`` in [0, 1)."""
        return _below(numbers, 2 * self.padding + 1)


@dataclass(frozen=True)
class Flip(Transform):
    """Mirrors an image, left to right, with probability ``p``."""

    p: float

    @override
    def __call__(self, pixels: Tensor, index: Array, draw: Draw) -> Tensor:
        mirrored = _there(draw(index, 1) < self.p, pixels)
        return torch.where(mirrored[:, :, None, None], pixels.flip(-1), pixels)


@dataclass(frozen=True)
class Erase(Transform):
    """Blackens a random rectangle with probability ``p`` (Zhong et al., arXiv 1708.04896)."""

    p: float

    @override
    def __call__(self, pixels: Tensor, index: Array, draw: Draw) -> Tensor:
        chosen = np.flatnonzero(draw(index, 1)[:, 0] < self.p)
        boxes = np.zeros((len(index), 4), np.int64)
        boxes[chosen] = self.boxes(draw(index[chosen], 3 + 2 * TRIES)[:, 1:], *pixels.shape[2:])
        top, left, height, width = _there(boxes, pixels)[:, :, None, None, None].unbind(1)
        down, right = (torch.arange(side, device=pixels.device) for side in pixels.shape[2:])
        down = down[:, None]
        return pixels.masked_fill((down >= top) & (down < top + height) & (right >= left) & (right < left + width), 0)

    @staticmethod
    def boxes(numbers: Array, height: int, width: int) -> Array:
        """Return a rectangle's top, left, height and width, ``(B, 4)`` int64; without height and width where none fits.

        It is the first that fits of those that ``numbers`` ``(B, 2 + 2 * TRIES)`` give, as torchvision's ``RandomErasing``.
        """
        corner, tries = numbers[:, :2], numbers[:, 2:].reshape(len(numbers), TRIES, 2)
        area = height * width * (ERASED[0] + (ERASED[1] - ERASED[0]) * tries[..., 0])
        ratio = np.exp(np.log(SIDES[0]) + (np.log(SIDES[1]) - np.log(SIDES[0])) * tries[..., 1])
        high, wide = np.rint(np.sqrt(area * ratio)), np.rint(np.sqrt(area / ratio))
        fits = (high < height) & (wide < width)
        first = np.arange(len(numbers)), fits.argmax(1)
        size = np.where(fits.any(1), np.stack([high[first], wide[first]]), 0).T.astype(np.int64)
        return np.concatenate([_below(corner, np.array([height, width]) - size + 1), size], 1)


@dataclass(frozen=True)
class RandAugment(Transform):
    """Applies ``operations`` random ones of 14, each of the same ``magnitude`` (Cubuk et al., arXiv 1909.13719)."""

    operations: int
    magnitude: int

    @override
    def __call__(self, pixels: Tensor, index: Array, draw: Draw) -> Tensor:
        numbers = draw(index, 2 * self.operations)
        for chosen, negative in zip(*self.chosen(numbers), strict=True):
            pixels = operated(pixels, chosen, negative, self.magnitude)
        return pixels

    @staticmethod
    def chosen(numbers: Array) -> tuple[Array, Array]:
        """Return which operation an image gets in each round, and whether its sign is negative, ``(rounds, B)`` each."""
        return _below(numbers[:, ::2], len(OPERATIONS)).T, numbers[:, 1::2].T < 0.5


class Augmentation:
    """Transforms of images in order, drawn for each example and epoch."""

    def __init__(self, transforms: Sequence[Transform], seed: int) -> None:
        """Take the ``transforms`` in order, and the run's ``seed``."""
        self._transforms, self._seed = transforms, seed

    def __call__(self, pixels: Tensor, index: Array, epoch: int) -> Tensor:
        """Return ``pixels`` ``(B, channels, height, width)`` of the examples ``index`` ``(B,)`` as they are in ``epoch``."""
        for place, transform in enumerate(self._transforms):
            pixels = transform(pixels, index, self.draw(epoch, place))
        return pixels

    def draw(self, epoch: int, place: int) -> Draw:
        """Return the stream of the transform at ``place``, from 0, in ``epoch``."""
        return lambda index, count: draws_at(index, count, self._seed, "augment", epoch, place)


def _below(numbers: Array, bound: int | Array) -> Array:
    """Return whole numbers from 0 up to below ``bound``, for ``numbers`` in [0, 1)."""
    return np.asarray(numbers * bound, np.int64)


def _there(values: Array, pixels: Tensor) -> Tensor:
    """Return ``values`` on the device of ``pixels``."""
    return to_device(torch.from_numpy(values), pixels.device)
