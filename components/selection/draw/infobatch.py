"""InfoBatch (Qin et al., ICLR 2024, arXiv 2303.04947): skips well-learnt examples, upweights the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from typing_extensions import override

from components.arrays import Array
from components.selection.selector import Epoch, Selector, check_choice, check_fraction

if TYPE_CHECKING:
    from components.evidence.ledger import Ledger

#: Share of examples whose loss is below the mean, for planning only: above half, since losses are skewed.
BELOW_MEAN = 0.6


class InfoBatch(Selector):
    """Leave out ``prune`` of the examples with low losses each epoch, except the last epochs.

    Low losses are those below the mean; the kept ones weigh ``1 / (1 - prune)``, so the expected gradient is that of all
    examples. Losses are those of training: nothing is computed for the selection.
    """

    cost_known = False

    def __init__(self, prune: float = 0.5, until: float = 0.875, weights: str = "authors") -> None:
        """Create the method; the defaults are the authors'.

        Args:
            prune: r, fraction of the low-loss examples left out of an epoch, in [0, 0.9].
            until: delta, fraction of the run after which nothing is left out, in (0, 1]; whole epochs, rounded down.
            weights: "authors" leaves them as they are; "mean" divides them by their mean over the drawn examples, which
                otherwise raises the learning rate under SGD.
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
