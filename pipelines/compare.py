"""compare: table and figure of what selecting examples saved, and its cost in score."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from components.costs.comparison import Metric
from pipelines.config.plan_freshness import check_plan
from pipelines.core import artifacts
from pipelines.core.artifacts import COMPARISON, plan_of, read_json, result
from pipelines.core.command import main
from pipelines.costs.columns import AT_CHANCE, IN_ACCOUNT, at_chance, found, gains
from pipelines.report import comparison, page
from pipelines.report.charts import to_png

Row = dict[str, Any]


def compare() -> None:
    """Write the comparison of all planned methods, and print it."""
    plan = read_json(plan_of("comparison"))
    accounts = read_json(artifacts.ACCOUNT)["methods"]
    metrics = {name: read_json(result("evaluate", name, "metrics.json")) for name in plan["methods"]}
    manifest = read_json(artifacts.MANIFEST)
    metric = Metric(manifest["metric"], manifest["higher"])
    rows = [_row(name, metric, metrics, accounts[name], plan["agot_epsilon"]) for name in plan["methods"]]

    def fill(folder: Path) -> None:
        facts = {"task": plan["task"], "metric": metric.name, "agot_epsilon": plan["agot_epsilon"]}
        artifacts.write_json(folder / "comparison.json", facts | {"rows": rows})
        artifacts.write_csv(folder / "comparison.csv", rows)
        to_png(comparison.drawn(rows, metric), folder / "score_against_time.png")
        page.write(folder / "report.html", comparison.page(plan, rows, metric))

    artifacts.write_folder(COMPARISON, fill)
    show()


def _row(name: str, metric: Metric, metrics: dict[str, Any], account: dict[str, Any], epsilon: float) -> Row:
    score, full, base = metrics[name][metric.name], metrics["full"][metric.name], metrics["full"][f"base_{metric.name}"]
    return {
        "method": name,
        **{k: v for k, v in metrics[name].items() if not k.startswith("base_")},
        "examples_trained": account["counts"]["trained"],
        "examples_looked": account["counts"]["looked"],
        **{key: found(account, path) for key, path in IN_ACCOUNT.items()},
        **gains(score, base, full, account, epsilon, higher=metric.higher),
    }


def _error(row: Row, metric: str) -> float | None:
    """Return the standard error of a row's score, where it is known."""
    return row.get(f"{metric}_standard_error")


def _shown(row: Row, metric: str) -> str:
    """Return a row's score to be read."""
    digits = 4 if abs(row[metric]) < 10 else 2
    error = _error(row, metric)
    shown = f"{row[metric]:.{digits}f}" + ("" if error is None else f" ± {error:.{digits}f}")
    return f"{shown} ({AT_CHANCE})" if at_chance(row) else shown


def show() -> None:
    """Print the comparison that was written last."""
    written = read_json(COMPARISON / "comparison.json")
    table = Table(title=f"{written['task']}: what selecting examples saved (warm-up and selection included)")
    heads = ("method", written["metric"], "trained", "CPU s", "T counted", "T measured", "AGOT")
    labels = [label for label in ("measured", "estimated") if any(row[f"energy_{label}_kwh"] for row in written["rows"])]
    for head in (*heads, *(f"Wh {label}" for label in labels)):
        table.add_column(head, justify="left" if head == "method" else "right")
    for row in written["rows"]:
        gain = "-" if row["agot"] is None else f"{row['agot']:.3f}"
        cells = (
            row["method"],
            _shown(row, written["metric"]),
            f"{row['examples_trained']:,}",
            f"{row['cpu_seconds']:.1f}",
        )
        times = (f"{row['time_counted']:.2f}", f"{row['time_measured']:.2f}", gain)
        table.add_row(*cells, *times, *(f"{row[f'energy_{label}_kwh'] * 1000:.2f}" for label in labels))
    console = Console()
    console.width = console.width if console.is_terminal else 124
    console.print(table)
    console.print(f"written to {COMPARISON}/ (csv, json, figure, report.html); 'make ui' opens MLflow")


if __name__ == "__main__":
    main("compare", compare, before=check_plan)
