"""Importance sampling by the gradient of the last forward pass, half-corrected by weights.

Importance sampling by the norm of the last layer's gradient is that of Katharopoulos and Fleuret (ICML 2018, arXiv
1803.00942). Using the norms of training's own passes, at least an epoch old, the floor, the half correction, the noise
guard and the budget are ours.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

import numpy as np
from typing_extensions import override

from components.arrays import Array, count_of
from components.selection.common import budgets, gradient_sizes, noise, sampling
from components.selection.draw.uniform import blind
from components.selection.selector import Batching, Epoch, Selector, check_at_least, check_choice, check_fraction

if TYPE_CHECKING:
    from components.evidence.ledger import Ledger

#: Epochs after which the estimate of wrong labels may only rise: examples left out can no longer contradict their labels.
SETTLED = 2
#: Effective sample size that "auto" is planned with.
GUESS = 0.3
#: Share from which on importance sampling is close to drawing everything.
TOO_MUCH = 0.7
#: Epochs below which wrong labels cannot be told from hard ones in time.
LEAST_GUARDED = 3


class Importance(Selector):
    """Spend ``budget`` of the cost of ``full``: everything in the first epoch, then examples that still have a gradient.

    Nothing is computed for the selection: signals are those of each example's last forward pass in training.
    """

    batch: Batching = 0.5

    def __init__(
        self,
        budget: float | Literal["auto"] = 0.35,
        signal: str = "gradient-norm",
        floor: float = 0.2,
        correction: float = 0.5,
        weights: str = "mean",
        noise_guard: bool = True,
        class_weights: str = "none",
        first: float = 1.0,
        slope: float = 0.0,
        last_full: bool = False,
        effective: float = 1.0,
        least: float = 0.1,
        most: float = 1.0,
    ) -> None:
        """Create the method; the defaults are the recipe of docs/methods/importance.md.

        Args:
            budget: share of the cost of ``full`` to spend, in (0, 1]; "auto" draws ``effective`` times the effective sample
                size, epoch by epoch.
            signal: "gradient-norm" of the loss by the output, "loss", or "uncertainty", 1 minus the largest probability.
            floor: part of the probability shared by all examples, in [0, 1]; 1 is a uniform draw.
            correction: exponent of the weights ``p ** -correction`` for probability p, in [0, 1]; 1 is unbiased.
            weights: "mean" divides the weights by their mean over the drawn examples; "raw" leaves them.
            noise_guard: whether examples with probably wrong labels are left out; for classes only.
            class_weights: as for ``short``: "square-root" or "balanced" weighs rows of rare classes, and so their gradients,
                more; for classes only.
            first: share of the examples that the first epoch draws, uniformly, in (0, 1].
            slope: of the later epochs' shares, in [-1, 1]: 1 rises from 0 to twice their mean, -1 falls.
            last_full: whether the last epoch draws everything, unweighted.
            effective: draws of "auto" in effective sample sizes; above 0.
            least: smallest share that "auto" draws in an epoch, in (0, 1].
            most: largest share, ``least`` or more.
        """
        self.budget = None if budget == "auto" else check_fraction("budget", budget)
        self.cost_known = self.budget is not None
        self.signal = check_choice("signal", signal, gradient_sizes.SIGNALS)
        self.floor, self.correction = _check_unit("floor", floor), _check_unit("correction", correction)
        self.raw = check_choice("weights", weights, ("mean", "raw")) == "raw"
        self.guarded, self.last_full = noise_guard, last_full
        self.power = gradient_sizes.CLASS_POWERS[
            check_choice("class_weights", class_weights, tuple(gradient_sizes.CLASS_POWERS))
        ]
        self.classes = self.power > 0
        self.first = check_fraction("first", first)
        self.slope, self.effective = budgets.check_slope(slope), check_at_least("effective", effective, 0.1)
        self.least, self.most = check_fraction("least", least), check_fraction("most", most)
        if most < least:
            raise ValueError(
                f"most must be at least the value of least, {least}, got {most!r}; the nearest that works is {least}"
            )
        self.share, self.noise, self.sample_size = 1.0, 0.0, 1.0
        self._happened: list[str] = []

    @override
    def check(self, epochs: int, warm_up: float) -> None:
        if self.guarded and epochs < LEAST_GUARDED:
            raise ValueError(f"noise_guard must be false for a run of under {LEAST_GUARDED} epochs, got true for {epochs}")
        least = (self._cost_before_draws(warm_up) + self.last_full) / epochs
        if self.budget is not None and self.budget <= least:
            whole = "the first and the last epoch" if self.last_full else "the first epoch"
            nearest = math.floor(100 * least + 1) / 100
            raise ValueError(
                f"budget must be above the share of {whole}, {least:.4g} of {epochs} epochs, got {self.budget!r}; the nearest "
                f"that works is {nearest}"
            )

    @override
    def review(self, epoch: Epoch, ledger: Ledger, rng: np.random.Generator) -> None:
        seen = ledger.column("seen") > 0
        if not seen.any():
            self.share = self.first
            return
        if self.guarded and ledger.target is not None:
            now = noise.rate(ledger.column("loss")[seen], ledger.column("margin")[seen])
            self.noise = now if epoch.index <= SETTLED else max(self.noise, now)
        size = self._by_class(ledger, gradient_sizes.signal_of(ledger, self.signal))
        size[self._suspects(ledger)] = 0
        self.sample_size = gradient_sizes.effective_sample_size(size)
        spent = float(ledger.column("drawn").sum(dtype=np.int64) / len(ledger))
        self.share = self._share(epoch, spent, self.sample_size)
        if self.budget is None:
            self._happened.append(self._why(epoch, spent))

    def _why(self, epoch: Epoch, spent: float) -> str:
        """Return a sentence on what an epoch draws under "auto", and why."""
        drawn = f"epoch {epoch.index + 1} draws {self.share:.3f} of the examples"
        why = f"gradients have an effective sample size of {self.sample_size:.3f}"
        pays = "" if self.share < TOO_MUCH else ", so importance sampling saves next to nothing; use the short schedule"
        return f"{drawn}: {why}{pays}; spent so far {spent / epoch.total:.3f} of the cost of full"

    @override
    def draw(self, epoch: Epoch, ledger: Ledger, rng: np.random.Generator) -> Array:
        if not (ledger.column("seen") > 0).any() or self._is_last(epoch):
            return self._by_class(ledger, blind(len(ledger), self.first if epoch.index == 0 else 1.0, rng))
        size = gradient_sizes.floored(self._by_class(ledger, gradient_sizes.signal_of(ledger, self.signal)), self.floor)
        size[self._suspects(ledger)] = self.floor if epoch.index < SETTLED else 0
        k = min(count_of(self.share, len(size)), int(np.count_nonzero(size)))
        p = sampling.inclusion(size, k)
        weight = np.zeros(len(size), np.float32)
        drawn = sampling.pareto(p, k, rng)
        weighs = p[drawn] ** -self.correction * self._by_class(ledger, np.ones(len(size), np.float32))[drawn]
        weight[drawn] = weighs if self.raw else weighs / weighs.mean(dtype=np.float64)
        return weight

    def _by_class(self, ledger: Ledger, size: Array) -> Array:
        """Return ``size`` ``(N,)`` times the class weights."""
        if not self.power or ledger.target is None:
            return size
        return np.asarray(size * gradient_sizes.class_weights(ledger.target, self.power), np.float32)

    @override
    def facts(self) -> dict[str, float]:
        return {"share": self.share, "effective_sample_size": self.sample_size, "wrong_labels": self.noise}

    @override
    def events(self) -> list[str]:
        happened, self._happened = self._happened, []
        return happened

    @override
    def state(self) -> dict[str, Array]:
        return {"numbers": np.array([self.share, self.noise, self.sample_size])}

    @override
    def restore(self, state: Mapping[str, Array]) -> None:
        self.share, self.noise, self.sample_size = (float(n) for n in state["numbers"])

    @override
    def planned_cost(self, epochs: int, warm_up: float) -> float:
        spent = self._cost_before_draws(warm_up)
        for index in range(max(1, math.ceil(warm_up)), epochs):
            epoch = Epoch(index, epochs, math.ceil(warm_up))
            spent += 1.0 if self._is_last(epoch) else self._share(epoch, spent, GUESS)
        return spent

    def _cost_before_draws(self, warm_up: float) -> float:
        """Return the cost, in epochs, up to the first draw by importance."""
        return float(math.ceil(warm_up)) if warm_up else self.first

    def _is_last(self, epoch: Epoch) -> bool:
        return self.last_full and epoch.index + 1 >= epoch.total

    def _share(self, epoch: Epoch, spent: float, sample_size: float) -> float:
        """Return the share of the examples that an epoch draws, after ``spent`` epochs."""
        if self.budget is None:
            return min(self.most, max(self.least, self.effective * sample_size))
        left = max(0.0, self.budget * epoch.total - spent - self.last_full)
        start, stop = max(1, epoch.first), int(epoch.total) - self.last_full
        course = [budgets.course(i, start, stop, self.slope) for i in range(epoch.index, stop)]
        return min(1.0, left * course[0] / sum(course)) if course else 1.0

    def _suspects(self, ledger: Ledger) -> Array:
        if not (self.guarded and self.noise):
            return np.empty(0, np.int64)
        return noise.suspects(ledger.column("margin_mean"), self.noise)


def _check_unit(name: str, value: float) -> float:
    if not 0 <= value <= 1:
        raise ValueError(f"{name} must be in [0, 1], got {value!r}; the nearest that works is {min(max(value, 0.0), 1.0)}")
    return value
