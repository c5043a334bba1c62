"""Metrics of a method's MLflow run: by epoch, on the test split, costs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING

from components.epoch_records import EpochRecord
from pipelines.core import artifacts
from pipelines.core.artifacts import HERE, read_numbers, result
from pipelines.costs.account import Account
from pipelines.costs.history import history_of
from pipelines.costs.records import CostRecord
from pipelines.costs.validation_curve import Judged, judged_in, time_to_columns
from pipelines.report.rows import Comparison
from pipelines.tracking.client import Point, Tracker, points
from pipelines.tracking.run_facts import course_of

if TYPE_CHECKING:
    from mlflow.entities import Metric

EACH_EPOCH = ("loss", "accuracy", "drawn", "looked", "trained", "learning_rate")
#: Prefixes of metrics that do not describe the trained model on the test split.
UNTESTED = ("base_", "chance_", "above_chance")
IN_ACCOUNT = (
    "alpha_b", "alpha_fb", "paper_cpu_seconds", "counted_cpu_seconds", "time_paper", "time_counted", "time_measured",
    "measured_over_counted", "speed_reached", "speed_ceiling", "speed_share", "speed_formula",
)  # fmt: skip


def metrics_of(name: str, model: str | None = None, root: Path = HERE) -> list[Metric]:
    """Return a run's metrics: by epoch, the method's own, and on the test split.

    Args:
        name: of the method.
        model: id of the logged model, to which the metrics on the test split belong as well.
        root: folder of the run.
    """
    files = (("train", name, "history.json"), ("evaluate", name, "metrics.json"))
    each_from, final_from = (root / result(*file) for file in files)
    history = history_of(each_from)
    each = [(key, value, r.epoch) for r in history for key in EACH_EPOCH if (value := getattr(r, key)) is not None]
    each += [(f"course_{k}", v, step) for k, v, step in course_of(history)]
    each += _so_far("examples_trained", history, trained=1) + _so_far("examples_looked", history, looked=1)
    each += _validation(judged_in(name, root))
    final = [(accepted(k if k.startswith(UNTESTED) else f"test_{k}"), v, 0) for k, v in final_metrics(name, root).items()]
    return [*points(each, each_from), *points(final, final_from, model)]


def accepted(name: str) -> str:
    """Return the ``name`` of a metric, which may end in a column's, with an underscore for whatever MLflow refuses."""
    return re.sub(r"[^\w.\- :]", "_", name)


def final_metrics(name: str, root: Path = HERE) -> dict[str, float]:
    """Return the test split's metrics of the method ``name``, by name."""
    return read_numbers(root / result("evaluate", name, "metrics.json"))


def _validation(found: Sequence[Judged]) -> list[Point]:
    """Return the metrics of each evaluation while training, and the CPU seconds and Wh until then, at its epoch."""
    values = [(accepted(f"validation_{key}"), value, one.epoch) for one in found for key, value in one.metrics.items()]
    for one in found:
        costs = {"cpu_seconds_so_far": one.cpu_seconds, "wh_so_far": None if one.kwh is None else 1000 * one.kwh}
        values += [(key, cost, one.epoch) for key, cost in costs.items() if cost is not None]
    return values


def _so_far(name: str, history: list[EpochRecord], **weights: float) -> list[Point]:
    """Return the running weighted sum of the counts in ``weights``, after each epoch.

    MLflow's charts can have a metric as x-axis: so the other metrics can be drawn against examples or seconds, not only epochs.
    """
    sums = accumulate(sum(getattr(r, count) * weight for count, weight in weights.items()) for r in history)
    return [(f"{name}_so_far", value, r.epoch) for r, value in zip(history, sums, strict=True)]


class CostMetrics:
    """Costs and gains of methods; empty if account.json does not match the current results."""

    def __init__(self, tracker: Tracker) -> None:
        self._root = tracker.root
        known = (self._root / artifacts.ACCOUNT).exists() and tracker.lock.holds("account")
        self._account = Account.settled(self._root) if known else None
        self._gains = _gains(tracker)

    def of(self, name: str) -> tuple[list[Metric], dict[str, str]]:
        """Return a method's cost metrics, and the tag that marks them as logged."""
        if self._account is None:
            return [], {}
        values = [*_costs(name, self._account, self._root), *_counted(name, self._account, self._root)]
        values += self._gains.get(name, [])
        return points(values, self._root / artifacts.ACCOUNT), {"winnow.account": artifacts.digest(values)}


def _gains(tracker: Tracker) -> dict[str, list[Point]]:
    """Return each method's known AGOT and cost until the task's ``time_to``; empty without a current comparison."""
    if not tracker.lock.holds("compare"):
        return {}
    rows = Comparison.written(tracker.root).rows
    found = {r.method: asdict(r.gains) | time_to_columns(r.time_to) for r in rows}
    return {name: [(key, gain, 0) for key, gain in gains.items() if gain is not None] for name, gains in found.items()}


def _costs(name: str, account: Account, root: Path) -> list[Point]:
    """Return a method's costs; an energy metric is named after its unit and its source."""
    mine, full = account.methods[name], account.methods["full"]
    costs: dict[str, float | None] = {key: getattr(mine, key) for key in IN_ACCOUNT}
    costs |= {"cpu_seconds": mine.measured_cpu_seconds, "wall_seconds": mine.spent.total.wall_seconds}
    costs |= {"selection_cpu_seconds": mine.spent.selection.cpu_seconds}
    costs |= {"saved_cpu_seconds": full.measured_cpu_seconds - mine.measured_cpu_seconds}
    for energy, whole in ((mine.energy, full.energy), (mine.energy_modelled, full.energy_modelled)):
        costs |= {f"energy_kwh_{energy.label}": energy.kwh, f"co2e_kg_{energy.label}": energy.co2e_kg}
        # A measured value and an estimated one cannot be subtracted.
        if energy.label == whole.label:
            costs[f"saved_energy_kwh_{energy.label}"] = whole.kwh - energy.kwh
    if (judging := mine.validation) is not None:
        costs |= {f"validation_{key}": getattr(judging, key) for key in ("examples", "cpu_seconds", "kwh")}
    laps = CostRecord.of_stage("train", name, root).laps
    costs |= {f"train_cpu_seconds_{lap}": spent.cpu_seconds for lap, spent in laps.items()}
    return [(key, value, 0) for key, value in costs.items() if value is not None]


def _counted(name: str, account: Account, root: Path) -> list[Point]:
    """Return the counted seconds so far after each epoch; single epochs are not timed."""
    unit = account.unit_cpu_seconds
    seconds = {"looked": unit.forward, "trained": unit.forward + unit.backward}
    return _so_far("counted_cpu_seconds", history_of(root / result("train", name, "history.json")), **seconds)
