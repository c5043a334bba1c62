"""Training on a holdout, whose model gives irreducible losses (arXiv 2206.07137)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from typing_extensions import override

from components.arrays import Array
from components.rng import stream
from components.selection.draw.uniform import blind
from components.selection.selector import Epoch, Selector

if TYPE_CHECKING:
    from components.evidence.ledger import Ledger


class Holdout(Selector):
    """Train on the holdout only, for a number of epochs."""

    def __init__(self, fraction: float, epochs: int, seed: int) -> None:
        """Create the method with the ``fraction`` held out, in (0, 1), its ``epochs``, and the ``seed`` of its draw."""
        self.fraction, self.epochs, self.seed = fraction, epochs, seed

    def held(self, examples: int) -> Array:
        """Return whether each of N ``examples`` is in the holdout, ``(N,)`` bool."""
        return np.asarray(blind(examples, self.fraction, stream(self.seed, "holdout")) > 0)

    @override
    def length(self, epochs: int) -> float:
        return self.epochs

    @override
    def draw(self, epoch: Epoch, ledger: Ledger, rng: np.random.Generator) -> Array:
        return self.held(len(ledger)).astype(np.float32)
