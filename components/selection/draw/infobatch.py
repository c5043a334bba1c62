"""InfoBatch (Qin et al., ICLR 2024, arXiv 2303.04947): skips well-learnt examples, upweights the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from typing_extensions import override

from components.arrays import Array
from components.selection.selector import Epoch, Selector, check_choice, check_fraction

if TYPE_CHECKING:
    from components.evidence.ledger import Ledger

#: Share of examples whose loss is below the mean, for planning only: a little over half, losses being skewed.
BELOW_MEAN = 0.6


class InfoBatch(Selector):
    """Each epoch leaves out ``prune`` of the examples whose last loss is below the mean, and trains on all at the end.

    Those of them that stay weigh ``1 / (1 - prune)``, so that the expected gradient is that of all examples. The losses are
    those that training showed: nothing is computed for the selection.
    """

    cost_known = False

    def __init__(self, prune: float = 0.5, until: float = 0.875, weights: str = "authors") -> None:
        """Set the rule; the defaults are the authors'.

        Args:
            prune: r, the fraction of the low-loss examples left out of an epoch, in [0, 0.9].
            until: delta, the fraction of the run after which nothing is left out, in (0, 1]; whole epochs, rounded down.
            weights: "authors" leaves them as they are, "mean" divides them by their mean over those drawn, without which the
                learning rate rises by it under SGD.
        """
        if not 0 <= prune <= 0.9:
            raise ValueError(f"prune must be in [0, 0.9], got {prune!r}; the nearest that works is {min(max(prune, 0), 0.9)}")
        self.prune, self.until = prune, check_fraction("until", until)
        self.by_mean = check_choice("weights", weights, ("authors", "mean")) == "mean"

    @override
    def draw(self, epoch: Epoch, ledger: Ledger, rng: np.random.Generator) -> Array:
        weight = super().draw(epoch, ledger, rng)
        if epoch.index >= int(self.until * epoch.total) or not ledger.column("seen").all():
            return weight
        loss = ledger.column("loss")
        low = np.flatnonzero(loss < loss.mean(dtype=np.float64))
        kept = int((1 - self.prune) * len(low))
        weight[low] = 0
        weight[rng.permutation(low)[:kept]] = 1 / (1 - self.prune)
        if self.by_mean:
            weight /= weight[weight > 0].mean(dtype=np.float64)
        return weight

    @override
    def planned_cost(self, epochs: int, warm_up: float) -> float:
        pruned = sum(1 for e in range(epochs) if max(1, warm_up) <= e < int(self.until * epochs))
        return epochs - pruned * self.prune * BELOW_MEAN
