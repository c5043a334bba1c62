"""Writing of the features of sounds, in blocks that fit in memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np

from components.arrays import Array
from pipelines.core.errors import UserError
from pipelines.sources.picture_decoding import Item
from pipelines.sources.pixel_writer import Form, blocks
from pipelines.sources.sounds.decoding import decoded
from pipelines.sources.sounds.features import Features


class Sounds:
    """N audio files by id, decoded only when written."""

    def __init__(self, count: int, item: Callable[[int], Item], features: Features) -> None:
        """Write the ``features`` of ``item(id)`` for ``count`` ids."""
        self._count, self._item, self.features = count, item, features
        self.form = Form("sound", np.dtype(np.float32), "sounds", features.own_scale)

    def __len__(self) -> int:
        return self._count

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of a sound's features."""
        return self.features.shape

    def write(self, ids: Array, path: Path, offset: int) -> Counter[str]:
        """Write the features of ``ids`` at ``offset`` of an existing file; return counts of changes.

        Raises:
            UserError: naming the first that cannot be used.
        """
        changes: Counter[str] = Counter()
        with path.open("r+b") as file:
            file.seek(offset)
            for part in blocks(len(ids), self.shape):
                rows = [self._features(self._item(int(i)), changes) for i in ids[part]]
                file.write(np.stack(rows).data)
        return changes

    def _features(self, item: Item, changes: Counter[str]) -> Array:
        found = self.features(decoded(item, self.features.rate, self.features.samples, changes))
        if found.shape != self.shape:
            raise UserError(f"sound {item.where}: its features must be of shape {self.shape}, got {found.shape}")
        return found
