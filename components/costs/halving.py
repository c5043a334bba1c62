"""Successive halving (Jamieson and Talwalkar 2016, arXiv 1502.07943) of trials beside controls.

The resource of a rung is data and seeds, and half of the entrants go on to the next. What is better is what a goal says: the
cheapest within a tolerance, or the best within a budget.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Role = Literal["full", "control", "method"]
#: Of what meets a goal equally well, the simplest is preferred.
SIMPLE_FIRST: tuple[Role, ...] = ("full", "control", "method")
#: Costs whose ratio is under this are alike: a meter's noise, or too little to be worth a method.
ALIKE = 1.1
#: Digits after which numbers differ by rounding alone.
DIGITS = 12


@dataclass(frozen=True)
class Outcome:
    """What is known of a trial at a rung.

    Attributes:
        name: of its cell.
        role: what it stands for.
        score: the task's metric, the mean over seeds.
        cost: of a training on all data, in the unit of the goal.
        controls: names of the trials of the same planned cost that a method is held against.
    """

    name: str
    role: Role
    score: float
    cost: float
    controls: tuple[str, ...] = ()


@dataclass(frozen=True)
class Goal:
    """What is asked for.

    Attributes:
        kind: "tolerance": the lowest cost at a loss of no more than ``bound`` under ``full``, in points of the metric;
            "budget": the best metric at a cost of no more than ``bound``.
        bound: 0 or more of the metric's points, or of the costs' unit.
        higher: whether more of the metric is better.
    """

    kind: Literal["tolerance", "budget"]
    bound: float
    higher: bool

    def gain(self, one: Outcome, other: Outcome) -> float:
        """Return by how much ``one`` scores better than ``other``."""
        return round(one.score - other.score if self.higher else other.score - one.score, DIGITS)

    def excess(self, one: Outcome, full: Outcome) -> float:
        """Return by how much an outcome misses the goal, 0 where it meets it."""
        had = self.gain(full, one) if self.kind == "tolerance" else one.cost
        return max(0.0, round(had - self.bound, DIGITS))

    def order(self, one: Outcome, full: Outcome) -> tuple[float, float, float, int, str]:
        """Return what sorts outcomes, the best first; names, so that equal ones have an order."""
        wanted = (
            (_step(one.cost), self.gain(full, one)) if self.kind == "tolerance" else (self.gain(full, one), _step(one.cost))
        )
        return self.excess(one, full), *wanted, SIMPLE_FIRST.index(one.role), one.name

    def fits(self, one: Outcome, full: Outcome) -> bool:
        """Return whether an outcome meets the goal; within a tolerance, what is not ``full`` must also save something."""
        saves = self.kind == "budget" or one.role == "full" or _step(one.cost) < _step(full.cost)
        return saves and self.excess(one, full) == 0


def _step(cost: float) -> float:
    """Return the step of a ladder on which a cost is, each ``ALIKE`` times the one below."""
    return math.floor(math.log(cost, ALIKE)) if cost > 0 else -math.inf


def survivors(outcomes: Sequence[Outcome], goal: Goal) -> list[str]:
    """Return the names of the trials that go on to the next rung, in the order given.

    ``full`` goes on, and the better half, rounded up, of the methods with the controls of each, and of the controls.
    """
    full = full_of(outcomes)
    kept = {full.name}
    for role in ("method", "control"):
        entrants = sorted((o for o in outcomes if o.role == role), key=lambda o: goal.order(o, full))
        for one in entrants[: math.ceil(len(entrants) / 2)]:
            kept |= {one.name, *one.controls}
    return [o.name for o in outcomes if o.name in kept]


def proposal(outcomes: Sequence[Outcome], goal: Goal) -> Outcome | None:
    """Return the outcome that meets the goal best, ``full`` and controls included; None where none meets it.

    A method is proposed only if it scores better than every control of its own cost.
    """
    full, by_name = full_of(outcomes), {o.name: o for o in outcomes}
    fit = [o for o in outcomes if goal.fits(o, full) and beats_its_controls(o, by_name, goal)]
    return min(fit, key=lambda o: goal.order(o, full), default=None)


def beats_its_controls(one: Outcome, by_name: dict[str, Outcome], goal: Goal) -> bool:
    """Return whether a method scores better than all its controls, which must be there; what is no method has none to beat."""
    if one.role != "method":
        return True
    return all(name in by_name and goal.gain(one, by_name[name]) > 0 for name in one.controls)


def full_of(outcomes: Sequence[Outcome]) -> Outcome:
    """Return the outcome of training on everything."""
    return next(o for o in outcomes if o.role == "full")


def paid_back_after(cost: float, saving: float) -> int | None:
    """Return after how many trainings a ``saving`` each makes up for ``cost``, in one unit; None where it never does."""
    return math.ceil(round(cost / saving, DIGITS)) if saving > 0 else None
