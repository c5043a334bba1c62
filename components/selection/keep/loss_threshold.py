"""Loss threshold below which backward passes are skipped, fixed or automatic (arXiv 2207.14386)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from typing_extensions import override

from components.arrays import Array
from components.costs.savings import LOOK_SHARE
from components.selection.selector import Epoch, Look, Selector, Subset, check_at_least, check_choice

if TYPE_CHECKING:
    from components.evidence.evidence import Evidence
    from components.run_position import Plan
    from components.tasks.examples import Examples

#: Planned share of examples at or above the threshold; the real one depends on the losses.
KEPT = 0.3


class LossThreshold(Selector):
    """Find the threshold ``L_low`` in stage 0, on everything.

    In stage 1 keep the losses not below it.

    ``L_low`` is the mean loss of the last ``k`` batches (eq. 2): of steps in stage 0, of looks after it.
    """

    chance = False
    cost_known = False
    #: Steps change the model between looks: near chance, a pool chosen by one model is all of one class, and the next all of
    #: the other.
    pooled = False

    def __init__(
        self,
        threshold: float | None = None,
        n_0: float = 0.1,
        k: int = 8,
        k_in: str = "batches",
        threshold_update: str = "sliding",
        granularity: str = "example",
    ) -> None:
        """Create the method.

        Args:
            threshold: a fixed ``L_low``, above 0, without a stage 0; None to find it.
            n_0: N_0, in (0, 1), share of the first epoch that stage 0 takes.
            k: K, 1 or more, number of losses whose mean is the threshold.
            k_in: "batches", as in the paper, or "examples", as in the authors' code.
            threshold_update: "sliding", as in the paper, or "frozen" when stage 0 ends, as in the authors' code.
            granularity: whether an "example" or a "batch" is kept or skipped; a batch by its mean loss.
        """
        if threshold is not None and not threshold > 0:
            raise ValueError(f"threshold must be above 0, got {threshold!r}; one that works: 0.3")
        if not 0 < n_0 < 1:
            raise ValueError(f"n_0 must be in (0, 1), got {n_0!r}; the nearest that works is {0.99 if n_0 >= 1 else 0.01}")
        self.fixed, self.n_0, self.k = threshold is not None, n_0, int(check_at_least("k", k, 1))
        self.k_in = check_choice("k_in", k_in, ("batches", "examples"))
        self.slides = check_choice("threshold_update", threshold_update, ("sliding", "frozen")) == "sliding"
        self.by_batch = check_choice("granularity", granularity, ("example", "batch")) == "batch"
        self.low = threshold or 0.0
        self.stage, self.seen, self.stage_0, self.batch_size = int(self.fixed), 0, 0, 1
        self.window = np.zeros(0)
        self._happened: list[str] = []

    @override
    def begin(self, subset: Subset, plan: Plan) -> None:
        self.batch_size = self.batch_of(plan.batch_size, 1.0)
        drawn = np.count_nonzero(subset.weight)
        self.stage_0 = round(self.n_0 * drawn)
        needed = self.k * (self.batch_size if self.k_in == "batches" else 1)
        if not self.fixed and needed > self.stage_0:
            unit = f"{self.stage_0 // self.batch_size} batches" if self.k_in == "batches" else f"{self.stage_0} examples"
            near = math.ceil(100 * needed / drawn) / 100
            raise ValueError(f"k must be at most the {unit} of stage 0 (n_0: {self.n_0}), got {self.k}; n_0: {near} is enough")

    @override
    def look(self, epoch: Epoch) -> Look | None:
        if self.stage == 0:
            return None
        return "whole-batch" if self.by_batch else "fresh"

    @override
    def learn(self, evidence: Evidence, examples: Examples) -> None:
        if self.fixed:
            return
        found = self.stage == 0
        if found or self.slides:
            # The threshold is that of the losses before this batch.
            self.low = float(self.window.mean()) if len(self.window) else 0.0
            self._take(evidence.signals.loss)
        if found and self.seen >= self.stage_0:
            self.stage, self.low = 1, float(self.window.mean())
            self._happened.append(
                f"stage 1: stage 0 ended after {self.seen} examples, n_0 of the epoch; L_low is {self.low:.4g}"
            )

    def _take(self, loss: Array) -> None:
        """Add the losses ``(B,)`` to the window."""
        self.seen += len(loss)
        if self.k_in == "batches":
            starts = np.arange(0, len(loss), self.batch_size)
            loss = np.add.reduceat(loss.astype(np.float64), starts) / np.diff([*starts, len(loss)])
        self.window = np.concatenate([self.window, loss])[-self.k :]

    def worth(self, loss: Array) -> Array:
        """Return whether each of the losses ``(B,)`` is worth a backward pass, ``(B,)`` bool."""
        return np.full(len(loss), loss.mean() >= self.low) if self.by_batch else np.asarray(loss >= self.low)

    @override
    def keep(self, evidence: Evidence, rng: np.random.Generator) -> Array:
        return self.worth(evidence.signals.loss)

    @override
    def facts(self) -> dict[str, float]:
        return {"stage": self.stage, "threshold": self.low}

    @override
    def events(self) -> list[str]:
        happened, self._happened = self._happened, []
        return happened

    @override
    def state(self) -> dict[str, Array]:
        return {"window": self.window, "low": np.array([self.low]), "stage": np.array([self.stage, self.seen])}

    @override
    def restore(self, state: Mapping[str, Array]) -> None:
        self.window, self.low = state["window"], float(state["low"][0])
        self.stage, self.seen = (int(n) for n in state["stage"])

    @override
    def planned_cost(self, epochs: int, warm_up: float) -> float:
        rest = epochs - warm_up
        stage_0 = 0.0 if self.fixed else min(self.n_0, rest)
        return warm_up + stage_0 + (rest - stage_0) * (KEPT + LOOK_SHARE * (1 - KEPT * self.by_batch))
