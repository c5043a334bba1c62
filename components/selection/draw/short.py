"""Short schedule: everything, for fewer epochs; the hardest control on clean data."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from typing_extensions import override

from components.arrays import Array
from components.selection.common import gradient_sizes
from components.selection.draw.uniform import blind
from components.selection.selector import Epoch, Selector, check_at_least, check_choice

if TYPE_CHECKING:
    from components.evidence.ledger import Ledger


class Short(Selector):
    """Train on everything for ``epochs``; the part of an epoch at the end is a random part of the examples."""

    def __init__(self, epochs: float, class_weights: str = "none") -> None:
        """Set the length.

        Args:
            epochs: 0.01 or more; it may be a fraction.
            class_weights: "balanced" weighs each example by one over the rows of its class, in the mean 1, and "square-root" by
                the root of that; of classes alone.
        """
        self.epochs = check_at_least("epochs", epochs, 0.01)
        self.power = gradient_sizes.CLASS_POWERS[
            check_choice("class_weights", class_weights, tuple(gradient_sizes.CLASS_POWERS))
        ]
        self.classes = self.power > 0

    @override
    def length(self, epochs: int) -> float:
        return self.epochs

    @override
    @classmethod
    def at_cost(cls, cost: float, epochs: int, warm_up: float) -> dict[str, float]:
        return {"epochs": min(float(epochs), round(cost, 4))}

    @override
    def draw(self, epoch: Epoch, ledger: Ledger, rng: np.random.Generator) -> Array:
        left = self.epochs - epoch.index
        weight = blind(len(ledger), left, rng) if left < 1 else super().draw(epoch, ledger, rng)
        return (
            weight * gradient_sizes.class_weights(ledger.target, self.power)
            if self.power and ledger.target is not None
            else weight
        )


def epochs_begun(length: float) -> int:
    """Return how many epochs a run of ``length`` epochs begins; a millionth of an epoch begins none."""
    return math.ceil(length - 1e-6)
