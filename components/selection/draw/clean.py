"""Training on everything but probably mislabelled examples.

Examples are ranked by the area under the margin (Pleiss et al. 2020, arXiv 2001.10528), its mean over all forward passes. How
many of each class are left out is estimated as by the noise guard of ``importance``, which is ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from typing_extensions import override

from components.arrays import Array
from components.selection.common import noise
from components.selection.selector import Epoch, Selector, Subset, check_at_least, check_choice

if TYPE_CHECKING:
    from components.evidence.ledger import Ledger
    from components.run_position import Plan

#: Share of wrong labels, for planning only.
GUESS = 0.1


class Clean(Selector):
    """Train on everything for ``after`` epochs, then on all but probably mislabelled examples."""

    classes = True
    cost_known = False

    def __init__(self, after: int = 2, by_class: bool = True, rate: str = "contradictions") -> None:
        """Create the method.

        Args:
            after: epochs on everything before anything is left out, 1 or more, warm-up included.
            by_class: whether the rate of wrong labels is estimated per label, by contradictions.
            rate: estimated by "contradictions" among the surer half, as training goes on; or once by a "fake-class", from a
                warm-up that trained on one, which makes ``after`` irrelevant.
        """
        self.after, self.by_class = int(check_at_least("after", after, 1)), by_class
        self.fake_class = check_choice("rate", rate, ("contradictions", "fake-class")) == "fake-class"
        self.weight = np.ones(0, np.float32)
        self.rates = np.zeros(1)
        self.left_out = 0.0
        self._happened: list[str] = []

    @override
    def check(self, epochs: int, warm_up: float) -> None:
        if self.after >= epochs and not self.fake_class:
            raise ValueError(
                f"after must be under the {epochs} epochs of training, got {self.after}; the nearest is {epochs - 1}"
            )

    @override
    def select(self, scores: Mapping[str, Array], rng: np.random.Generator) -> Subset:
        subset = super().select(scores, rng)
        if not self.fake_class:
            return subset
        if "fake" not in scores:
            raise ValueError(
                "clean needs the score table of a warm-up with 'fake_class', whose rows estimate the rate of wrong labels"
            )
        margin = np.where(scores["fake"], -1, scores["margin_mean"])
        subset.weight[noise.suspects(margin, noise.rate_by_fake(scores["margin_mean"], scores["fake"]))] = 0
        return Subset(subset.weight, -scores["margin_mean"].astype(np.float32))

    @override
    def begin(self, subset: Subset, plan: Plan) -> None:
        self.weight = subset.weight
        self.left_out = float(np.mean(self.weight == 0)) if self.fake_class else 0.0

    @override
    def review(self, epoch: Epoch, ledger: Ledger, rng: np.random.Generator) -> None:
        if epoch.index < self.after or self.fake_class:
            return
        assert ledger.target is not None
        now = self._rates(ledger, ledger.target)
        # Examples that are left out can no longer contradict their labels.
        self.rates = now if epoch.index == self.after else np.maximum(self.rates, now)
        self.left_out = len(self._suspects(ledger)) / len(ledger)
        if epoch.index == self.after:
            self._happened.append(f"from epoch {epoch.index + 1} on leaves out {self.left_out:.4f} of the examples")

    @override
    def draw(self, epoch: Epoch, ledger: Ledger, rng: np.random.Generator) -> Array:
        if self.fake_class:
            return self.weight
        weight = super().draw(epoch, ledger, rng)
        if epoch.index >= self.after:
            weight[self._suspects(ledger)] = 0
        return weight

    @override
    def facts(self) -> dict[str, float]:
        return {"left_out": self.left_out, "wrong_labels": float(self.rates.max())}

    @override
    def events(self) -> list[str]:
        happened, self._happened = self._happened, []
        return happened

    @override
    def state(self) -> dict[str, Array]:
        return {"rates": self.rates, "left_out": np.array([self.left_out])}

    @override
    def restore(self, state: Mapping[str, Array]) -> None:
        self.rates, self.left_out = state["rates"], float(state["left_out"][0])

    @override
    def planned_cost(self, epochs: int, warm_up: float) -> float:
        return epochs - GUESS * (epochs - (0 if self.fake_class else self.after))

    def _rates(self, ledger: Ledger, label: Array) -> Array:
        loss, margin = ledger.column("loss"), ledger.column("margin")
        if not self.by_class:
            return np.array([noise.rate(loss, margin)])
        return noise.rates_by_class(noise.surer_half(loss, margin), ledger.column("predicted"), label)

    def _suspects(self, ledger: Ledger) -> Array:
        return noise.suspects(ledger.column("margin_mean"), self.rates, ledger.target if self.by_class else None)
