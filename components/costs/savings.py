"""Savings: counted and normalised time, its ceiling, AGOT, the Pareto front (arXiv 2207.14386)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

#: What a forward pass costs, in steps, for planning: a third where the backward pass takes twice as long.
LOOK_SHARE = 1 / 3
#: The paper's weight between accuracy and time.
AGOT_EPSILON = 0.95


@dataclass(frozen=True)
class Metric:
    """What models of one kind of target are judged by, and whether more of it is better."""

    name: str
    higher: bool


#: By what a target is, what models are judged by unless the task says otherwise.
METRICS = {"class": Metric("accuracy", True), "number": Metric("r2", True), "tokens": Metric("perplexity", False)}
#: What else models of classes may be judged by: in all of these a rare class counts as much as a large one.
BY_CLASS = ("macro_f1", "balanced_accuracy", "worst_class_accuracy")


@dataclass(frozen=True)
class Unit:
    """Seconds of one example, measured in the run that trained on everything.

    Attributes:
        forward: T_f, of a forward pass.
        backward: T_b, of the backward pass and the optimizer's part of the step.
    """

    forward: float
    backward: float

    @property
    def full(self) -> float:
        """T_f + T_b."""
        return self.forward + self.backward


@dataclass(frozen=True)
class Counts:
    """How many examples a run treated how.

    Attributes:
        offered: what training on everything treats.
        looked: forward passes that no gradient was taken from.
        kept: those of them that door 3 let pass, so that a second forward pass followed.
        trained: forward and backward passes.
    """

    offered: int
    looked: int
    kept: int
    trained: int

    @property
    def alpha_fb(self) -> float:
        """Fraction of the offered with neither pass: not trained, and not looked at either; may not be under 0."""
        return max(0.0, 1 - (self.trained + self.looked_only) / self.offered)

    @property
    def alpha_b(self) -> float:
        """Fraction of the offered with a forward pass alone."""
        return self.looked_only / self.offered

    @property
    def looked_only(self) -> int:
        """Looks that no step followed. Every look costs a forward pass of its own, also where a step follows."""
        return self.looked - self.kept


def counted_seconds(counts: Counts, unit: Unit) -> float:
    """Return the time that the passes done should take: a forward pass a look, and both a trained example."""
    return counts.looked * unit.forward + counts.trained * unit.full


def paper_time(counts: Counts, unit: Unit) -> float:
    """Return the paper's T over T_all: ``alpha_b T_f + (1 - alpha_b - alpha_fb)(T_f + T_b)``, per ``T_f + T_b``.

    It does not count the second forward pass of an example that is looked at and then trained; ``counted_seconds`` does.
    """
    kept = 1 - counts.alpha_b - counts.alpha_fb
    return (counts.alpha_b * unit.forward + kept * unit.full) / unit.full


@dataclass(frozen=True)
class Speed:
    """How many times as fast as ``full`` a run was, and could have been.

    The ceiling is of time: the least normalised time that the method could have had with the fractions that it really had,
    selection, scoring and predictor being free. That is the counted time, in which nothing but forward and backward passes
    takes any; and ``share = reached / ceiling = counted / measured`` of it was reached, 1 being the ideal.

    Attributes:
        reached: 1 over the measured normalised time.
        ceiling: 1 over the counted normalised time.
        formula: what the method's settings alone allow, of E epochs at a cost of c: E / c; None where the losses decide.
            Of SwiftLearn it is E / (W + r (E - W)), for W epochs of warm-up and a kept fraction r (arXiv 2311.15134).
    """

    reached: float
    ceiling: float
    formula: float | None

    @property
    def share(self) -> float:
        """How much of the ceiling was reached; above 1 where the run's passes were quicker than those of ``full``."""
        return self.reached / self.ceiling

    @staticmethod
    def of(counted: float, measured: float, epochs: int, planned_cost: float | None) -> Speed:
        """Return the speed of a run from its normalised times, and from its planned cost in epochs where that is known.

        Raises:
            ValueError: for a time or a cost that is not above 0.
        """
        for name, value in (("counted", counted), ("measured", measured), ("planned_cost", planned_cost)):
            if value is not None and not value > 0:
                raise ValueError(f"{name} must be above 0, got {value!r}")
        return Speed(1 / measured, 1 / counted, None if planned_cost is None else epochs / planned_cost)


def agot(
    score: float, base: float, full: float, time: float, epsilon: float = AGOT_EPSILON, *, higher: bool = True
) -> float | None:
    """Return the gain over time: ``(a - a_base) / (a_full - a_base) * T_norm^-(1 - eps)``; None where full gained nothing.

    Args:
        score: a, of the method: its accuracy, or what else its task is judged by.
        base: before training.
        full: of training on everything.
        time: normalised time, 1.0 for training on everything.
        epsilon: how much the score weighs against time.
        higher: whether more of it is better; the fraction is the same either way.
    """
    if time <= 0 or (full <= base if higher else full >= base):
        return None
    return float((score - base) / (full - base) * time ** -(1 - epsilon))


def best_by_gain(groups: Sequence[str], gains: Sequence[float | None]) -> set[int]:
    """Return the indices of the largest gain of each group, the first of equal ones; a group without any has none."""
    best: dict[str, int] = {}
    for index, (group, gain) in enumerate(zip(groups, gains, strict=True)):
        held = gains[best[group]] if group in best else None
        if gain is not None and (held is None or gain > held):
            best[group] = index
    return set(best.values())


def pareto_front(points: Sequence[tuple[float, float]], *, higher: bool = True) -> list[int]:
    """Return the indices of the (time, score) ``points`` that none beats in both, fastest first; ``higher``: more is better."""
    sign = 1 if higher else -1
    front: list[int] = []
    for i in sorted(range(len(points)), key=lambda i: (points[i][0], -sign * points[i][1])):
        if not front or sign * points[i][1] > sign * points[front[-1]][1]:
            front.append(i)
    return front


def ranks(values: Sequence[float], *, higher: bool) -> list[float]:
    """Return each value's rank among all, 1 for the best; equal ones share the mean of their ranks."""
    badness = [-v if higher else v for v in values]
    return [1 + sum(w < v for w in badness) + (badness.count(v) - 1) / 2 for v in badness]


def mean_and_deviation(values: Sequence[float]) -> tuple[float | None, float | None]:
    """Return the mean, and the standard deviation over n - 1, which fewer than two values do not have."""
    return fmean(values) if values else None, stdev(values) if len(values) > 1 else None
