"""What a study found: means and standard deviations over seeds, and over fractions the mean and the mean rank.

This is the form of tables 3 and 4 of AdaSelection (arXiv 2306.10728). It needs no torch: all is read from the cells' files.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import chdir
from statistics import fmean
from typing import Any

from components.comparison import Metric, best_by_gain, mean_and_deviation, ranks
from components.paired import paired
from pipelines import artifacts, cells
from pipelines.artifacts import read_json, result
from pipelines.cells import Place
from pipelines.columns import IN_ACCOUNT, found, gains
from pipelines.controls import cost_had
from pipelines.grid import CONTROLS, Cell, Grid

Row = dict[str, Any]
#: What ``by_method`` tells of, beside the metric: means and deviations over seeds.
SPREAD = (
    "cost_epochs", "examples_trained", *(k for k in IN_ACCOUNT if k != "energy_label"), "agot", "agot_paper",
)  # fmt: skip


def metric_of(place: Place) -> Metric:
    """Return what the study's models are judged by."""
    manifest = read_json(place.folder / cells.DATA / artifacts.MANIFEST)
    return Metric(manifest["metric"], manifest["higher"])


def collect(place: Place, metric: Metric, failed: dict[tuple[int, str], str]) -> list[Row]:
    """Return a row a seed and cell; that of a cell without results says why, if it ``failed`` just now."""
    rows: list[Row] = []
    epsilon = place.grid.params.agot_epsilon
    for seed in place.seeds:
        accounts = cells.account(place, seed).get("methods", {})
        tested = {c.name: _tested(place, seed, c.name) for c in place.grid.cells if place.done(seed, c.name)}
        for cell in place.grid.cells:
            mine = tested.get(cell.name, {})
            values = _values(mine, tested.get("full", {}), accounts.get(cell.name), metric, epsilon)
            reason = failed.get((seed, cell.name), "" if mine else "not run")
            costs = {"planned_cost_epochs": _planned(place, seed, cell), "cost_epochs": mine.get("cost_epochs")}
            rows.append(_head(cell) | {"seed": seed} | costs | values | {"error": reason})
    return rows


def _head(cell: Cell) -> Row:
    """Return what a cell is found by; its settings as JSON, since no two methods have the same."""
    head = {"cell": cell.name, "role": cell.role, "method": cell.method, "fraction": cell.fraction}
    return head | {"settings": json.dumps(dict(cell.settings)) if cell.settings else ""}


def _planned(place: Place, seed: int, cell: Cell) -> float | None:
    """Return a cell's planned cost; that of a control after another cell is known when that has run with this seed."""
    if not cell.after:
        return cell.cost
    path = place.of(seed) / artifacts.plan_of("methods", cell.name)
    return round(float(read_json(path)["planned_cost"]), 4) if path.exists() else None


def _tested(place: Place, seed: int, name: str) -> Row:
    with chdir(place.of(seed)):
        return {**read_json(result("evaluate", name, "metrics.json")), **_counts(name), "cost_epochs": cost_had(name)}


def _counts(name: str) -> Row:
    counts = read_json(artifacts.cost_of("train", name))["counts"]
    return {f"examples_{k}": counts[k] for k in ("drawn", "looked", "trained")}


def _values(tested: Row, full: Row, account: Row | None, metric: Metric, epsilon: float) -> Row:
    """Return a cell's numbers, None where there are none."""
    keys = (metric.name, f"{metric.name}_standard_error", "loss", "examples_drawn", "examples_looked", "examples_trained")
    values: Row = {k: tested.get(k) for k in keys} | {k: found(account, path) for k, path in IN_ACCOUNT.items()}
    base, best = full.get(f"base_{metric.name}"), full.get(metric.name)
    return values | gains(values[metric.name], base, best, values, epsilon, higher=metric.higher)


def columns_at(grid: Grid, fraction: float | None) -> dict[str, list[str]]:
    """Return the cells that stand under each column of the table at ``fraction``.

    Settings that are varied have columns of their own. ``full`` and the methods that take no fraction are the same at all
    fractions. Each control has a cell at every cost that a method has at this fraction; a control that is a method of the
    study too stands apart, at the fraction itself.
    """
    methods = [c for c in grid.cells if c.role == "method" and c.fraction in (None, fraction)]
    placed = {control: [c.controls[i] for c in methods] for i, control in enumerate(CONTROLS)}
    columns = {"full": ["full"], **{k: list(dict.fromkeys(v)) for k, v in placed.items()}}
    return columns | {f"{c.column} by fraction" if c.method in CONTROLS else c.column: [c.name] for c in methods}


