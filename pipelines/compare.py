"""compare: one table and one figure of what selecting examples saved, and what it cost in accuracy."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from components.comparison import agot, pareto_front
from pipelines import artifacts
from pipelines.artifacts import COMPARISON, plan_of, read_json, result
from pipelines.stage import main

Row = dict[str, Any]


def compare() -> None:
    """Write the comparison of all planned methods, and print it."""
    plan = read_json(plan_of("comparison"))
    accounts = read_json(artifacts.ACCOUNT)["methods"]
    metrics = {name: read_json(result("evaluate", name, "metrics.json")) for name in plan["methods"]}
    rows = [_row(name, metrics, accounts[name]) for name in plan["methods"]]

    def fill(folder: Path) -> None:
        artifacts.write_json(folder / "comparison.json", {"task": plan["task"], "rows": rows})
        with (folder / "comparison.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(rows)
        _figure(rows, plan["task"], folder / "accuracy_against_time.png")

    artifacts.write_folder(COMPARISON, fill)
    show()


def _row(name: str, metrics: dict[str, Any], account: dict[str, Any]) -> Row:
    full = metrics["full"]
    return {
        "method": name,
        "accuracy": metrics[name]["accuracy"],
        "accuracy_standard_error": metrics[name]["accuracy_standard_error"],
        "macro_f1": metrics[name]["macro_f1"],
        "examples_trained": account["counts"]["trained"],
        "examples_looked": account["counts"]["looked"],
        "cpu_seconds": account["measured_cpu_seconds"],
        "wall_seconds": account["spent"]["total"]["wall_seconds"],
        "selection_cpu_seconds": account["spent"]["selection"]["cpu_seconds"],
        "time_counted": account["time_counted"],
        "time_measured": account["time_measured"],
        "measured_over_counted": account["measured_over_counted"],
        "alpha_b": account["alpha_b"],
        "alpha_fb": account["alpha_fb"],
        "agot": agot(metrics[name]["accuracy"], full["base_accuracy"], full["accuracy"], account["time_measured"]),
        "energy_kwh": account["energy"]["kwh"],
        "energy_label": account["energy"]["label"],
        "co2e_kg": account["energy"]["co2e_kg"],
        "energy_modelled_kwh": account["energy_modelled"]["kwh"],
    }


def _figure(rows: list[Row], task: str, path: Path) -> None:
    """Draw accuracy against normalised time, with the Pareto front."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    points = [(r["time_measured"], r["accuracy"]) for r in rows]
    figure, axes = plt.subplots(figsize=(7, 4.5), layout="constrained")
    front = [points[i] for i in pareto_front(points)]
    axes.plot(*zip(*front, strict=True), "o-", color="0.75", markersize=14, zorder=1, label="Pareto front")
    for row, (time, accuracy) in zip(rows, points, strict=True):
        axes.errorbar(time, accuracy, yerr=row["accuracy_standard_error"], fmt="o", elinewidth=0.8, capsize=3, zorder=2)
        axes.annotate(row["method"], (time, accuracy), xytext=(5, 5), textcoords="offset points")
    axes.set_xlabel("normalised time (CPU seconds over those of full, warm-up and selection included)")
    axes.set_ylabel("test accuracy, with the standard error of the test split")
    axes.set_title(f"{task}: accuracy against time, one seed")
    axes.set_xlim(0, 1.15 * max(time for time, _ in points))
    axes.margins(y=0.15)
    axes.legend(loc="lower right")
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=120)
    plt.close(figure)


def show() -> None:
    """Print the comparison that was written last."""
    written = read_json(COMPARISON / "comparison.json")
    table = Table(title=f"{written['task']}: what selecting examples saved (warm-up and selection included)")
    heads = ("method", "accuracy", "trained", "CPU s", "T counted", "T measured", "AGOT")
    for head in (*heads, f"Wh {written['rows'][0]['energy_label']}"):
        table.add_column(head, justify="left" if head == "method" else "right")
    for row in written["rows"]:
        gain = "-" if row["agot"] is None else f"{row['agot']:.3f}"
        cells = (
            row["method"],
            f"{row['accuracy']:.4f} ± {row['accuracy_standard_error']:.4f}",
            f"{row['examples_trained']:,}",
            f"{row['cpu_seconds']:.1f}",
        )
        times = (f"{row['time_counted']:.2f}", f"{row['time_measured']:.2f}", gain)
        table.add_row(*cells, *times, f"{row['energy_kwh'] * 1000:.2f}")
    console = Console()
    console.width = console.width if console.is_terminal else 110
    console.print(table)
    console.print(f"written to {COMPARISON}/ (csv, json, figure); 'make ui' opens MLflow")


if __name__ == "__main__":
    main("compare", compare)
