"""Selective-Backprop (Jiang et al. 2019, arXiv 1910.00762): keeps examples with probability by loss."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from typing_extensions import override

from components.arrays import Array
from components.evidence.signals import Signals
from components.selection.keep.keeper import Keeper
from components.selection.selector import Epoch, Look, check_at_least

if TYPE_CHECKING:
    from components.evidence.evidence import Evidence


class SelectiveBackprop(Keeper):
    """Keep an example with probability ``CDF(loss)^beta`` (eq. 1).

    CDF is the share of recent losses strictly below it.

    The first epoch trains on everything, as in the authors' code, and fills the memory of losses; a batch's own losses enter it
    before they are judged.
    """

    cost_known = False

    def __init__(self, beta: float = 1.0, memory: int = 1024, look: str = "fresh") -> None:
        """Create the method.

        Args:
            beta: selectivity, above 0; about ``1 / (1 + beta)`` is kept.
            memory: R, number of recent losses to compare with, 1 or more; the authors' is 1,024.
            look: "fresh" or "stale(n)" (``Keeper``).
        """
        super().__init__(1 / (1 + check_at_least("beta", beta, 1e-3)), look)
        if self.by_batch:
            raise ValueError("look must be 'fresh' or 'stale(n)' here, got 'whole-batch'; the nearest that works is 'fresh'")
        self.beta, self.memory = beta, int(check_at_least("memory", memory, 1))
        self.losses = np.zeros(0, np.float32)

    @override
    def look(self, epoch: Epoch) -> Look | None:
        return super().look(epoch) if epoch.index >= 1 else None

    @override
    def take(self, seen: Signals) -> None:
        self.losses = np.concatenate([self.losses, seen.loss])[-self.memory :]

    @override
    def score(self, seen: Signals, index: Array, rng: np.random.Generator) -> Array:
        """Return each example's probability ``(B,)`` to be kept."""
        below = np.searchsorted(np.sort(self.losses), seen.loss, side="left")
        return np.asarray((below / max(1, len(self.losses))) ** self.beta)

    @override
    def keep(self, evidence: Evidence, rng: np.random.Generator) -> Array:
        chance = self.score(evidence.signals, evidence.index.numpy(), rng)
        return np.asarray(rng.random(len(evidence)) < chance)

    @override
    def state(self) -> dict[str, Array]:
        return {"losses": self.losses}

    @override
    def restore(self, state: Mapping[str, Array]) -> None:
        self.losses = state["losses"]

    @override
    def planned_cost(self, epochs: int, warm_up: float) -> float:
        return super().planned_cost(epochs, max(1.0, warm_up))