def summary(rows: Iterable[Row], grid: Grid, metric: Metric) -> Row:
    """Return the paper's table: for each column the mean over fractions, its deviation over seeds, and the mean rank.

    A seed counts for a column whose cells it has at every fraction; ranks are among the cells that are there.
    """
    value = _by_cell(rows, metric.name)
    fractions: list[float | None] = [*sorted({c.fraction for c in grid.cells if c.fraction is not None})] or [None]
    tables = [columns_at(grid, f) for f in fractions]
    seeds = sorted({seed for _, seed in value})
    placed = {(s, i): _ranked(table, value, s, metric) for s in seeds for i, table in enumerate(tables)}
    columns: Row = {}
    for column in dict.fromkeys(name for table in tables for name in table):
        there = [t[column] for t in tables if column in t]
        each = [_mean([_mean([value.get((n, s)) for n in names]) for names in there]) for s in seeds]
        mean, deviation = mean_and_deviation([e for e in each if e is not None])
        places = [p[column] for p in placed.values() if column in p]
        columns[column] = {
            "mean": mean,
            "deviation": deviation,
            "seeds": sum(e is not None for e in each),
            "rank": fmean(places) if places else None,
            "ranked": len(places),
        }
    return columns


def _by_cell(rows: Iterable[Row], key: str) -> dict[tuple[str, int], Any]:
    return {(r["cell"], r["seed"]): r[key] for r in rows if r[key] is not None}


def _mean(values: list[Any]) -> float | None:
    """Return the mean, None where a value is missing."""
    return None if not values or None in values else fmean(values)


def _ranked(table: dict[str, list[str]], value: dict[tuple[str, int], Any], seed: int, metric: Metric) -> dict[str, float]:
    """Return the mean rank of each column's cells among all cells of one fraction and seed."""
    names = [n for n in dict.fromkeys(n for cells in table.values() for n in cells) if (n, seed) in value]
    rank = dict(zip(names, ranks([value[n, seed] for n in names], higher=metric.higher), strict=True))
    held = {column: [rank[n] for n in cells if n in rank] for column, cells in table.items()}
    return {column: fmean(places) for column, places in held.items() if places}


def by_method(rows: list[Row], grid: Grid, metric: Metric) -> list[Row]:
    """Return a row for ``full`` and for every method, fraction and setting, beside the two controls at the same cost.

    Gains over a control are paired by seed, and positive where the method is better; ``low`` and ``high`` are of their 95 %
    interval, ``p`` of a paired t-test. ``above_both_controls`` is None where the seeds are too few to say so. The row of
    highest mean AGOT of its method is its ``agot_best``.
    """
    value = _by_cell(rows, metric.name)
    told = [_of_method(cell, rows, value, metric) for cell in grid.cells if cell.role != "control"]
    best = best_by_gain([r["method"] for r in told], [r["agot"] for r in told])
    told = [row | {"agot_best": place in best} for place, row in enumerate(told)]
    keys = dict.fromkeys(k for row in told for k in row)
    return [{k: row.get(k) for k in keys} for row in sorted(told, key=lambda r: r["method"] != "full")]


def _of_method(cell: Cell, rows: list[Row], value: dict[tuple[str, int], Any], metric: Metric) -> Row:
    mine = [r for r in rows if r["cell"] == cell.name and r[metric.name] is not None]
    head = _head(cell)
    row: Row = {k: head[k] for k in ("method", "fraction", "settings")}
    row |= {"planned_cost_epochs": cell.cost, "seeds": len(mine)} | _spread(metric.name, [r[metric.name] for r in mine])
    for key in SPREAD:
        row |= _spread(key, [r[key] for r in mine if r[key] is not None])
    row["energy_label"] = next((r["energy_label"] for r in mine), None)
    sure = []
    for control, name in zip(CONTROLS, cell.controls, strict=False):
        pairs = [(r[metric.name], value[name, r["seed"]]) for r in mine if (name, r["seed"]) in value]
        gain = paired([m for m, _ in pairs], [c for _, c in pairs], higher=metric.higher)
        row |= _spread(control, [c for _, c in pairs])
        told = {"": gain.mean, "_deviation": gain.deviation, "_low": gain.low, "_high": gain.high, "_p": gain.p}
        row |= {f"gain_over_{control}{k}": v for k, v in told.items()}
        sure.append(gain.sure)
    return row | {"above_both_controls": None if None in sure or not sure else all(sure)}


def points(rows: list[Row], grid: Grid, metric: Metric) -> list[Row]:
    """Return for every cell its place in a figure: means over seeds of metric, times and AGOT."""
    told: list[Row] = []
    for cell in grid.cells:
        mine = [r for r in rows if r["cell"] == cell.name and r[metric.name] is not None]
        point = _head(cell) | _spread(metric.name, [r[metric.name] for r in mine])
        for key in ("time_measured", "time_counted", "agot"):
            point |= _spread(key, [r[key] for r in mine if r[key] is not None])
        told.append(point)
    return told


def _spread(key: str, values: list[float]) -> Row:
    mean, deviation = mean_and_deviation(values)
    return {key: mean, f"{key}_deviation": deviation}
