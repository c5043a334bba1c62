"""What a study found: means and standard deviations over seeds, and over fractions the mean and the mean rank.

This is the form of tables 3 and 4 of AdaSelection (arXiv 2306.10728). It needs no torch: all is read from the cells' files.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import chdir
from statistics import fmean
from typing import Any

from components.comparison import Metric, agot, mean_and_deviation, ranks
from pipelines import artifacts, cells
from pipelines.artifacts import read_json, result
from pipelines.cells import Place
from pipelines.grid import CONTROLS, Grid

Row = dict[str, Any]
#: What an account says of a cell, and how a row calls it.
IN_ACCOUNT = {
    "cpu_seconds": ("measured_cpu_seconds",),
    "wall_seconds": ("spent", "total", "wall_seconds"),
    "selection_cpu_seconds": ("spent", "selection", "cpu_seconds"),
    "time_counted": ("time_counted",),
    "time_measured": ("time_measured",),
    "measured_over_counted": ("measured_over_counted",),
    "alpha_b": ("alpha_b",),
    "alpha_fb": ("alpha_fb",),
    "energy_kwh": ("energy", "kwh"),
    "energy_label": ("energy", "label"),
    "co2e_kg": ("energy", "co2e_kg"),
    "energy_modelled_kwh": ("energy_modelled", "kwh"),
}


def metric_of(place: Place) -> Metric:
    """Return what the study's models are judged by."""
    manifest = read_json(place.folder / cells.DATA / artifacts.MANIFEST)
    return Metric(manifest["metric"], manifest["higher"])


def collect(place: Place, metric: Metric, failed: dict[tuple[int, str], str]) -> list[Row]:
    """Return a row a seed and cell; that of a cell without results says why, if it ``failed`` just now."""
    rows: list[Row] = []
    for seed in place.seeds:
        accounts = cells.account(place, seed).get("methods", {})
        tested = {c.name: _tested(place, seed, c.name) for c in place.grid.cells if place.done(seed, c.name)}
        for cell in place.grid.cells:
            head = {"cell": cell.name, "role": cell.role, "method": cell.method, "fraction": cell.fraction, "seed": seed}
            found = _values(tested.get(cell.name, {}), tested.get("full", {}), accounts.get(cell.name), metric)
            reason = failed.get((seed, cell.name), "" if cell.name in tested else "not run")
            rows.append(head | {"planned_cost_epochs": cell.cost} | found | {"error": reason})
    return rows


def _tested(place: Place, seed: int, name: str) -> Row:
    with chdir(place.of(seed)):
        return {**read_json(result("evaluate", name, "metrics.json")), **_counts(name)}


def _counts(name: str) -> Row:
    counts = read_json(artifacts.cost_of("train", name))["counts"]
    return {f"examples_{k}": counts[k] for k in ("drawn", "looked", "trained")}


def _values(tested: Row, full: Row, account: Row | None, metric: Metric) -> Row:
    """Return a cell's numbers, None where there are none."""
    keys = (metric.name, f"{metric.name}_standard_error", "loss", "examples_drawn", "examples_looked", "examples_trained")
    values: Row = {k: tested.get(k) for k in keys}
    for key, path in IN_ACCOUNT.items():
        value: Any = account
        for part in path:
            value = value[part] if value else None
        values[key] = value
    return values | {"agot": _agot(values, full, metric)}


def _agot(values: Row, full: Row, metric: Metric) -> float | None:
    """Return gain over time, where there is what it is made of."""
    base, best, time = full.get(f"base_{metric.name}"), full.get(metric.name), values["time_measured"]
    if values[metric.name] is None or base is None or best is None or time is None:
        return None
    return agot(values[metric.name], base, best, time, higher=metric.higher)


def columns_at(grid: Grid, fraction: float | None) -> dict[str, list[str]]:
    """Return the cells that stand under each column of the table at ``fraction``.

    ``full`` and the methods that take no fraction are the same at all of them. Each control has a cell at every cost that a
    method has at this fraction; a control that is a method of the study too stands apart, at the fraction itself.
    """
    methods = [c for c in grid.cells if c.role == "method" and c.fraction in (None, fraction)]
    placed = {control: [c.controls[i] for c in methods] for i, control in enumerate(CONTROLS)}
    columns = {"full": ["full"], **{k: list(dict.fromkeys(v)) for k, v in placed.items()}}
    return columns | {f"{c.method} by fraction" if c.method in CONTROLS else c.method: [c.name] for c in methods}


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
        each = [_mean([_mean([value.get((n, s)) for n in t.get(column, [])]) for t in tables]) for s in seeds]
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
    """Return a row for ``full`` and for every method and fraction, beside the two controls at the same cost.

    Gains over a control are paired by seed, and positive where the method is better.
    """
    value, sign = _by_cell(rows, metric.name), 1 if metric.higher else -1
    told: list[Row] = []
    for cell in grid.cells:
        if cell.role == "control":
            continue
        mine = [r for r in rows if r["cell"] == cell.name and r[metric.name] is not None]
        row: Row = {"method": cell.method, "fraction": cell.fraction, "planned_cost_epochs": cell.cost, "seeds": len(mine)}
        row |= _spread(metric.name, [r[metric.name] for r in mine])
        for control, name in zip(CONTROLS, cell.controls, strict=False):
            pairs = [(r[metric.name], value[name, r["seed"]]) for r in mine if (name, r["seed"]) in value]
            row |= _spread(control, [c for _, c in pairs])
            row |= _spread(f"gain_over_{control}", [sign * (m - c) for m, c in pairs])
        for key in ("time_counted", "time_measured", "examples_trained", "cpu_seconds", "energy_kwh", "agot"):
            row |= _spread(key, [r[key] for r in mine if r[key] is not None])
        told.append(row)
    keys = dict.fromkeys(k for row in told for k in row)
    return [{k: row.get(k) for k in keys} for row in sorted(told, key=lambda r: r["method"] != "full")]


def points(rows: list[Row], grid: Grid, metric: Metric) -> list[Row]:
    """Return for every cell its place in a figure: means over seeds of metric and measured time."""
    told: list[Row] = []
    for cell in grid.cells:
        mine = [r for r in rows if r["cell"] == cell.name and r[metric.name] is not None]
        head = {"cell": cell.name, "role": cell.role, "method": cell.method, "fraction": cell.fraction}
        times = [r["time_measured"] for r in mine if r["time_measured"] is not None]
        told.append(head | _spread(metric.name, [r[metric.name] for r in mine]) | _spread("time_measured", times))
    return told


def _spread(key: str, values: list[float]) -> Row:
    mean, deviation = mean_and_deviation(values)
    return {key: mean, f"{key}_deviation": deviation}
