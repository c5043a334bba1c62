"""compare: table and figure of the cost that selection saved, and of the scores."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.table import Table

from components.costs.savings import Metric
from pipelines.config.plan_freshness import check_plan
from pipelines.config.plans import ComparisonPlan
from pipelines.core import artifacts
from pipelines.core.artifacts import COMPARISON, plan_of, read_numbers, result
from pipelines.core.command import main
from pipelines.costs.account import Account, CostColumns, Gains, MethodAccount
from pipelines.costs.at_chance import AT_CHANCE, at_chance
from pipelines.costs.validation_curve import TimeTo, judged_in
from pipelines.data.manifest import Manifest
from pipelines.report import comparison, page
from pipelines.report.charts import to_png
from pipelines.report.rows import Comparison, ComparisonRow
from pipelines.report.sections.validation import time_to_texts

#: Test metrics of a model by name; those of ``full`` include the untrained model's.
Tested = dict[str, float]


def compare() -> None:
    """Write the comparison of all planned methods, and print it."""
    plan = ComparisonPlan.read(plan_of("comparison"))
    accounts = Account.settled().methods
    tested = {name: read_numbers(result("evaluate", name, "metrics.json")) for name in plan.methods}
    metric = Manifest.prepared().judging_metric
    rows = [_row(name, metric, tested, accounts[name], plan) for name in plan.methods]
    table = Comparison(task=plan.task, metric=metric.name, agot_epsilon=plan.agot_epsilon, rows=rows)

    def fill(folder: Path) -> None:
        table.write(folder / "comparison.json")
        artifacts.write_csv(folder / "comparison.csv", [row.columns() for row in rows])
        to_png(comparison.score_against_time(rows, metric), folder / "score_against_time.png")
        page.write(folder / "report.html", comparison.page(table, metric))

    artifacts.write_folder(COMPARISON, fill)
    show()


def _row(name: str, metric: Metric, tested: dict[str, Tested], account: MethodAccount, plan: ComparisonPlan) -> ComparisonRow:
    score, full, base = tested[name][metric.name], tested["full"][metric.name], tested["full"][f"base_{metric.name}"]
    costs = CostColumns.of(account)
    return ComparisonRow(
        method=name,
        metric=metric.name,
        metrics={key: value for key, value in tested[name].items() if not key.startswith("base_")},
        examples_trained=account.counts.trained,
        examples_looked=account.counts.looked,
        costs=costs,
        gains=Gains.of(score, base, full, costs, plan.agot_epsilon, higher=metric.higher),
        time_to=None if plan.time_to is None else TimeTo.of(judged_in(name), metric, plan.time_to),
    )


def _formatted_score(row: ComparisonRow) -> str:
    """Return a row's score as text, with its standard error."""
    digits = 4 if abs(row.score) < 10 else 2
    error = row.standard_error
    shown = f"{row.score:.{digits}f}" + ("" if error is None else f" ± {error:.{digits}f}")
    return f"{shown} ({AT_CHANCE})" if at_chance(row.above_chance) else shown


def show() -> None:
    """Print the last comparison that was written."""
    written = Comparison.written()
    table = Table(title=f"{written.task}: what selecting examples saved (warm-up and selection included)")
    energies = {
        "Wh measured": [row.costs.energy_measured_kwh or 0.0 for row in written.rows],
        "Wh estimated": [row.costs.energy_estimated_kwh or 0.0 for row in written.rows],
    }
    energies = {head: kwh for head, kwh in energies.items() if any(kwh)}
    for head in ("method", written.metric, "trained", "CPU s", "T counted", "T measured", "AGOT", *energies):
        table.add_column(head, justify="left" if head == "method" else "right")
    for number, row in enumerate(written.rows):
        table.add_row(*_printed_columns(row), *(f"{kwh[number] * 1000:.2f}" for kwh in energies.values()))
    console = Console()
    console.width = console.width if console.is_terminal else 124
    console.print(table)
    if any(row.time_to is not None for row in written.rows):
        console.print(_times_to(written))
    console.print(f"written to {COMPARISON}/ (csv, json, figure, report.html); 'make ui' opens MLflow")


def _times_to(written: Comparison) -> Table:
    """Return what each method took until validation reached the task's ``time_to``; blank where it never did."""
    target = ComparisonPlan.read(plan_of("comparison")).time_to
    table = Table(title=f"until {written.metric} on the validation split was {target:g} (warm-up and selection included)")
    for head in ("method", "trained", "CPU s", "Wh"):
        table.add_column(head, justify="left" if head == "method" else "right")
    for row in written.rows:
        table.add_row(row.method, *time_to_texts(row.time_to))
    return table


def _printed_columns(row: ComparisonRow) -> list[str]:
    """Return the printed columns of a row, without its energy."""
    gain = "-" if row.gains.agot is None else f"{row.gains.agot:.3f}"
    head = [row.method, _formatted_score(row), f"{row.examples_trained:,}", f"{row.costs.cpu_seconds:.1f}"]
    return [*head, f"{row.time_counted:.2f}", f"{row.time_measured:.2f}", gain]


if __name__ == "__main__":
    main("compare", compare, before=check_plan)
