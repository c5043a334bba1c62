"""Learning-rate schedules over the examples that are really trained."""

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
    """Ramp up, stay, decay to zero at the end of whatever run this is.

    Time is counted in epochs of this run, an epoch of fewer examples being as long as any other, so that the rate
    reaches its end with the last example trained, however many there are. Nothing before ``hold`` depends on what comes
    after it, so methods can share a warm-up.

    Attributes:
        name: the decay, one of ``SCHEDULES``.
        ramp: epochs of linear rise.
        hold: epochs after which the decay starts; half of a run that is shorter than twice this.
        end: epochs of the run, which may be a fraction.
    """

    name: str
    ramp: float
    hold: float
    end: float

    def __call__(self, epoch: float) -> float:
        """Return what the base learning rate is multiplied by at ``epoch``, in [0, 1]."""
        hold = min(self.hold, self.end / 2)
        if epoch < self.ramp:
            return epoch / self.ramp
        if epoch <= hold:
            return 1.0
        return SCHEDULES[self.name](min(1.0, (epoch - hold) / (self.end - hold)))
