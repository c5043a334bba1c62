"""Page of a comparison: findings, table, provenance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from components.costs.comparison import Metric, best_by_gain
from pipelines.core import artifacts
from pipelines.core.artifacts import cost_of, plan_of, read_json
from pipelines.costs.columns import AT_CHANCE, at_chance, chance_note
from pipelines.report import comparison_verdict, diagnosis
from pipelines.report import page as report_page
from pipelines.report import tables as report_tables
from pipelines.report.charts import Best, Series, against_time
from pipelines.report.page import Section, Table, number, with_error
from pipelines.report.run_results import BLIND, Run
from pipelines.report.sections import classes, course, energy, examples, learning, time_spent
from pipelines.report.tables import MARKS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Row = dict[str, Any]
CONTROLS = ("uniform", "short")


def page(plan: Row, rows: list[Row], metric: Metric) -> str:
    """Return the page of the planned comparison whose table has ``rows``."""
    manifest = read_json(artifacts.MANIFEST)
    names = [[r["method"]] for r in rows]
    controls = _controls(rows)
    tables = [report_tables.times(rows, ["method"], names, plan["agot_epsilon"]), *energy.of_comparison(rows, controls)]
    order, training = [r["method"] for r in rows], read_json(plan_of("training"))
    runs = [Run(name, manifest["content"]) for name in order]
    sections = [_table(rows, metric), _figure(rows, metric), *diagnosis.of_comparison(), *tables]
    sections += time_spent.of_comparison(order)
    sections += learning.of_comparison(runs, manifest)
    sections += classes.of_comparison(runs, manifest, training["training"]["epochs"])
    sections += examples.of_comparison(runs, manifest)
    sections += course.of_comparison(order)
    cost = read_json(cost_of("train", "full"))
    facts = report_page.provenance(manifest, cost, [training["seed"]], "dvc repro, or python -m pipelines.flow (make demo)")
    title = f"{plan['task']}: what selecting examples saved"
    first = comparison_verdict.of_comparison(rows, controls, metric.name, metric.higher, training["training"]["epochs"])
    return report_page.render(title, headline(rows, metric, controls), sections, facts, first)


def summary(rows: list[Row], metric: Metric) -> tuple[list[str], Section]:
    """Return the headline and the table: what there is room for beside the page."""
    return headline(rows, metric, _controls(rows)), _table(rows, metric)


def _controls(rows: list[Row]) -> set[str]:
    """Return the names of the methods that draw blindly or stop early, and nothing else."""
    return {r["method"] for r in rows if Run(r["method"]).kind in CONTROLS}


def headline(rows: list[Row], metric: Metric, controls: set[str]) -> list[str]:
    """Return what the numbers say, and no more: one seed, and the error of the test split where it is known."""
    return [*_compared(rows, metric, controls), *chance_note(rows)]


def _compared(rows: list[Row], metric: Metric, controls: set[str]) -> list[str]:
    full = next(r for r in rows if r["method"] == "full")
    others = [r for r in rows if r["method"] != "full" and r["method"] not in controls]
    first = f"full has {metric.name} {_value(full, metric)}"
    if not others:
        return [f"{first}."]
    best = max(others, key=lambda r: r[metric.name] if metric.higher else -r[metric.name])
    first += f"; {best['method']} has {_value(best, metric)} in {best['time_measured']:.2f} of its time."
    if _error(full, metric) is None:
        return [first, "One seed, and no error of the test split: how much of a difference is chance is not known."]
    rivals = [r for r in rows if r["method"] in controls]
    above = [r["method"] for r in others if rivals and all(_beats(r, c, metric) for c in rivals)]
    apart = "by more than two standard errors of the difference"
    if above:
        return [first, f"Above every control here, {apart}: {', '.join(above)}. One seed."]
    if not rivals:
        return [first, "There is no control here to hold a method against. One seed."]
    return [first, f"No method is above every control here {apart}. One seed."]


def _error(row: Row, metric: Metric) -> float | None:
    error: float | None = row.get(f"{metric.name}_standard_error")
    return error


def _value(row: Row, metric: Metric) -> str:
    shown = with_error(row[metric.name], _error(row, metric))
    return f"{shown} ({AT_CHANCE})" if at_chance(row) else shown


def _beats(row: Row, other: Row, metric: Metric) -> bool:
    """Return whether ``row`` is better by more than two errors of the difference, as if the test examples were others."""
    gain = (row[metric.name] - other[metric.name]) * (1 if metric.higher else -1)
    errors = [_error(r, metric) or 0.0 for r in (row, other)]
    return bool(gain > 2 * sum(e**2 for e in errors) ** 0.5)


def _table(rows: list[Row], metric: Metric) -> Section:
    heads = ["method", metric.name, "trained", "looked at", "CPU s", "time counted", "time measured", "AGOT"]
    told = [
        [
            r["method"],
            _value(r, metric),
            number(r["examples_trained"], 0),
            number(r["examples_looked"], 0),
            number(r["cpu_seconds"], 1),
            number(r["time_counted"], 2),
            number(r["time_measured"], 2),
            number(r["agot"], 3),
        ]
        for r in rows
    ]
    better = "higher" if metric.higher else "lower"
    text = [
        f"{metric.name}: {better} is better; ± is the standard error of the test split, where there is one. Times are over "
        "those of full, with warm-up and selection; a control has the planned cost of the method that it is set to."
    ]
    return Section("Methods", text, Table(heads, told))


def drawn(rows: list[Row], metric: Metric) -> Figure:
    """Return the figure of the metric against measured time, a point a block, the best of each method marked."""
    kinds = [Run(r["method"]).kind for r in rows]
    best = best_by_gain(kinds, [None if kind in BLIND else r["agot"] for kind, r in zip(kinds, rows, strict=True)])
    series = []
    for place, r in enumerate(rows):
        point = (r["time_measured"], r[metric.name], _error(r, metric))
        mark = Best(r["time_measured"], r[metric.name], r["time_counted"]) if place in best else None
        series.append(Series(r["method"], [point], best=mark))
    return against_time(series, f"test {metric.name}", metric.higher)


def _figure(rows: list[Row], metric: Metric) -> Section:
    caption = f"{metric.name} against measured time, and the front that no other method beats in both. {MARKS}"
    return Section(f"{metric.name} against time", figures=[report_page.drawing(drawn(rows, metric), "time", caption)])
