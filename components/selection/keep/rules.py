"""Rules: functions that rank examples of a look, one line each in ``RULES``.

A rule returns a score per example, ``(B,)``, higher = keep. For a single rule only the order matters; AdaSelection (arXiv
2306.10728, whose baselines these are) also uses the distances.
"""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from functools import cache

import numpy as np

from components.arrays import Array, count_of
from components.evidence.signals import Signals

#: Smallest distance from 0 and 1 of a loss that is converted to a share of errors.
SHARE_BOUND = 1e-6
#: Odds of the smallest share, and log-odds of the largest.
LEAST_ODDS = SHARE_BOUND / (1 - SHARE_BOUND)
LOG_ODDS_BOUND = -float(np.log(LEAST_ODDS))


Rule = Callable[[Signals, np.random.Generator | None], Array]


def uniform(seen: Signals, rng: np.random.Generator | None) -> Array:
    """Return random numbers; without a generator, the same for all."""
    return _same(len(seen)) if rng is None else rng.random(len(seen), np.float32)


def big_loss(seen: Signals, rng: np.random.Generator | None) -> Array:
    """Return the loss."""
    return seen.loss


def small_loss(seen: Signals, rng: np.random.Generator | None) -> Array:
    """Return the loss, negated (MKL-SGD, arXiv 2001.03316, in the form that keeps several)."""
    return -seen.loss


def gradient_norm(seen: Signals, rng: np.random.Generator | None) -> Array:
    """Return the norm of the loss's gradient by the output: ``||softmax(z) - y||_2``, or ``2 |prediction - target|``."""
    return seen.norm


def input_gradient_norm(seen: Signals, rng: np.random.Generator | None) -> Array:
    """Return the norm of the loss's gradient by the input."""
    assert seen.input_norm is not None
    return seen.input_norm


def adaboost(seen: Signals, rng: np.random.Generator | None) -> Array:
    """Return ``log(e / (1 - e))`` of the error share e of each loss (AdaSelection's eq. 1; reconstructed).

    e is ``1 - exp(-loss)``, the probability of any wrong class, or ``loss / max(loss)`` if the loss is no likelihood, at least
    ``SHARE_BOUND`` away from 0 and 1.
    """
    if seen.likelihood:
        # e / (1 - e) is exp(loss) - 1; expm1 keeps the digits of losses near 0.
        odds = np.maximum(np.expm1(np.minimum(seen.loss, LOG_ODDS_BOUND)), LEAST_ODDS)
    else:
        share = np.clip(seen.loss / np.maximum(seen.loss.max(), SHARE_BOUND), SHARE_BOUND, 1 - SHARE_BOUND)
        odds = share / (1 - share)
    return np.asarray(np.log(odds))


def adaboost_reversed(seen: Signals, rng: np.random.Generator | None) -> Array:
    """Return the classical ``log((1 - e) / e)``: AdaBoost's weight of a learner with error e."""
    return -adaboost(seen, rng)


def coreset_1(seen: Signals, rng: np.random.Generator | None) -> Array:
    """Return the distance of the loss's rank from the middle rank."""
    distance = np.empty_like(seen.loss)
    distance[seen.loss.argsort(kind="stable")] = _from_the_middle(len(seen))
    return distance


@cache
def _same(size: int) -> Array:
    return np.zeros(size, np.float32)


@cache
def _from_the_middle(size: int) -> Array:
    return np.asarray(np.abs(np.arange(size, dtype=np.float32) - (size - 1) / 2))


def coreset_2(seen: Signals, rng: np.random.Generator | None) -> Array:
    """Return the negative distance of the loss from the mean loss: ``-|loss - mean|``."""
    mean = float(np.add.reduce(seen.loss, dtype=np.float64)) / len(seen)
    return np.negative(np.abs(seen.loss - mean))


RULES: dict[str, Rule] = {
    "uniform": uniform,
    "big-loss": big_loss,
    "small-loss": small_loss,
    "gradient-norm": gradient_norm,
    "input-gradient-norm": input_gradient_norm,
    "adaboost": adaboost,
    "adaboost-reversed": adaboost_reversed,
    "coreset-1": coreset_1,
    "coreset-2": coreset_2,
}
#: Rule -> the signal that it needs beside the loss.
WANTS = {"gradient-norm": "norm", "input-gradient-norm": "input_norm"}


def required_signals(names: tuple[str, ...]) -> frozenset[str]:
    """Return the signals that evidence must have for the rules ``names``."""
    return frozenset(WANTS[name] for name in names if name in WANTS)


def largest(score: Array, fraction: float) -> Array:
    """Return the ``fraction`` with the largest ``score``, ``(B,)`` bool, at least one.

    Among equal scores the earlier wins.
    """
    size, k = len(score), count_of(fraction, len(score))
    if k >= size:
        return np.ones(size, np.bool_)
    parted = score.copy()  # as np.partition, without its overhead
    parted.partition(size - k)
    bound = parted[size - k]
    passed: Array = score >= bound
    if surplus := np.count_nonzero(passed) - k:
        passed[np.flatnonzero(score == bound)[-surplus:]] = False
    return passed


def check_rules(names: tuple[str, ...], look: str) -> None:
    """Check that all rules exist and that ``look`` gives the signals they need.

    Raises:
        ValueError: with the nearest value that works.
    """
    if not names:
        raise ValueError(f"pool must name at least one rule, got none; one that works: [{', '.join(RULES)}]")
    for name in names:
        if name not in RULES:
            near = get_close_matches(name, RULES, 1, 0.4)
            hint = f", did you mean {near[0]!r}?" if near else ""
            raise ValueError(f"no such rule: {name!r}{hint} (known: {', '.join(RULES)})")
    if "input-gradient-norm" in names and look != "fresh":
        raise ValueError(f"input-gradient-norm needs look: 'fresh', got {look!r}; the nearest that works is 'gradient-norm'")
