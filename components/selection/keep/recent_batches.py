"""Window of the last training batches, against which the next is scored."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from components.arrays import Array

if TYPE_CHECKING:
    from components.evidence.evidence import Evidence

#: Batches that a whole batch is compared with.
WINDOW = 64


class Window:
    """Mean loss and mean gradient norm of each of the last ``WINDOW`` batches.

    Norms are computed lazily, for several batches in a row: between two steps each would take five times as long.
    """

    def __init__(self, means: Array | None = None) -> None:
        """Begin with ``means`` ``(2, M)``."""
        # Twice as long as the window, so that its rows are contiguous and moved once in ``WINDOW`` batches.
        self._rows, self._end = np.zeros((2, 2 * WINDOW), np.float32), 0
        self._waiting: list[Evidence] = []
        if means is not None:
            self._end = means.shape[1]
            self._rows[:, : self._end] = means

    def push(self, evidence: Evidence, *, norm: bool) -> np.float32:
        """Add a batch, with its ``norm`` or without, and return its mean loss."""
        if self._end == 2 * WINDOW:
            self._rows[:, :WINDOW] = self.means
            self._end = WINDOW
        loss = np.float32(evidence.total_loss / len(evidence))
        self._rows[0, self._end] = loss
        self._end += 1
        if norm:
            self._waiting.append(evidence)
        return loss

    @property
    def means(self) -> Array:
        """Losses and gradient norms ``(2, M)``, the latest at the end."""
        for column, evidence in enumerate(self._waiting, self._end - len(self._waiting)):
            self._rows[1, column] = float(evidence.gradient_norm.sum()) / len(evidence)
        self._waiting.clear()
        return self._rows[:, max(0, self._end - WINDOW) : self._end]
