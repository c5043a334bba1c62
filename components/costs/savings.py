"""Savings: counted and normalised time, its ceiling, AGOT, the Pareto front (arXiv 2207.14386)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

#: Cost of a forward pass in steps, for planning: a third if the backward pass takes twice as long.
LOOK_SHARE = 1 / 3
#: Weight between accuracy and time, of the paper.
AGOT_EPSILON = 0.95


@dataclass(frozen=True)
class Metric:
    """A metric of a task, and whether higher values are better."""

    name: str
    higher: bool


#: Kind of target -> its default metric.
METRICS = {
    "class": Metric("accuracy", True),
    "classes": Metric("mean_average_precision", True),
    "number": Metric("r2", True),
    "numbers": Metric("r2", True),
    "tokens": Metric("perplexity", False),
    "sequence": Metric("chrf", True),
    "transcript": Metric("wer", False),
}
#: Further metrics for classes: in all of these a rare class counts as much as a large one.
BY_CLASS = ("macro_f1", "balanced_accuracy", "worst_class_accuracy")

#: Metrics of a kind of target that a task may name, the default one first.
NAMED = {
    "class": ("accuracy", *BY_CLASS),
    "classes": ("mean_average_precision", "macro_f1", "micro_f1", "subset_accuracy"),
    "transcript": ("wer", "cer"),
}


@dataclass(frozen=True)
class Unit:
    """Seconds per example, measured in the run that trained on everything.

    Attributes:
        forward: T_f, the forward pass.
        backward: T_b, the backward pass and the optimizer step.
    """

    forward: float
    backward: float

    @property
    def full(self) -> float:
        """Seconds of a training step per example: T_f + T_b."""
        return self.forward + self.backward


@dataclass(frozen=True)
class Counts:
    """Counts of a run's examples by their treatment.

    Attributes:
        offered: examples that training on everything would train.
        looked: forward passes without a gradient.
        kept: looked-at examples that door 3 kept, so that a second forward pass followed.
        trained: examples with a forward and a backward pass.
    """

    offered: int
    looked: int
    kept: int
    trained: int

    @property
    def alpha_fb(self) -> float:
        """Fraction of the offered examples with neither pass: not trained and not looked at; at least 0."""
        return max(0.0, 1 - (self.trained + self.looked_only) / self.offered)

    @property
    def alpha_b(self) -> float:
        """Fraction of the offered examples with a forward pass alone."""
        return self.looked_only / self.offered

    @property
    def looked_only(self) -> int:
        """Looks that no step followed. Every look costs a forward pass, even if a step follows."""
        return self.looked - self.kept


def counted_seconds(counts: Counts, unit: Unit) -> float:
    """Return the modelled seconds of a run's passes: forward per look, both per trained example."""
    return counts.looked * unit.forward + counts.trained * unit.full


def paper_time(counts: Counts, unit: Unit) -> float:
    """Return the paper's T / T_all: ``(alpha_b T_f + (1 - alpha_b - alpha_fb)(T_f + T_b)) / (T_f + T_b)``.

    It leaves out the second forward pass of an example that is looked at and then trained; ``counted_seconds`` includes it.
    """
    kept = 1 - counts.alpha_b - counts.alpha_fb
    return (counts.alpha_b * unit.forward + kept * unit.full) / unit.full


@dataclass(frozen=True)
class Speed:
    """Speedup of a run over ``full``, and the largest one possible.

    The ceiling is the speedup with the fractions that the run really had, if selection, scoring and predictor were free. It
    follows from the counted time, which has forward and backward passes alone; the share that was reached is
    ``reached / ceiling = counted / measured``, 1 at best.

    Attributes:
        reached: 1 over the measured normalised time.
        ceiling: 1 over the counted normalised time.
        formula: speedup by the method's settings alone, E / c for E epochs at a cost of c; None if the losses decide.
            For SwiftLearn it is E / (W + r (E - W)), for W epochs of warm-up and a kept fraction r (arXiv 2311.15134).
    """

    reached: float
    ceiling: float
    formula: float | None

    @property
    def share(self) -> float:
        """Share of the ceiling that was reached.

        It is above 1 if the run's passes were quicker than those of ``full``.
        """
        return self.reached / self.ceiling

    @staticmethod
    def of(counted: float, measured: float, epochs: int, planned_cost: float | None) -> Speed:
        """Return the speed of a run, from normalised times and, if known, planned epochs.

        Raises:
            ValueError: if a time or cost is not above 0.
        """
        for name, value in (("counted", counted), ("measured", measured), ("planned_cost", planned_cost)):
            if value is not None and not value > 0:
                raise ValueError(f"{name} must be above 0, got {value!r}")
        return Speed(1 / measured, 1 / counted, None if planned_cost is None else epochs / planned_cost)


def agot(
    score: float, base: float, full: float, time: float, epsilon: float = AGOT_EPSILON, *, higher: bool = True
) -> float | None:
    """Return the gain over time: ``(a - a_base) / (a_full - a_base) * T_norm^-(1 - eps)``.

    It is None if ``full`` gained nothing.

    Args:
        score: a, the method's accuracy or other metric.
        base: the score before training.
        full: the score of training on everything.
        time: normalised time, 1.0 for training on everything.
        epsilon: weight of the score against time.
        higher: whether higher scores are better; the fraction is the same either way.
    """
    if time <= 0 or (full <= base if higher else full >= base):
        return None
    return float((score - base) / (full - base) * time ** -(1 - epsilon))


def best_by_gain(groups: Sequence[str], gains: Sequence[float | None]) -> set[int]:
    """Return the index of the largest gain of each group, the first of equals.

    Groups without gains have none.
    """
    best: dict[str, int] = {}
    for index, (group, gain) in enumerate(zip(groups, gains, strict=True)):
        largest = gains[best[group]] if group in best else None
        if gain is not None and (largest is None or gain > largest):
            best[group] = index
    return set(best.values())


def pareto_front(points: Sequence[tuple[float, float]], *, higher: bool = True) -> list[int]:
    """Return the indices of the (time, score) ``points`` that none beats in both, fastest first."""
    sign = 1 if higher else -1
    front: list[int] = []
    for i in sorted(range(len(points)), key=lambda i: (points[i][0], -sign * points[i][1])):
        if not front or sign * points[i][1] > sign * points[front[-1]][1]:
            front.append(i)
    return front


def ranks(values: Sequence[float], *, higher: bool) -> list[float]:
    """Return each value's rank, 1 for the best; equal values share the mean of their ranks."""
    badness = [-v if higher else v for v in values]
    return [1 + sum(w < v for w in badness) + (badness.count(v) - 1) / 2 for v in badness]


def mean_and_deviation(values: Sequence[float]) -> tuple[float | None, float | None]:
    """Return the mean, and the standard deviation over n - 1.

    Either is None if there are too few values.
    """
    return fmean(values) if values else None, stdev(values) if len(values) > 1 else None
