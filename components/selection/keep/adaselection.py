"""AdaSelection (Zhang et al. 2023, arXiv 2306.10728): blends rules in each batch.

The paper's typeset equations are not public: eq. 2 to 6 and both algorithms are reconstructions from its text, and every open
choice is an argument.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from typing_extensions import override

from components.arrays import Array, count_of
from components.evidence.signals import Signals
from components.selection.keep.keeper import Keeper
from components.selection.keep.rules import RULES, check_rules, required_signals
from components.selection.selector import Epoch, check_at_least, check_choice, check_finite

if TYPE_CHECKING:
    from components.evidence.ledger import Ledger

#: The pool of the paper's tables, "[Big Loss, Small Loss, uniform]": with all seven one of movie reviews ends at chance.
POOL = ("uniform", "big-loss", "small-loss")
#: The paper's whole pool M.
SEVEN = ("uniform", "big-loss", "small-loss", "gradient-norm", "adaboost", "coreset-1", "coreset-2")
#: Bound of losses and scores, whose square is still a float32.
LARGEST = 1e15
#: Lower bound of a divisor, for rules that score all examples alike.
LEAST_SPREAD = 1e-18
#: Lower bound of a rule's weight, so that it can recover (ours).
LEAST_WEIGHT = 1e-6
#: Largest change of a weight's logarithm in one look (ours).
LARGEST_STEP = 10.0

#: Whole batches per update (ours): weights and scores change slowly, and an update each batch would take 7 % of a small
#: model's time.
LESSON = 16


class AdaSelection(Keeper):
    """Keep the largest ``reward * sum_m w^m alpha^m`` (eq. 5, 6): rules' importances blended by the rules' weights."""

    def __init__(
        self,
        fraction: float,
        pool: list[str] | None = None,
        beta: float = 0.5,
        gamma: float = 1.0,
        temperature: float = 1.0,
        mean: str = "importance",
        change: str = "signed",
        time: str = "iteration",
        explore: bool = True,
        look: str = "fresh",
    ) -> None:
        """Create the method.

        Args:
            fraction: share kept of each look, in (0, 1].
            pool: names of the blended rules; None for ``POOL``, the three of the paper's tables.
            beta: rate of the weights' update (eq. 3): above 0 towards rules whose mean loss rises, below 0 whose falls.
            gamma: how fast the preference for small losses fades (eq. 4).
            temperature: of the softmax (eq. 2), for scores in standard deviations; above 0.
            mean: a rule's mean loss (eq. 3), by its "importance" over the batch, or over what it would have "kept".
            change: of that mean, "signed" or "absolute".
            time: unit of t in the reward: "iteration" for looks, or "epoch".
            explore: whether "uniform" draws random scores (ours); else its importance is 1/B for all, as in the paper's text,
                and it chooses nothing.
            look: how examples are seen (``Keeper``).
        """
        super().__init__(fraction, look, draws=explore)
        self.every = 1 if explore else LESSON
        self.pool = POOL if pool is None else tuple(pool)
        check_rules(self.pool, look)
        self.wants = required_signals(self.pool)
        self.beta, self.gamma = check_finite("beta", beta), check_at_least("gamma", check_finite("gamma", gamma), 0)
        self.temperature = check_at_least("temperature", temperature, 1e-6)
        self.mean = check_choice("mean", mean, ("importance", "kept"))
        self.change = check_choice("change", change, ("signed", "absolute"))
        self.time = check_choice("time", time, ("iteration", "epoch"))
        self.explore = explore
        self.trust = np.full(len(self.pool), 1 / len(self.pool), np.float32)
        self.before = np.zeros(0, np.float32)
        self.steps = 0

    @override
    def review(self, epoch: Epoch, ledger: Ledger, rng: np.random.Generator) -> None:
        if self.time == "epoch":
            self.steps = max(0, epoch.index - epoch.first) + 1

    @override
    def take(self, seen: Signals) -> None:
        means = self.means(seen)
        self.trust, self.before = trusted(self.trust, self.before, means, self.beta, self.change), means
        if self.time == "iteration":
            self.steps += 1

    @override
    def score(self, seen: Signals, index: Array, rng: np.random.Generator) -> Array:
        alpha = importance(self._scores(seen, rng), self.temperature) if self.explore else self.importance(seen)
        return np.asarray(np.add.reduce(self.trust[:, None] * alpha) * self.reward(seen.loss))

    def importance(self, seen: Signals) -> Array:
        """Return alpha (eq. 2), each rule's softmax over the batch, ``(M, B)``; that of "uniform" is 1/B."""
        if "alpha" not in seen.memo:
            seen.memo["alpha"] = importance(self._scores(seen, None), self.temperature)
        return seen.memo["alpha"]

    def means(self, seen: Signals) -> Array:
        """Return each rule's mean loss in the batch, ``(M,)``."""
        loss = np.minimum(seen.loss, LARGEST)
        if self.mean == "importance":
            return np.asarray(np.add.reduce(self.importance(seen) * loss, 1))
        order = np.argsort(-self._scores(seen, None), axis=1, kind="stable")
        return np.asarray(loss[order[:, : count_of(self.fraction, len(loss))]].mean(1))

    def reward(self, loss: Array) -> Array:
        """Return ``exp(-loss / t^gamma)`` (eq. 4), ``(B,)``: at first in favour of small losses, later equal for all."""
        return np.asarray(np.exp(loss * -math.exp(-min(self.gamma * math.log(max(1, self.steps)), 700.0))))

    @override
    def facts(self) -> dict[str, float]:
        return {f"trust_{name}": w for name, w in zip(self.pool, self.trust.tolist(), strict=True)}

    @override
    def state(self) -> dict[str, Array]:
        known = {"trust": self.trust, "before": self.before, "steps": np.array([self.steps])}
        return {**super().state(), **known}

    @override
    def restore(self, state: Mapping[str, Array]) -> None:
        super().restore(state)
        self.trust, self.before, self.steps = state["trust"], state["before"], int(state["steps"][0])

    def _scores(self, seen: Signals, rng: np.random.Generator | None) -> Array:
        """Return the scores of each rule, ``(M, B)``."""
        scores = [RULES[name](seen, rng) for name in self.pool]
        return np.concatenate(scores).reshape(len(scores), -1)


