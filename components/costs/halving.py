"""Successive halving (Jamieson and Talwalkar 2016, arXiv 1502.07943) of trials beside controls.

A rung's resource is data and seeds; half of the trials go on to the next. The goal decides which are better: the cheapest
within a tolerance, or the best within a budget.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Role = Literal["full", "control", "method"]
#: Among outcomes that meet a goal equally well, the earliest role here is preferred.
SIMPLE_FIRST: tuple[Role, ...] = ("full", "control", "method")
#: Costs whose ratio is below this count as equal: measurement noise, or too little to justify a method.
ALIKE = 1.1
#: Decimals to round to, so that rounding errors do not decide.
DIGITS = 12


@dataclass(frozen=True)
class Outcome:
    """Result of a trial at a rung.

    Attributes:
        name: of the trial.
        role: ``full``, control or method.
        score: the task's metric, mean over seeds.
        cost: of training on all data, in the unit of the goal.
        controls: names of a method's controls: trials of the same planned cost.
    """

    name: str
    role: Role
    score: float
    cost: float
    controls: tuple[str, ...] = ()


@dataclass(frozen=True)
class Goal:
    """Goal of the search.

    Attributes:
        kind: "tolerance": the lowest cost with a score at most ``bound`` points below ``full``; "budget": the best score at a
            cost of at most ``bound``.
        bound: 0 or more, in points of the metric or in the unit of costs.
        higher: whether higher scores are better.
    """

    kind: Literal["tolerance", "budget"]
    bound: float
    higher: bool

    def gain(self, one: Outcome, other: Outcome) -> float:
        """Return by how much ``one`` scores better than ``other``."""
        return round(one.score - other.score if self.higher else other.score - one.score, DIGITS)

    def excess(self, one: Outcome, full: Outcome) -> float:
        """Return how far an outcome misses the goal; 0 if it meets it."""
        had = self.gain(full, one) if self.kind == "tolerance" else one.cost
        return max(0.0, round(had - self.bound, DIGITS))

    def order(self, one: Outcome, full: Outcome) -> tuple[float, float, float, int, str]:
        """Return the sort key of an outcome, the best first; the name breaks ties."""
        wanted = (
            (_step(one.cost), self.gain(full, one)) if self.kind == "tolerance" else (self.gain(full, one), _step(one.cost))
        )
        return self.excess(one, full), *wanted, SIMPLE_FIRST.index(one.role), one.name

    def fits(self, one: Outcome, full: Outcome) -> bool:
        """Return whether an outcome meets the goal; within a tolerance, all but ``full`` must also save something."""
        saves = self.kind == "budget" or one.role == "full" or _step(one.cost) < _step(full.cost)
        return saves and self.excess(one, full) == 0


def _step(cost: float) -> float:
    """Return the cost on a logarithmic scale of base ``ALIKE``, rounded down."""
    return math.floor(math.log(cost, ALIKE)) if cost > 0 else -math.inf


def survivors(outcomes: Sequence[Outcome], goal: Goal) -> list[str]:
    """Return the names of the trials that go on to the next rung, in the given order.

    These are ``full``, the better half (rounded up) of the methods with their controls, and the better half of the controls.
    """
    full = full_of(outcomes)
    kept = {full.name}
    for role in ("method", "control"):
        entrants = sorted((o for o in outcomes if o.role == role), key=lambda o: goal.order(o, full))
        for one in entrants[: math.ceil(len(entrants) / 2)]:
            kept |= {one.name, *one.controls}
    return [o.name for o in outcomes if o.name in kept]


def proposal(outcomes: Sequence[Outcome], goal: Goal) -> Outcome | None:
    """Return the outcome that meets the goal best, ``full`` and controls included; None if none does.

    A method is proposed only if it scores better than every control of the same cost.
    """
    full, by_name = full_of(outcomes), {o.name: o for o in outcomes}
    fit = [o for o in outcomes if goal.fits(o, full) and beats_its_controls(o, by_name, goal)]
    return min(fit, key=lambda o: goal.order(o, full), default=None)


def beats_its_controls(one: Outcome, by_name: dict[str, Outcome], goal: Goal) -> bool:
    """Return whether a method scores better than all its controls, none of which may be missing.

    It is True for other roles.
    """
    if one.role != "method":
        return True
    return all(name in by_name and goal.gain(one, by_name[name]) > 0 for name in one.controls)


def full_of(outcomes: Sequence[Outcome]) -> Outcome:
    """Return the outcome of ``full``, training on everything."""
    return next(o for o in outcomes if o.role == "full")


def paid_back_after(cost: float, saving: float) -> int | None:
    """Return the number of trainings after which a ``saving`` each repays ``cost``; None if never."""
    return math.ceil(round(cost / saving, DIGITS)) if saving > 0 else None
