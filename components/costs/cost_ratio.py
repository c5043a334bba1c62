"""Cost ratio of a method and the best control at an equal score, with interval."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from statistics import fmean
from typing import Literal

import numpy as np

from components.costs.paired import CONFIDENCE, LEAST_SEEDS

#: Seeds up to which every bootstrap sample is taken once, n to the n of them; above, ``SAMPLES`` are drawn.
ENUMERATED, SAMPLES = 5, 4000


@dataclass(frozen=True)
class Trained:
    """One cell with every seed.

    Attributes:
        costs: by seed, in epochs over everything or in seconds.
        scores: by seed.
    """

    costs: Sequence[float]
    scores: Sequence[float]


@dataclass(frozen=True)
class Ratio:
    """A method's cost over the control's at an equal score; under 1 is a saving.

    Attributes:
        value: the ratio of means.
        low: of the interval of ``CONFIDENCE``, by bootstrap over seeds; None of fewer than ``LEAST_SEEDS``.
        high: its other end.
        bound: "at most" where no control that was tried has the score, "at least" where the cheapest one has it: then the
            ratio is beyond ``value``; else "".
    """

    value: float
    low: float | None
    high: float | None
    bound: Literal["", "at most", "at least"]


def cost_ratio(method: Trained, controls: Sequence[Trained], *, higher: bool) -> Ratio | None:
    """Return the ratio of ``method`` to ``controls``, among which ``full`` may be; ``higher``: more of a score is better.

    The curve of the controls is the best mean score of those that cost no more, and between two costs a line over the
    logarithm of the cost. Which control is best is chosen by the scores that judge, anew in each sample: this favours them.

    Returns:
        None without controls, or seeds.
    """
    n = len(method.scores)
    if not n or not controls:
        return None
    value, bound = _ratio(method, controls, range(n), higher)
    if n < LEAST_SEEDS:
        return Ratio(value, None, None, bound)
    ratios = [_ratio(method, controls, sample, higher)[0] for sample in _samples(n)]
    low, high = np.quantile(ratios, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Ratio(value, float(low), float(high), bound)


def _samples(n: int) -> Iterator[Sequence[int]]:
    if n <= ENUMERATED:
        yield from product(range(n), repeat=n)
    else:
        yield from np.random.default_rng(0).integers(0, n, (SAMPLES, n)).tolist()


def _ratio(
    method: Trained, controls: Sequence[Trained], seeds: Sequence[int], higher: bool
) -> tuple[float, Literal["", "at most", "at least"]]:
    sign = 1 if higher else -1
    curve = envelope([_mean(c, seeds, sign) for c in controls])
    cost, score = _mean(method, seeds, sign)
    if score > curve[-1][1]:
        return cost / curve[-1][0], "at most"
    if score < curve[0][1]:
        return cost / curve[0][0], "at least"
    return cost / cost_at(curve, score), ""


def _mean(cell: Trained, seeds: Sequence[int], sign: int) -> tuple[float, float]:
    return fmean(cell.costs[s] for s in seeds), sign * fmean(cell.scores[s] for s in seeds)


def envelope(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return those of the (cost, score) ``points`` that score better than all that cost no more, cheapest first."""
    best: list[tuple[float, float]] = []
    for cost, score in sorted(points, key=lambda p: (p[0], -p[1])):
        if not best or score > best[-1][1]:
            best.append((cost, score))
    return best


def cost_at(curve: Sequence[tuple[float, float]], score: float) -> float:
    """Return the cost at which an ascending ``curve`` has ``score``, which is between its ends."""
    index = next(i for i, (_, reached) in enumerate(curve) if reached >= score)
    if index == 0:
        return curve[0][0]
    (cost, below), (more, above) = curve[index - 1], curve[index]
    return math.exp(math.log(cost) + (score - below) / (above - below) * (math.log(more) - math.log(cost)))
