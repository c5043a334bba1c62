"""AdaSelection (Zhang et al. 2023, arXiv 2306.10728): blend rules inside each batch, and learn the blend.

The paper's typeset equations are not public: eq. 2 to 6 and both algorithms are reconstructions from its text, and every open
choice is an argument.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from typing_extensions import override

from components.arrays import Array, count_of
from components.selection.keeper import Keeper
from components.selection.rules import RULES, Signals, check_rules, wanted
from components.selection.selector import Epoch, check_at_least, check_choice, check_finite

if TYPE_CHECKING:
    from components.evidence import Ledger

#: The paper's whole pool M.
POOL = ("uniform", "big-loss", "small-loss", "gradient-norm", "adaboost", "coreset-1", "coreset-2")
#: Larger losses are taken for this one, whose square is still a float32.
LARGEST = 1e15
#: Keeps a rule to which all examples are alike from being divided by nothing.
LEAST_SPREAD = 1e-30
#: A rule's weight never falls below, so that it can recover (ours).
LEAST_WEIGHT = 1e-6
#: The most that one look may move the logarithm of a weight (ours).
LARGEST_STEP = 10.0


class AdaSelection(Keeper):
    """Keep the largest ``reward * sum_m w^m alpha^m`` (eq. 5, 6): each rule's say in the batch, by how far it is trusted."""

    def __init__(
        self,
        fraction: float,
        pool: list[str] | None = None,
        beta: float = 0.5,
        gamma: float = 0.5,
        temperature: float = 1.0,
        mean: str = "importance",
        change: str = "signed",
        time: str = "iteration",
        explore: bool = False,
        look: str = "fresh",
    ) -> None:
        """Set the rule.

        Args:
            fraction: kept of each look, in (0, 1].
            pool: the rules that are blended, by name; None for the paper's seven.
            beta: how fast trust moves (eq. 3): above 0 towards rules whose mean loss rises, below 0 towards those whose falls.
            gamma: how fast the curriculum's favour for small losses fades (eq. 4).
            temperature: of the softmax (eq. 2), over scores in standard deviations; above 0.
            mean: a rule's mean loss (eq. 3): by its "importance" over the batch, or over what it would have "kept".
            change: of that mean: "signed", or its "absolute" value.
            time: what t of the reward counts: each look an "iteration", or "epoch".
            explore: whether "uniform" draws random scores; else its importance is 1/B for all, as in the paper.
            look: how examples become known (``Keeper``).
        """
        super().__init__(fraction, look)
        self.pool = POOL if pool is None else tuple(pool)
        check_rules(self.pool, look)
        self.wants = wanted(self.pool)
        self.beta, self.gamma = check_finite("beta", beta), check_at_least("gamma", check_finite("gamma", gamma), 0)
        self.temperature = check_at_least("temperature", temperature, 1e-6)
        self.mean = check_choice("mean", mean, ("importance", "kept"))
        self.change = check_choice("change", change, ("signed", "absolute"))
        self.time = check_choice("time", time, ("iteration", "epoch"))
        self.explore = explore
        self.trust = np.full(len(self.pool), 1 / len(self.pool))
        self.before = np.full(len(self.pool), np.nan)
        self.steps = np.zeros(1, np.int64)

    @override
    def review(self, epoch: Epoch, ledger: Ledger, rng: np.random.Generator) -> None:
        if self.time == "epoch":
            self.steps = np.array([max(0, epoch.index - epoch.first) + 1])

    @override
    def take(self, seen: Signals) -> None:
        means = self.means(seen)
        self.trust, self.before = trusted(self.trust, self.before, means, self.beta, self.change), means
        if self.time == "iteration":
            self.steps = self.steps + 1

    @override
    def score(self, seen: Signals, index: Array, rng: np.random.Generator) -> Array:
        alpha = importance(self._scores(seen, rng if self.explore else None), self.temperature)
        return np.asarray(self.reward(seen.loss) * (self.trust @ alpha))

    def means(self, seen: Signals) -> Array:
        """Return each rule's mean loss in the batch, ``(M,)`` float64."""
        scores, loss = self._scores(seen, None), np.minimum(seen.loss, LARGEST).astype(np.float64)
        if self.mean == "importance":
            return np.asarray(importance(scores, self.temperature) @ loss)
        order = np.argsort(-scores, axis=1, kind="stable")
        return np.asarray(loss[order[:, : count_of(self.fraction, len(loss))]].mean(1))

    def reward(self, loss: Array) -> Array:
        """Return ``exp(-loss / t^gamma)`` (eq. 4), ``(B,)``: at first in favour of small losses, later the same for all."""
        t = max(1, int(self.steps[0]))
        return np.asarray(np.exp(loss * -np.exp(-min(self.gamma * np.log(t), 700.0))))

    @override
    def facts(self) -> dict[str, float]:
        return {f"trust_{name}": float(w) for name, w in zip(self.pool, self.trust, strict=True)}

    @override
    def state(self) -> dict[str, Array]:
        return {**super().state(), "trust": self.trust, "before": self.before, "steps": self.steps}

    @override
    def restore(self, state: Mapping[str, Array]) -> None:
        super().restore(state)
        self.trust, self.before, self.steps = state["trust"], state["before"], state["steps"]

    def _scores(self, seen: Signals, rng: np.random.Generator | None) -> Array:
        """Return what each rule says, ``(M, B)`` float64."""
        return np.clip([RULES[name](seen, rng) for name in self.pool], -LARGEST, LARGEST).astype(np.float64)


def importance(scores: Array, temperature: float) -> Array:
    """Return the softmax of each row of ``scores`` ``(M, B)``, in standard deviations, over ``temperature``.

    Standardising is ours: one outlying loss would take all of a plain softmax.
    """
    centred = scores - scores.mean(1, keepdims=True)
    spread = np.sqrt(np.square(centred).mean(1, keepdims=True))
    centred /= np.maximum(spread, LEAST_SPREAD) * temperature
    alpha = np.exp(centred - centred.max(1, keepdims=True))
    return np.asarray(alpha / alpha.sum(1, keepdims=True))


def trusted(trust: Array, before: Array, now: Array, beta: float, change: str) -> Array:
    """Return the rules' weights after a look (eq. 3): ``w exp(beta (L_t - L_{t-1}) / L_{t-1})``, over their sum, ``(M,)``.

    Args:
        trust: w of the look before, ``(M,)``.
        before: L of the look before, ``(M,)``; NaN where there was none, which changes nothing.
        now: L of this look.
        beta: the factor.
        change: "signed" or "absolute".
    """
    moved = np.nan_to_num((now - before) / np.maximum(np.abs(before), np.finfo(np.float32).tiny))
    step = np.clip(beta * (np.abs(moved) if change == "absolute" else moved), -LARGEST_STEP, LARGEST_STEP)
    new = trust * np.exp(step)
    new = np.maximum(new / new.sum(), LEAST_WEIGHT)
    return np.asarray(new / new.sum())
