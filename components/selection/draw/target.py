"""Training on the examples of a pool nearest to a target set."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from typing_extensions import override

from components.arrays import Array, count_of
from components.selection.common import choose
from components.selection.selector import Epoch, Selector, Subset, check_at_least, check_choice, check_fraction

if TYPE_CHECKING:
    from components.evidence.ledger import Ledger
    from components.run_position import Plan


class Target(Selector):
    """Draw ``fraction`` of the examples: the target set, and the nearest ones of the pool."""

    nearness = True

    def __init__(self, fraction: float = 0.3, select: str = "top", temperature: float = 1.0) -> None:
        """Create the method.

        Args:
            fraction: share of all examples, the target set included, in (0, 1].
            select: "top" draws the nearest, the same every epoch; "sample" draws anew each epoch, by the softmax of nearness.
            temperature: of that softmax, for nearness in standard deviations; above 0.
        """
        self.fraction = check_fraction("fraction", fraction)
        self.samples = check_choice("select", select, ("top", "sample")) == "sample"
        self.temperature = check_at_least("temperature", temperature, 1e-6)
        self.nearest, self.aimed = np.ones(0, np.float32), np.zeros(0, bool)

    @override
    def select(self, scores: Mapping[str, Array], rng: np.random.Generator) -> Subset:
        if "nearness" not in scores:
            raise ValueError("target needs the score table of a warm-up with 'nearness'")
        # The target set always comes first.
        score = np.where(scores["target"], np.inf, scores["nearness"]).astype(np.float32)
        if self.samples:
            return Subset(np.ones(len(score), np.float32), score)
        weight = np.zeros(len(score), np.float32)
        weight[choose.largest(score, max(count_of(self.fraction, len(score)), int(scores["target"].sum())))] = 1
        return Subset(weight, score)

    @override
    def begin(self, subset: Subset, plan: Plan) -> None:
        self.aimed = np.isposinf(subset.score)
        self.nearest = subset.score if self.samples else subset.weight

    @override
    def draw(self, epoch: Epoch, ledger: Ledger, rng: np.random.Generator) -> Array:
        if not self.samples:
            return self.nearest
        weight, pool = self.aimed.astype(np.float32), np.flatnonzero(~self.aimed)
        k = count_of(self.fraction, len(weight)) - int(self.aimed.sum())
        if k > 0:
            weight[pool[choose.gumbel_top(choose.standardised(self.nearest[pool]), k, self.temperature, rng)]] = 1
        return weight

    @override
    def planned_cost(self, epochs: int, warm_up: float) -> float:
        begun = math.ceil(warm_up)
        return begun + self.fraction * (epochs - begun)
