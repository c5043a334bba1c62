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

#: Up to ``ENUMERATED`` seeds all n^n bootstrap samples are used; above it, ``SAMPLES`` random ones.
ENUMERATED, SAMPLES = 5, 4000


@dataclass(frozen=True)
class Trained:
    """Costs and scores of one method or control, by seed.

    Attributes:
        costs: by seed, in epochs of training on everything or in seconds.
        scores: by seed.
    """

    costs: Sequence[float]
    scores: Sequence[float]


@dataclass(frozen=True)
class Ratio:
    """A method's cost over the control's at an equal score; under 1 is a saving.

    Attributes:
        value: the ratio of means.
        low: lower end of the bootstrap interval of ``CONFIDENCE`` over seeds; None for fewer than ``LEAST_SEEDS``.
        high: upper end.
        bound: "at most" if no control reached the score, "at least" if even the cheapest one did: the true ratio is then
            below or above ``value``; else "".
    """

    value: float
    low: float | None
    high: float | None
    bound: Literal["", "at most", "at least"]


def cost_ratio(method: Trained, controls: Sequence[Trained], *, higher: bool) -> Ratio | None:
    """Return the cost ratio of ``method`` to ``controls``, one of which may be ``full``.

    The curve of the controls is the best mean score at each cost, interpolated linearly over the logarithm of the cost. The
    best control is chosen anew in each sample by the scores that are compared, which favours the controls. ``higher``:
    higher scores are better.

    Returns:
        None without controls or seeds.
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
    """Return the (cost, score) ``points`` that score better than every point of no higher cost, cheapest first."""
    best: list[tuple[float, float]] = []
    for cost, score in sorted(points, key=lambda p: (p[0], -p[1])):
        if not best or score > best[-1][1]:
            best.append((cost, score))
    return best


def cost_at(curve: Sequence[tuple[float, float]], score: float) -> float:
    """Return the cost at which an ascending ``curve`` reaches ``score``, which lies between its ends."""
    index = next(i for i, (_, reached) in enumerate(curve) if reached >= score)
    if index == 0:
        return curve[0][0]
    (cost, below), (more, above) = curve[index - 1], curve[index]
    return math.exp(math.log(cost) + (score - below) / (above - below) * (math.log(more) - math.log(cost)))
