"""Page of a comparison: findings, table, provenance."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from components.costs.savings import Metric, best_by_gain
from pipelines.config.plans import ComparisonPlan, TrainingPlan
from pipelines.core.artifacts import HERE, plan_of
from pipelines.costs.at_chance import AT_CHANCE, at_chance, chance_note
from pipelines.costs.records import CostRecord
from pipelines.data.manifest import Manifest
from pipelines.report import comparison_verdict, diagnosis
from pipelines.report import cost_tables as report_tables
from pipelines.report import page as report_page
from pipelines.report.charts import Best, Series, against_time
from pipelines.report.cost_tables import MARKS
from pipelines.report.page import Section, Table, number, with_error
from pipelines.report.rows import Comparison, ComparisonRow
from pipelines.report.run_results import BLIND, Run
from pipelines.report.sections import classes, course, energy, examples, learning, time_spent, validation

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CONTROLS = ("uniform", "short")


def page(written: Comparison, metric: Metric) -> str:
    """Return the page of a comparison."""
    manifest, training = Manifest.prepared(), TrainingPlan.read(plan_of("training"))
    rows, epochs = written.rows, training.training.epochs
    target = ComparisonPlan.read(plan_of("comparison")).time_to
    order, controls = [r.method for r in rows], _controls(rows)
    times = report_tables.times([r.columns() for r in rows], ["method"], [[name] for name in order], written.agot_epsilon)
    runs = [Run(name, manifest.content) for name in order]
    sections = [_table(rows, metric), _figure(rows, metric), *diagnosis.of_comparison(), times]
    sections += energy.of_comparison(rows, controls)
    sections += time_spent.of_comparison(order)
    sections += [*learning.of_comparison(runs, manifest), *validation.of_comparison(runs, metric, target)]
    sections += classes.of_comparison(runs, manifest, epochs)
    sections += examples.of_comparison(runs, manifest)
    sections += course.of_comparison(order)
    cost = CostRecord.of_stage("train", "full")
    facts = report_page.provenance(manifest, cost, [training.seed], "dvc repro, or python -m pipelines.flow (make demo)")
    title = f"{written.task}: what selecting examples saved"
    first = comparison_verdict.of_comparison(rows, controls, metric, epochs)
    return report_page.render(title, headline(rows, metric, controls), sections, facts, first)


def summary(rows: list[ComparisonRow], metric: Metric, root: Path = HERE) -> tuple[list[str], Section]:
    """Return the headline and the table of methods, as a run's description has them."""
    return headline(rows, metric, _controls(rows, root)), _table(rows, metric)


def _controls(rows: list[ComparisonRow], root: Path = HERE) -> set[str]:
    """Return the names of the controls: methods that only draw blindly or only stop early."""
    return {r.method for r in rows if Run(r.method, root=root).kind in CONTROLS}


def headline(rows: list[ComparisonRow], metric: Metric, controls: set[str]) -> list[str]:
    """Return what one seed supports, with the standard error of the test split if known."""
    return [*_compared(rows, metric, controls), *chance_note((r.method, r.above_chance) for r in rows)]


def _compared(rows: list[ComparisonRow], metric: Metric, controls: set[str]) -> list[str]:
    full = next(r for r in rows if r.method == "full")
    others = [r for r in rows if r.method != "full" and r.method not in controls]
    first = f"full has {metric.name} {_value(full)}"
    if not others:
        return [f"{first}."]
    best = max(others, key=lambda r: r.score if metric.higher else -r.score)
    first += f"; {best.method} has {_value(best)} in {best.time_measured:.2f} of its time."
    if full.standard_error is None:
        return [first, "One seed, and no standard error of the test split: differences may be chance."]
    rivals = [r for r in rows if r.method in controls]
    above = [r.method for r in others if rivals and all(_beats(r, c, metric) for c in rivals)]
    apart = "by more than two standard errors of the difference"
    if above:
        return [first, f"Above every control here, {apart}: {', '.join(above)}. One seed."]
    if not rivals:
        return [first, "There is no control here to compare a method with. One seed."]
    return [first, f"No method is above every control here {apart}. One seed."]


def _value(row: ComparisonRow) -> str:
    shown = with_error(row.score, row.standard_error)
    return f"{shown} ({AT_CHANCE})" if at_chance(row.above_chance) else shown


def _beats(row: ComparisonRow, other: ComparisonRow, metric: Metric) -> bool:
    """Return whether ``row`` is better by more than two standard errors of the difference.

    The errors are taken as independent, although both models have the same test examples.
    """
    gain = (row.score - other.score) * (1 if metric.higher else -1)
    errors = [r.standard_error or 0.0 for r in (row, other)]
    return bool(gain > 2 * sum(e**2 for e in errors) ** 0.5)


def _table(rows: list[ComparisonRow], metric: Metric) -> Section:
    heads = ["method", metric.name, "trained", "looked at", "CPU s", "time counted", "time measured", "AGOT"]
    shown = [
        [
            r.method,
            _value(r),
            number(r.examples_trained, 0),
            number(r.examples_looked, 0),
            number(r.costs.cpu_seconds, 1),
            number(r.time_counted, 2),
            number(r.time_measured, 2),
            number(r.gains.agot, 3),
        ]
        for r in rows
    ]
    better = "higher" if metric.higher else "lower"
    text = [
        f"{metric.name}: {better} is better; ± is the standard error over the test examples, if known. Times are relative to "
        "full and include warm-up and selection. A control has the planned cost of the method that it is set to."
    ]
    return Section("Methods", text, Table(heads, shown))


def score_against_time(rows: list[ComparisonRow], metric: Metric) -> Figure:
    """Return the figure of the metric against measured time, each method's best AGOT marked."""
    kinds = [Run(r.method).kind for r in rows]
    best = best_by_gain(kinds, [None if kind in BLIND else r.gains.agot for kind, r in zip(kinds, rows, strict=True)])
    series = []
    for index, r in enumerate(rows):
        mark = Best(r.time_measured, r.score, r.time_counted) if index in best else None
        series.append(Series(r.method, [(r.time_measured, r.score, r.standard_error)], best=mark))
    return against_time(series, f"test {metric.name}", metric.higher)


def _figure(rows: list[ComparisonRow], metric: Metric) -> Section:
    caption = f"{metric.name} against measured time, with the Pareto front. {MARKS}"
    return Section(
        f"{metric.name} against time", figures=[report_page.drawing(score_against_time(rows, metric), "time", caption)]
    )
