"""Summary of a study: means over fractions, deviations over seeds, mean ranks.

This is the form of tables 3 and 4 of AdaSelection (arXiv 2306.10728). It needs no torch: all is read from the cells' files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from statistics import fmean
from typing import Any

from components.costs.comparison import Metric, mean_and_deviation, ranks
from pipelines.trials.grid import Cell, Grid
from pipelines.trials.rows import Row, by_cell

#: Names the best of some cells.
Best = Callable[[Sequence[str]], str]


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
    value = by_cell(rows, metric.name)
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


def _mean(values: list[Any]) -> float | None:
    """Return the mean, None where a value is missing."""
    return None if not values or None in values else fmean(values)


def _ranked(table: dict[str, list[str]], value: dict[tuple[str, int], Any], seed: int, metric: Metric) -> dict[str, float]:
    """Return the mean rank of each column's cells among all cells of one fraction and seed."""
    names = [n for n in dict.fromkeys(n for cells in table.values() for n in cells) if (n, seed) in value]
    rank = dict(zip(names, ranks([value[n, seed] for n in names], higher=metric.higher), strict=True))
    held = {column: [rank[n] for n in cells if n in rank] for column, cells in table.items()}
    return {column: fmean(places) for column, places in held.items() if places}
