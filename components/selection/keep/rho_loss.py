"""RHO-LOSS (Mindermann et al., ICML 2022, arXiv 2206.07137): keeps learnable, not yet learnt examples."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from typing_extensions import override

from components.arrays import Array
from components.evidence.signals import Signals
from components.selection.keep.keeper import Keeper
from components.selection.selector import Epoch, Subset

if TYPE_CHECKING:
    from components.evidence.ledger import Ledger
    from components.run_position import Plan


class RhoLoss(Keeper):
    """Keep the largest reducible losses: loss minus that of a model trained on a holdout."""

    holdout = True

    def __init__(self, fraction: float = 0.1, look: str = "fresh") -> None:
        """Set the fraction kept, in (0, 1] (the authors' 0.1), and how examples are seen: "fresh" or "stale(n)"."""
        super().__init__(fraction, look, draws=False)
        if self.by_batch:
            raise ValueError("look must be 'fresh' or 'stale(n)' here, got 'whole-batch'; the nearest that works is 'fresh'")
        self.weight, self.irreducible = np.zeros(0, np.float32), np.zeros(0, np.float32)

    @override
    def select(self, scores: Mapping[str, Array], rng: np.random.Generator) -> Subset:
        if "holdout" not in scores:
            raise ValueError("rho-loss needs the score table of a warm-up with 'holdout', for the irreducible losses")
        return Subset((~scores["holdout"]).astype(np.float32), -np.asarray(scores["loss"], np.float32))

    @override
    def begin(self, subset: Subset, plan: Plan) -> None:
        self.weight, self.irreducible = subset.weight, -subset.score

    @override
    def draw(self, epoch: Epoch, ledger: Ledger, rng: np.random.Generator) -> Array:
        return self.weight

    @override
    def score(self, seen: Signals, index: Array, rng: np.random.Generator) -> Array:
        return seen.loss - self.irreducible[index]
