"""Validation against cost: what each evaluation of a training had cost until then."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

from pydantic import JsonValue

from components.costs.savings import Metric
from components.epoch_records import EpochRecord, ValidatedEpoch
from pipelines.config.plans import MethodPlan
from pipelines.core.artifacts import HERE, plan_of, result
from pipelines.costs.history import history_of
from pipelines.costs.records import CostRecord

#: CPU seconds and kWh at an epoch's end; None if not known.
Cost = tuple[float | None, float | None]


class Judged(NamedTuple):
    """An evaluation: its epoch from 0, its metrics, and the method's cost until then, without that of validation."""

    epoch: int
    examples: int
    cpu_seconds: float | None
    kwh: float | None
    metrics: dict[str, float]


@dataclass(frozen=True)
class TimeTo:
    """What a method took until validation first reached a score; None where it never did."""

    examples: float | None = None
    cpu_seconds: float | None = None
    kwh: float | None = None

    @staticmethod
    def of(found: Sequence[Judged], metric: Metric, target: float | None) -> TimeTo | None:
        """Return what was taken until ``metric`` was at ``target``; None if no target is set."""
        if target is None:
            return None
        first = first_at(found, metric, target)
        return TimeTo() if first is None else TimeTo(first.examples, first.cpu_seconds, first.kwh)

    @staticmethod
    def mean(found: Sequence[TimeTo | None], fold: Callable[[list[float]], float | None]) -> TimeTo | None:
        """Return ``fold`` of each value over seeds, None where a seed never reached the score; None without a target."""
        known = [one for one in found if one is not None]
        each = [[getattr(one, key) for one in known] for key in KEYS]
        return TimeTo(*(None if None in values else fold(values) for values in each)) if known else None

    @staticmethod
    def nested(columns: Mapping[str, JsonValue]) -> dict[str, JsonValue] | None:
        """Return the fields from ``columns``; None if they have none, as where no target is set."""
        return {key: columns[f"time_to_{key}"] for key in KEYS} if "time_to_examples" in columns else None


#: The fields of ``TimeTo``.
KEYS = tuple(field.name for field in fields(TimeTo))


def time_to_columns(reached: TimeTo | None) -> dict[str, float | None]:
    """Return the columns of ``reached`` by name; none without a target."""
    return {} if reached is None else {f"time_to_{key}": getattr(reached, key) for key in KEYS}


class Costs(NamedTuple):
    """The cost records of a run's charged stages."""

    warm_up: CostRecord
    subset: CostRecord
    train: CostRecord

    @classmethod
    def of(cls, name: str, root: Path = HERE) -> Costs:
        """Return the records of the method ``name``."""
        warm_up = MethodPlan.read(root / plan_of("methods", name)).warm_up
        stages = (("warm_up", warm_up), ("subset", name), ("train", name))
        return cls(*(CostRecord.of_stage(*stage, root) for stage in stages))

    def at_ends(self) -> dict[int, Cost]:
        """Return the CPU seconds and kWh at each epoch's end.

        The cost of a warm-up epoch is in the warm-up's record; a later epoch's is added to the costs of warm-up and subset.
        """
        ends: dict[int, Cost] = {end.epoch: (end.cpu_seconds, end.kwh) for end in self.warm_up.ends}
        before = self.warm_up.laps["train"].cpu_seconds if "train" in self.warm_up.laps else 0.0
        before += self.subset.laps["select"].cpu_seconds
        kwh = self.warm_up.metered.kwh
        return ends | {end.epoch: (before + end.cpu_seconds, kwh + end.kwh) for end in self.train.ends}


def judged_of(history: Sequence[EpochRecord], costs: Costs) -> list[Judged]:
    """Return the evaluations in ``history``, the warm-up's included."""
    ends, trained = costs.at_ends(), accumulate(record.trained for record in history)
    return [
        Judged(record.epoch, examples, *ends.get(record.epoch, (None, None)), record.validation)
        for examples, record in zip(trained, history, strict=True)
        if isinstance(record, ValidatedEpoch)
    ]


def judged_in(name: str, root: Path = HERE) -> list[Judged]:
    """Return the evaluations of the method ``name`` in the folder ``root``; empty without validation."""
    history = history_of(root / result("train", name, "history.json"))
    return judged_of(history, Costs.of(name, root)) if any(isinstance(r, ValidatedEpoch) for r in history) else []


def first_at(found: Sequence[Judged], metric: Metric, target: float) -> Judged | None:
    """Return the first evaluation whose ``metric`` is at ``target`` or better; None if none is."""
    sign = 1 if metric.higher else -1
    return next((one for one in found if sign * one.metrics[metric.name] >= sign * target), None)
