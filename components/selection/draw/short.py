"""Short schedule: everything, for fewer epochs; the strongest control on clean data."""

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
    """Train on everything for ``epochs``; a last partial epoch takes a random part of the examples."""

    def __init__(self, epochs: float, class_weights: str = "none") -> None:
        """Create the method.

        Args:
            epochs: 0.01 or more, may be a fraction.
            class_weights: "balanced" weighs each example by 1 / (rows of its class), scaled to a mean of 1, and "square-root"
                by the root of that; for classes only.
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
    """Return the number of epochs that a run of ``length`` epochs begins.

    A millionth of one is ignored.
    """
    return math.ceil(length - 1e-6)
