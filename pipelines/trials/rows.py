"""Rows of a study: one for each trial and seed, read from the trials' files."""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import chdir
from typing import Any

from components.costs.comparison import Metric
from pipelines.core import artifacts
from pipelines.core.artifacts import read_json, result
from pipelines.costs.columns import IN_ACCOUNT, found, gains
from pipelines.trials import folder, runner
from pipelines.trials.controls import cost_had
from pipelines.trials.folder import Place
from pipelines.trials.grid import Cell

Row = dict[str, Any]


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
            rows.append(head_of(cell) | {"seed": seed} | costs | values | {"error": reason})
    return rows


def head_of(cell: Cell) -> Row:
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


def by_cell(rows: Iterable[Row], key: str) -> dict[tuple[str, int], Any]:
    """Return the values of ``key`` by cell and seed, of rows that have one."""
    return {(r["cell"], r["seed"]): r[key] for r in rows if r[key] is not None}
