"""Class budgets each epoch: proportional, by square roots, or equal."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from typing_extensions import override

from components.arrays import Array, count_of
from components.selection.common import budgets, gradient_sizes, sampling
from components.selection.selector import Epoch, Selector, check_choice, check_fraction

if TYPE_CHECKING:
    from components.evidence.ledger import Ledger

#: Part of the probability that all examples of a class share, as in ``importance``.
FLOOR = 0.2


class Balanced(Selector):
    """Draw ``fraction`` of the examples anew every epoch, by class budgets.

    Within a class the draw is uniform or by importance.
    """

    classes = True

    def __init__(self, fraction: float, budget: str = "equal", inside: str = "uniform", rare: str = "refuse") -> None:
        """Create the method.

        Args:
            fraction: share of the examples drawn in an epoch, in (0, 1].
            budget: "proportional" to class sizes, to their "square-root", or "equal"; a class with fewer rows than its budget
                is drawn whole, and the others share the rest.
            inside: "uniform", or "importance": by the gradient of the last forward pass, half-corrected by weights.
            rare: "refuse" a class of one row, which every epoch would draw, or "keep" it.
        """
        self.fraction = check_fraction("fraction", fraction)
        self.power = budgets.POWERS[check_choice("budget", budget, tuple(budgets.POWERS))]
        self.by_importance = check_choice("inside", inside, ("uniform", "importance")) == "importance"
        self.refuses = check_choice("rare", rare, ("refuse", "keep")) == "refuse"

    @override
    def check_classes(self, rows: Mapping[str, int]) -> None:
        lone = [name for name, count in rows.items() if count == 1]
        if lone and self.refuses and self.power < 1:
            raise ValueError(
                f"rare must be 'keep' if classes have a single row, which every epoch draws, got 'refuse' with {len(lone)} "
                f"such classes of {len(rows)}, the first {lone[0]!r}"
            )

    @override
    def draw(self, epoch: Epoch, ledger: Ledger, rng: np.random.Generator) -> Array:
        assert ledger.target is not None
        weight = np.zeros(len(ledger), np.float32)
        counts = np.bincount(ledger.target)
        budget = budgets.by_class(counts, count_of(self.fraction, len(ledger)), self.power)
        weighs = self.by_importance and bool((ledger.column("seen") > 0).any())
        size = gradient_sizes.floored(gradient_sizes.signal_of(ledger), FLOOR) if weighs else np.ones(len(ledger), np.float32)
        order = np.argsort(ledger.target, kind="stable")
        for members, k in zip(np.split(order, np.cumsum(counts)[:-1]), budget, strict=True):
            if k:
                p = sampling.inclusion(size[members], int(k))
                drawn = sampling.pareto(p, int(k), rng)
                weight[members[drawn]] = gradient_sizes.weighted_draw(p, drawn, 0.5 if weighs else 0.0)
        return weight

    @override
    @classmethod
    def at_cost(cls, cost: float, epochs: int, warm_up: float) -> dict[str, float]:
        begun = math.ceil(warm_up)
        return {"fraction": min(1.0, round((cost - begun) / max(1, epochs - begun), 4))}

    @override
    def planned_cost(self, epochs: int, warm_up: float) -> float:
        begun = math.ceil(warm_up)
        return begun + self.fraction * (epochs - begun)