def importance(scores: Array, temperature: float) -> Array:
    """Return the softmax of each row of ``scores`` ``(M, B)``, in standard deviations, over ``temperature``.

    Standardising is ours: one outlying loss would take all of a plain softmax.
    """
    # Few functions, used repeatedly: after a step has evicted the caches, each one's first call takes ten times as long.
    size = scores.shape[1]
    scores = np.maximum(np.minimum(scores, LARGEST), -LARGEST)
    scores -= np.add.reduce(scores, 1, keepdims=True) / size
    squares = np.add.reduce(scores * scores, 1, keepdims=True)
    scores *= size**0.5 / temperature / np.maximum(np.sqrt(squares), LEAST_SPREAD * size**0.5)
    scores -= np.maximum.reduce(scores, 1, keepdims=True)
    alpha = np.exp(scores, out=scores)
    alpha /= np.add.reduce(alpha, 1, keepdims=True)
    return alpha


def trusted(trust: Array, before: Array, now: Array, beta: float, change: str) -> Array:
    """Return the rules' weights after a look (eq. 3): ``w exp(beta (L_t - L_{t-1}) / L_{t-1})``, normalised to sum 1.

    Args:
        trust: w of the previous look, ``(M,)``.
        before: L of the previous look, ``(M,)``; if empty, the weights stay.
        now: L of this look, ``(M,)``.
        beta: the factor.
        change: "signed" or "absolute".
    """
    if not before.size:
        return trust
    moved = (now - before) / np.maximum(np.abs(before), LEAST_SPREAD)
    if change == "absolute":
        moved = np.abs(moved)
    new = trust * np.exp(np.minimum(np.maximum(beta * moved, -LARGEST_STEP), LARGEST_STEP))
    new = np.maximum(new / np.add.reduce(new), LEAST_WEIGHT)
    return np.asarray(new / np.add.reduce(new))
