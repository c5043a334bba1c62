"""SwiftLearn (arXiv 2311.15134): trains on examples whose logits still move.

The paper's typeset formulas are not public: score, probability and re-evaluation are reconstructions from its text.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from typing_extensions import override

from components.arrays import Array, count_of
from components.costs.savings import LOOK_SHARE
from components.selection.common import choose
from components.selection.selector import Epoch, Selector, Subset, check_at_least, check_choice, check_fraction

if TYPE_CHECKING:
    from components.evidence.ledger import Ledger
    from components.run_position import Plan


class SwiftLearn(Selector):
    """Draw the ``fraction`` with the largest mean squared change of logits between the last two forward passes."""

    sights = 2

    def __init__(
        self,
        fraction: float,
        select: str = "top",
        temperature: float = 1.0,
        refresh: int | None = None,
        refresh_by: str = "sweep",
    ) -> None:
        """Create the method.

        Args:
            fraction: share of the examples drawn in an epoch after the warm-up, in (0, 1].
            select: "top" keeps the largest scores; "sample" draws without replacement by their softmax.
            temperature: sigma of that softmax, for scores in standard deviations; above 0.
            refresh: K, epochs between looks at every example; None for no more looks, as in the paper's experiments.
            refresh_by: "sweep" looks without training; "epoch" trains on everything for one epoch.
        """
        self.fraction = check_fraction("fraction", fraction)
        self.select_by = check_choice("select", select, ("top", "sample"))
        self.temperature = check_at_least("temperature", temperature, 1e-6)
        self.refresh = None if refresh is None else int(check_at_least("refresh", refresh, 1))
        self.refresh_by = check_choice("refresh_by", refresh_by, ("sweep", "epoch"))
        self.weight = np.ones(0, np.float32)

    @override
    def select(self, scores: Mapping[str, Array], rng: np.random.Generator) -> Subset:
        return self._choose(np.asarray(scores["change"], np.float32), rng)

    @override
    def begin(self, subset: Subset, plan: Plan) -> None:
        self.weight = subset.weight

    @override
    def sweeps(self, epoch: Epoch) -> bool:
        return self.refresh_by == "sweep" and self._due(epoch, 0)

    @override
    def review(self, epoch: Epoch, ledger: Ledger, rng: np.random.Generator) -> None:
        if self.sweeps(epoch) or (self.refresh_by == "epoch" and self._due(epoch, 1)):
            self.weight = self._choose(ledger.column("change"), rng).weight

    @override
    def draw(self, epoch: Epoch, ledger: Ledger, rng: np.random.Generator) -> Array:
        if self.refresh_by == "epoch" and self._due(epoch, 0):
            return np.ones(len(ledger), np.float32)
        return self.weight

    @override
    def state(self) -> dict[str, Array]:
        return {"weight": self.weight}

    @override
    def restore(self, state: Mapping[str, Array]) -> None:
        self.weight = state["weight"]

    @override
    def planned_cost(self, epochs: int, warm_up: float) -> float:
        warm_up = math.ceil(warm_up)  # an epoch that the warm-up began continues on everything
        rest = epochs - warm_up
        looks = 0 if self.refresh is None else max(0, int((rest - 1) // self.refresh))
        extra = LOOK_SHARE if self.refresh_by == "sweep" else 1 - self.fraction
        return warm_up + self.fraction * rest + extra * looks

    def _due(self, epoch: Epoch, late: int) -> bool:
        """Return whether a positive multiple of K epochs had passed since the warm-up, ``late`` epochs ago."""
        since = epoch.index - epoch.first - late
        return self.refresh is not None and since > 0 and since % self.refresh == 0

    def _choose(self, change: Array, rng: np.random.Generator) -> Subset:
        k = count_of(self.fraction, len(change))
        if self.select_by == "top":
            chosen = choose.largest(change, k)
        else:
            chosen = choose.largest(choose.perturbed(choose.standardised(change), self.temperature, rng), k)
        weight = np.zeros(len(change), np.float32)
        weight[chosen] = 1
        return Subset(weight, change)
