"""Images of one size, stored as bytes."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import cached_property, partial

import numpy as np
import torch
from torch import Tensor

from components.arrays import Array
from components.tasks.augmentation import Augmentation
from components.tasks.batch import Batch, Rows
from components.tasks.cheap_features import Bags
from components.tasks.examples import packed

#: Images reduced to tiles at once, so that memory-mapped ones are never all in memory.
TILED = 4096


class Images:
    """N images ``(channels, height, width)`` of uint8, given out as float32 of mean 0 and deviation 1.

    Attributes:
        pixels: ``(N, channels, height, width)`` uint8.
        lengths: None, since every image costs the same.
    """

    lengths: Array | None = None
    _changed: Callable[[Tensor, Array], Tensor] | None = None

    def __init__(self, pixels: Array, target: Array, outputs: int, mean: float, deviation: float) -> None:
        """Wrap ``pixels`` without a copy; ``mean`` and ``deviation`` are of the training split, in [0, 255]."""
        self.pixels, self.target, self.outputs = pixels, target, outputs
        self._mean, self._scale = mean, 1 / max(deviation, 1e-6)

    def __len__(self) -> int:
        return len(self.target)

    def fetch(self, rows: Rows, device: torch.device) -> Batch:
        """Return the images of ``rows`` as ``input`` ``(B, channels, height, width)``; they are scaled on ``device``."""
        index = rows.index.numpy()
        batch = packed(rows, {"input": torch.from_numpy(self.pixels[index])}, torch.from_numpy(self.target[index]), device)
        pixels = batch.inputs["input"]
        seen = pixels if self._changed is None else self._changed(pixels, index)
        batch.inputs["input"] = seen.float().sub_(self._mean).mul_(self._scale)
        return batch

    def augmented(self, augmentation: Augmentation, epoch: int) -> Images:
        """Return these images as training steps of ``epoch`` see them; only what is fetched is changed."""
        seen = copy.copy(self)
        vars(seen)["_changed"] = partial(augmentation, epoch=epoch)
        return seen

    @cached_property
    def bags(self) -> Bags:
        """Mean brightness of each of 4 x 4 tiles, in bins."""
        return Bags.of_columns(np.concatenate([tiles(part) for part in np.array_split(self.pixels, self._parts())]))

    def _parts(self) -> int:
        return 1 + len(self) // TILED


def tiles(pixels: Array, most: int = 4) -> Array:
    """Return the means of ``most`` x ``most`` tiles of every channel, ``(M, d)`` float32, from ``(M, channels, h, w)``."""
    high, wide = (min(most, side) for side in pixels.shape[2:])
    strips = [part for rows in np.array_split(pixels, high, axis=2) for part in np.array_split(rows, wide, axis=3)]
    return np.concatenate([strip.mean(axis=(2, 3), dtype=np.float32) for strip in strips], axis=1)
