"""Writes, publishes and prints the tables and report of a study."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.table import Table

from pipelines.config.params import Params
from pipelines.core import artifacts
from pipelines.core.artifacts import STUDY
from pipelines.costs.at_chance import chance_note
from pipelines.report import page as report_page
from pipelines.report.charts import against_time, to_png
from pipelines.study import across_tasks as regimes
from pipelines.study import tasks, tracking, tracking_by_regime
from pipelines.study.across_tasks import RegimeRow
from pipelines.study.console import log
from pipelines.study.report import by_regime as study_by_regime
from pipelines.study.report import page as study_page
from pipelines.trials.rows import Columns
from pipelines.trials.study_folder import StudyFolder
from pipelines.trials.study_summary import Column
from pipelines.trials.study_tables import StudyTables, tables_of


def publish(study: StudyFolder, task: str, failed: dict[tuple[int, str], str]) -> StudyTables:
    """Write, publish, print and return the tables of one task.

    Args:
        study: folder of the trials.
        task: of params.yaml, or of the study.
        failed: reasons of failed trials, by seed and name.
    """
    written = tables_of(study, task, failed)
    _write(study, written)
    tracking.publish(study, written)
    show(task)
    for (seed, name), reason in failed.items():
        log(f"{name}, seed {seed}: failed: {reason}")
    return written


def publish_across_tasks(
    read: Params, file: Path, asked: dict[str, Params], studies: dict[str, StudyFolder], written: dict[str, StudyTables]
) -> int:
    """Write, publish and print the joint tables of a study's tasks, if it names any.

    Args:
        read: params with the study.
        file: file that defines the study.
        asked: params of each task's study.
        studies: folder of each task's study.
        written: tables of each task, as ``publish`` returned them.

    Returns:
        How many trials failed.
    """
    if read.study is not None and read.study.tasks:
        rows = regimes.by_regime(written, asked, tasks.bases(read))
        folder = tasks.together(file)
        _write_together(folder, studies, written, rows)
        tracking_by_regime.publish(file, studies, rows)
        _show_together(folder, rows)
    return sum(len(found.failed) for found in written.values())


def _write(study: StudyFolder, written: StudyTables) -> None:
    tables = {
        "table": _as_in_the_paper({name: written.summary[name] for name in written.columns}),
        "study": [row.columns() for row in written.methods],
        "cells": [row.columns() for row in written.cells],
    }

    def fill(folder: Path) -> None:
        written.write(folder / "study.json")
        _write_tables(folder, tables)
        report_page.write(folder / "report.html", study_page.page(study, written))
        if series := study_page.series_of(written):
            to_png(against_time(series, f"test {written.metric}", written.higher_is_better), folder / "metric_against_time.png")

    artifacts.write_folder(STUDY / written.task, fill)


def _write_tables(folder: Path, tables: dict[str, list[Columns]]) -> None:
    for name, rows in tables.items():
        artifacts.write_csv(folder / f"{name}.csv", rows)
        artifacts.write_rows(folder / f"{name}.parquet", rows)


def _write_together(
    target: Path, studies: dict[str, StudyFolder], written: dict[str, StudyTables], rows: list[RegimeRow]
) -> None:
    """Write the joint tables of all tasks into the folder ``target``."""
    columns = [row.columns() for row in rows]
    methods = regimes.joined({task: found.methods for task, found in written.items()})
    trials = regimes.joined({task: found.cells for task, found in written.items()})

    def fill(folder: Path) -> None:
        _write_tables(folder, {"regimes": columns, "study": methods, "cells": trials})
        artifacts.write_json(folder / "regimes.json", columns)
        report_page.write(folder / "report.html", study_by_regime.page(studies, written, rows))

    artifacts.write_folder(target, fill)


def _as_in_the_paper(columns: dict[str, Column]) -> list[Columns]:
    """Return the rows of the paper's table, with a column for each method."""
    values: tuple[tuple[str, Callable[[Column], float | None]], ...] = (
        ("mean", lambda column: column.mean),
        ("deviation", lambda column: column.deviation),
        ("rank", lambda column: column.rank),
    )
    return [{"": name, **{head: of(column) for head, column in columns.items()}} for name, of in values]


def show(task: str) -> None:
    """Print the tables of ``task`` that were written last."""
    written = StudyTables.read(STUDY / task / "study.json")
    seeds = len(written.seeds)
    table = Table(title=f"{task}: means over fractions, and over {seeds} seed{'s' * (seeds > 1)}")
    for head in ("", written.metric, "mean rank"):
        table.add_column(head, justify="right" if head else "left")
    for name in written.columns:
        column = written.summary[name]
        table.add_row(name, report_page.with_error(column.mean, column.deviation), report_page.number(column.rank, 2))
    console = Console()
    console.print(table)
    for line in chance_note((r.method, r.means.above_chance) for r in written.methods):
        console.print(line, highlight=False)
    console.print(f"written to {STUDY / task}/ (csv, parquet, json, figure, report.html); 'make ui' opens MLflow")


def _show_together(folder: Path, rows: list[RegimeRow]) -> None:
    console = Console()
    console.print("methods above the best control at their own cost, by regime:")
    for verdict in regimes.verdicts(rows):
        console.print(f"  {verdict}", highlight=False)
    console.print(f"written to {folder}/ (csv, parquet, json, report.html)")
