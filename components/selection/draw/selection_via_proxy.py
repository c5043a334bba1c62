"""Selection via Proxy (Coleman et al., ICLR 2020, arXiv 1906.11829): a small model ranks examples."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from typing_extensions import override

from components.arrays import Array, count_of
from components.selection.common import choose
from components.selection.selector import Epoch, Selector, Subset, check_choice, check_fraction

if TYPE_CHECKING:
    from components.evidence.ledger import Ledger
    from components.run_position import Plan

#: Ranking -> column of the proxy's score table.
COLUMNS = {"confidence": "least_confidence", "entropy": "entropy", "forgetting": "forgetting", "k-centres": "features"}


class SelectionViaProxy(Selector):
    """Draw the ``fraction`` that the proxy ranks highest, the same in every epoch."""

    proxy = True

    def __init__(self, fraction: float = 0.5, by: str = "confidence") -> None:
        """Create the method.

        Args:
            fraction: share of the examples, in (0, 1]; the default is the authors' for Amazon reviews.
            by: "confidence" (least first), "entropy" or "forgetting", ties broken at random; or "k-centres".
        """
        self.fraction = check_fraction("fraction", fraction)
        self.by = check_choice("by", by, tuple(COLUMNS))
        self.weight = np.ones(0, np.float32)

    @override
    def select(self, scores: Mapping[str, Array], rng: np.random.Generator) -> Subset:
        if COLUMNS["confidence"] not in scores:
            raise ValueError("selection-via-proxy needs the score table of a warm-up with a 'proxy'")
        if (column := COLUMNS[self.by]) not in scores:
            raise ValueError(f"by: {self.by!r} needs a single vector per example before the proxy's last linear layer")
        values, k = scores[column], count_of(self.fraction, len(scores["id"]))
        if self.by == "k-centres":
            chosen, score = choose.k_centres(values, k)
        else:
            order, score = rng.permutation(len(values)), np.asarray(values, np.float32)
            chosen = order[choose.top(score[order], k)]
        weight = np.zeros(len(score), np.float32)
        weight[chosen] = 1
        return Subset(weight, score)

    @override
    def begin(self, subset: Subset, plan: Plan) -> None:
        self.weight = subset.weight

    @override
    def draw(self, epoch: Epoch, ledger: Ledger, rng: np.random.Generator) -> Array:
        return self.weight

    @override
    def planned_cost(self, epochs: int, warm_up: float) -> float:
        begun = math.ceil(warm_up)
        return begun + self.fraction * (epochs - begun)
