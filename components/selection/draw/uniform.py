"""Uniform random fraction: a control (anew every epoch: RS2, Okanovic et al. 2024)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from typing_extensions import override

from components.arrays import Array, count_of
from components.rng import stream
from components.selection.common import budgets
from components.selection.selector import Epoch, Selector, check_at_least, check_fraction

if TYPE_CHECKING:
    from components.evidence.ledger import Ledger


class Uniform(Selector):
    """Draw ``fraction`` of the examples at random: anew every epoch, or the same ones throughout."""

    def __init__(self, fraction: float, fresh: bool = True, seed: int = 0, slope: float = 0.0) -> None:
        """Create the method.

        Args:
            fraction: share of the examples drawn in an epoch, in (0, 1].
            fresh: whether every epoch draws anew.
            seed: seed of the single draw if it is not fresh.
            slope: of the epochs' fractions, in [-1, 1], whose mean is ``fraction``: 1 rises from about 0 to twice that, -1
                falls.
        """
        self.fraction, self.fresh = check_fraction("fraction", fraction), fresh
        self.slope = budgets.check_slope(slope)
        self.seed = int(check_at_least("seed", seed, 0))

    @override
    def check(self, epochs: int, warm_up: float) -> None:
        begun = math.ceil(warm_up)
        most = self.fraction * max(budgets.course(i, begun, epochs, self.slope) for i in (begun, epochs - 1))
        if most > 1:
            steepest = math.floor(100 * abs(self.slope) * (1 / self.fraction - 1) / (most / self.fraction - 1)) / 100
            raise ValueError(
                f"slope must keep every epoch's fraction at 1 or less, got {self.slope:g} with fraction {self.fraction:g}, "
                f"which reaches {most:.4g}; the nearest that works is {math.copysign(steepest, self.slope):g}"
            )

    @override
    def draw(self, epoch: Epoch, ledger: Ledger, rng: np.random.Generator) -> Array:
        source = rng if self.fresh else stream(self.seed, "uniform")
        return blind(
            len(ledger), self.fraction * budgets.course(epoch.index, epoch.first, int(epoch.total), self.slope), source
        )

    @override
    @classmethod
    def at_cost(cls, cost: float, epochs: int, warm_up: float) -> dict[str, float]:
        begun = math.ceil(warm_up)
        return {"fraction": min(1.0, round((cost - begun) / max(1, epochs - begun), 4))}

    @override
    def planned_cost(self, epochs: int, warm_up: float) -> float:
        begun = math.ceil(warm_up)
        return begun + self.fraction * (epochs - begun)


def blind(examples: int, fraction: float, rng: np.random.Generator) -> Array:
    """Return weights ``(N,)``: 1 for a random ``fraction``, at least one, 0 for the others."""
    weight = np.zeros(examples, np.float32)
    weight[rng.permutation(examples)[: count_of(fraction, examples)]] = 1
    return weight
