"""Learning-rate schedules over the examples that are actually trained."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass


def _linear(done: float) -> float:
    return 1 - done


def _cosine(done: float) -> float:
    return (1 + math.cos(math.pi * done)) / 2


def _constant(done: float) -> float:
    return 1.0


SCHEDULES: dict[str, Callable[[float], float]] = {"linear": _linear, "cosine": _cosine, "constant": _constant}


@dataclass(frozen=True)
class Schedule:
    """Linear ramp, constant phase, then decay to zero at the end of the run.

    Time is counted in epochs of this run; an epoch of fewer examples is as long as any other, so the rate reaches zero with
    the last example trained. The rate up to ``hold`` does not depend on the run's length (from twice ``hold`` on), so methods
    can share a warm-up.

    Attributes:
        name: the decay, one of ``SCHEDULES``.
        ramp: epochs of linear increase.
        hold: epochs after which the decay starts; half the run if that is shorter.
        end: epochs of the run, may be a fraction.
    """

    name: str
    ramp: float
    hold: float
    end: float

    def __call__(self, epoch: float) -> float:
        """Return the factor of the base learning rate at ``epoch``, in [0, 1]."""
        hold = min(self.hold, self.end / 2)
        if epoch < self.ramp:
            return epoch / self.ramp
        if epoch <= hold:
            return 1.0
        return SCHEDULES[self.name](min(1.0, (epoch - hold) / (self.end - hold)))
