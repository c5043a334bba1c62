"""Rows of a study's methods: means over seeds, gains over the controls, cost ratios."""

from __future__ import annotations

from typing import Any

from components.costs.comparison import Metric, best_by_gain, mean_and_deviation
from components.costs.cost_ratio import Trained, cost_ratio
from components.costs.paired import Gain, paired
from pipelines.costs.columns import IN_ACCOUNT
from pipelines.trials.grid import Cell, Grid
from pipelines.trials.rows import Row, by_cell, head_of
from pipelines.trials.summary import best_of, rivals

#: What is told of a gain, by its columns' endings.
ENDS = ("", "_deviation", "_low", "_high", "_p")
#: What ``by_method`` tells of, beside the metric: means and deviations over seeds.
SPREAD = (
    "cost_epochs", "examples_trained", *(k for k in IN_ACCOUNT if k != "energy_label"), "agot", "agot_paper",
)  # fmt: skip


def by_method(rows: list[Row], grid: Grid, metric: Metric) -> list[Row]:
    """Return a row for ``full`` and for every method, fraction and setting, beside the controls at the same cost.

    Of each kind of control, and of all, the best by its mean stands there: it is chosen by the scores that judge, which favours
    the controls. Gains are paired by seed, and positive where the method is better; ``low`` and ``high`` are of their 95 %
    interval, ``p`` of a paired t-test. ``above_controls`` is None where the seeds are too few to say so. ``cost_ratio`` and
    ``cpu_ratio`` are what the method costs over what the best control needs for the same score. The row of highest mean AGOT
    of its method is its ``agot_best``.
    """
    value = by_cell(rows, metric.name)
    told = [_of_method(cell, grid, rows, value, metric) for cell in grid.cells if cell.role != "control"]
    best = best_by_gain([r["method"] for r in told], [r["agot"] for r in told])
    told = [row | {"agot_best": place in best} for place, row in enumerate(told)]
    keys = dict.fromkeys(k for row in told for k in row)
    return [{k: row.get(k) for k in keys} for row in sorted(told, key=lambda r: r["method"] != "full")]


def _of_method(cell: Cell, grid: Grid, rows: list[Row], value: dict[tuple[str, int], Any], metric: Metric) -> Row:
    mine = [r for r in rows if r["cell"] == cell.name and r[metric.name] is not None]
    head = head_of(cell)
    row: Row = {k: head[k] for k in ("method", "fraction", "settings")}
    row |= {"planned_cost_epochs": cell.cost, "seeds": len(mine)} | _spread(metric.name, [r[metric.name] for r in mine])
    for key in (f"chance_{metric.name}", "above_chance", *SPREAD):
        row |= _spread(key, [r[key] for r in mine if r.get(key) is not None])
    row["energy_label"] = next((r["energy_label"] for r in mine), None)
    if cell.role == "full":
        return row | {"above_controls": None}
    best = best_of(value, [r["seed"] for r in mine], metric)
    held = {kind: best(names) for kind, names in rivals(cell, grid).items()}
    held["best_control"] = best(list(held.values()))
    gains = {kind: _gain(mine, name, value, metric) for kind, name in held.items()}
    for kind, name in held.items():
        row |= _spread(kind, [value[name, r["seed"]] for r in mine if (name, r["seed"]) in value]) | {f"{kind}_cell": name}
        row |= {f"gain_over_{kind}{end}": found for end, found in zip(ENDS, told_of(gains[kind]), strict=True)}
    sure = [gain.sure for gain in gains.values()]
    return row | _ratios(mine, rows, metric) | {"above_controls": None if None in sure else all(sure)}


def _gain(mine: list[Row], name: str, value: dict[tuple[str, int], Any], metric: Metric) -> Gain:
    """Return the gain of a cell over the one called ``name``, over the seeds that both have."""
    pairs = [(r[metric.name], value[name, r["seed"]]) for r in mine if (name, r["seed"]) in value]
    return paired([m for m, _ in pairs], [c for _, c in pairs], higher=metric.higher)


def told_of(gain: Gain) -> tuple[float | None, ...]:
    """Return what is told of a gain, in the order of ``ENDS``."""
    return gain.mean, gain.deviation, gain.low, gain.high, gain.p


def _ratios(mine: list[Row], rows: list[Row], metric: Metric) -> Row:
    """Return the cost ratios at an equal metric, in epochs and in CPU seconds, over the controls that have all seeds."""
    seeds = [r["seed"] for r in mine]
    blind: dict[str, dict[int, Row]] = {}
    for r in rows:
        if r["role"] != "method" and r[metric.name] is not None:
            blind.setdefault(r["cell"], {})[r["seed"]] = r
    whole = [by_seed for by_seed in blind.values() if all(s in by_seed for s in seeds)]
    told: Row = {}
    for key, cost in (("cost_ratio", "cost_epochs"), ("cpu_ratio", "cpu_seconds")):
        controls = [_trained([by_seed[s] for s in seeds], cost, metric) for by_seed in whole]
        known = mine and all(r[cost] for r in mine) and all(all(c.costs) for c in controls)
        ratio = cost_ratio(_trained(mine, cost, metric), controls, higher=metric.higher) if known else None
        found = (ratio.value, ratio.low, ratio.high, ratio.bound) if ratio else (None, None, None, "")
        told |= {f"{key}{end}": v for end, v in zip(("", "_low", "_high", "_bound"), found, strict=True)}
    return told


def _trained(cell: list[Row], cost: str, metric: Metric) -> Trained:
    return Trained([r[cost] for r in cell], [r[metric.name] for r in cell])


def points(rows: list[Row], grid: Grid, metric: Metric) -> list[Row]:
    """Return for every cell its place in a figure: means over seeds of metric, times and AGOT."""
    told: list[Row] = []
    for cell in grid.cells:
        mine = [r for r in rows if r["cell"] == cell.name and r[metric.name] is not None]
        point = head_of(cell) | _spread(metric.name, [r[metric.name] for r in mine])
        for key in ("cost_epochs", "time_measured", "time_counted", "agot"):
            point |= _spread(key, [r[key] for r in mine if r[key] is not None])
        told.append(point)
    return told


def _spread(key: str, values: list[float]) -> Row:
    mean, deviation = mean_and_deviation(values)
    return {key: mean, f"{key}_deviation": deviation}
