"""What a study found: means and standard deviations over seeds, and over fractions the mean and the mean rank.

This is the form of tables 3 and 4 of AdaSelection (arXiv 2306.10728). It needs no torch: all is read from the cells' files.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from contextlib import chdir
from statistics import fmean
from typing import Any

from components.costs.comparison import Metric, best_by_gain, mean_and_deviation, ranks
from components.costs.cost_ratio import Trained, cost_ratio
from components.costs.paired import Gain, paired
from pipelines.core import artifacts
from pipelines.core.artifacts import read_json, result
from pipelines.costs.columns import IN_ACCOUNT, found, gains
from pipelines.trials import folder, runner
from pipelines.trials.controls import cost_had
from pipelines.trials.folder import Place
from pipelines.trials.grid import Cell, Grid

Row = dict[str, Any]
#: Names the best of some cells.
Best = Callable[[Sequence[str]], str]
#: What is told of a gain, by its columns' endings.
ENDS = ("", "_deviation", "_low", "_high", "_p")
#: What ``by_method`` tells of, beside the metric: means and deviations over seeds.
SPREAD = (
    "cost_epochs", "examples_trained", *(k for k in IN_ACCOUNT if k != "energy_label"), "agot", "agot_paper",
)  # fmt: skip


def metric_of(place: Place) -> Metric:
    """Return what the study's models are judged by."""
    manifest = read_json(place.folder / folder.DATA / artifacts.MANIFEST)
    return Metric(manifest["metric"], manifest["higher"])


def collect(place: Place, metric: Metric, failed: dict[tuple[int, str], str]) -> list[Row]:
    """Return a row a seed and cell; that of a cell without results says why, if it ``failed`` just now."""
    rows: list[Row] = []
    epsilon = place.grid.params.agot_epsilon
    for seed in place.seeds:
        accounts = runner.account(place, seed).get("methods", {})
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
    keys = [metric.name, f"{metric.name}_standard_error", f"chance_{metric.name}", "above_chance", "loss"]
    keys += [f"examples_{k}" for k in ("drawn", "looked", "trained")]
    values: Row = {k: tested.get(k) for k in keys} | {k: found(account, path) for k, path in IN_ACCOUNT.items()}
    base, best = full.get(f"base_{metric.name}"), full.get(metric.name)
    return values | gains(values[metric.name], base, best, values, epsilon, higher=metric.higher)


def columns_at(grid: Grid, fraction: float | None, best: Best) -> dict[str, list[str]]:
    """Return the cells that stand under each column of the table at ``fraction``.

    Settings that are varied have columns of their own. ``full`` and the methods that take no fraction are the same at all
    fractions. Each control has a cell at every cost that a method has at this fraction, the best of those that are tuned; a
    control that is a method of the study too stands apart, at the fraction itself.
    """
    methods = [c for c in grid.cells if c.role == "method" and c.fraction in (None, fraction)]
    placed = {control: [best(names) for c in methods if (names := rivals(c, grid)[control])] for control in grid.kinds}
    columns = {"full": ["full"], **{k: list(dict.fromkeys(v)) for k, v in placed.items()}}
    return columns | {f"{c.column} by fraction" if c.method in grid.kinds else c.column: [c.name] for c in methods}


def rivals(cell: Cell, grid: Grid) -> dict[str, list[str]]:
    """Return the controls of each kind that a cell is held against; ``full`` where it costs no less than that."""
    if cell.controls == ("full",):
        return {kind: ["full"] for kind in grid.kinds}
    return {kind: [name for name in cell.controls if grid[name].method == kind] for kind in grid.kinds}


def best_of(value: dict[tuple[str, int], Any], seeds: Sequence[int], metric: Metric) -> Best:
    """Return what names the best of some cells: by its mean over ``seeds``, of those that have most of these."""

    def best(names: Sequence[str]) -> str:
        def merit(name: str) -> tuple[int, float]:
            values = [value[name, s] for s in seeds if (name, s) in value]
            return len(values), (fmean(values) if metric.higher else -fmean(values)) if values else 0.0

        return max(names, key=merit)

    return best


def summary(rows: Iterable[Row], grid: Grid, metric: Metric) -> Row:
    """Return the paper's table: for each column the mean over fractions, its deviation over seeds, and the mean rank.

    A seed counts for a column whose cells it has at every fraction; ranks are among the cells that are there.
    """
    value = _by_cell(rows, metric.name)
    fractions: list[float | None] = [*sorted({c.fraction for c in grid.cells if c.fraction is not None})] or [None]
    seeds = sorted({seed for _, seed in value})
    tables = [columns_at(grid, f, best_of(value, seeds, metric)) for f in fractions]
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
    """Return a row for ``full`` and for every method, fraction and setting, beside the controls at the same cost.

    Of each kind of control, and of all, the best by its mean stands there: it is chosen by the scores that judge, which favours
    the controls. Gains are paired by seed, and positive where the method is better; ``low`` and ``high`` are of their 95 %
    interval, ``p`` of a paired t-test. ``above_controls`` is None where the seeds are too few to say so. ``cost_ratio`` and
    ``cpu_ratio`` are what the method costs over what the best control needs for the same score. The row of highest mean AGOT
    of its method is its ``agot_best``.
    """
    value = _by_cell(rows, metric.name)
    told = [_of_method(cell, grid, rows, value, metric) for cell in grid.cells if cell.role != "control"]
    best = best_by_gain([r["method"] for r in told], [r["agot"] for r in told])
    told = [row | {"agot_best": place in best} for place, row in enumerate(told)]
    keys = dict.fromkeys(k for row in told for k in row)
    return [{k: row.get(k) for k in keys} for row in sorted(told, key=lambda r: r["method"] != "full")]


def _of_method(cell: Cell, grid: Grid, rows: list[Row], value: dict[tuple[str, int], Any], metric: Metric) -> Row:
    mine = [r for r in rows if r["cell"] == cell.name and r[metric.name] is not None]
    head = _head(cell)
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
        point = _head(cell) | _spread(metric.name, [r[metric.name] for r in mine])
        for key in ("cost_epochs", "time_measured", "time_counted", "agot"):
            point |= _spread(key, [r[key] for r in mine if r[key] is not None])
        told.append(point)
    return told


def _spread(key: str, values: list[float]) -> Row:
    mean, deviation = mean_and_deviation(values)
    return {key: mean, f"{key}_deviation": deviation}
