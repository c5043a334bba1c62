"""Writes, publishes and prints the tables and report of a study."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.table import Table

from pipelines.config.params import Params
from pipelines.core import artifacts
from pipelines.core.artifacts import STUDY, read_json
from pipelines.costs.columns import chance_note
from pipelines.report import page as report_page
from pipelines.report.charts import against_time, to_png
from pipelines.study import by_regime as regimes
from pipelines.study import tasks, tracking, tracking_by_regime
from pipelines.study.console import say
from pipelines.study.report import by_regime as study_by_regime
from pipelines.study.report import page as study_page
from pipelines.trials.folder import Place
from pipelines.trials.method_rows import by_method, points
from pipelines.trials.rows import Row, collect, metric_of
from pipelines.trials.summary import summary


def tell(place: Place, task: str, failed: dict[tuple[int, str], str]) -> Row:
    """Write the tables of the study of one task, publish and print them, and return what its JSON holds.

    Args:
        place: where the cells are.
        task: of params.yaml, or of the study.
        failed: why cells did not end well, by seed and name.
    """
    written = _write(place, task, failed)
    tracking.publish(place, written)
    show(task)
    for (seed, name), reason in failed.items():
        say(f"{name}, seed {seed}: failed: {reason}")
    return written


def tell_together(read: Params, file: Path, asked: dict[str, Params], places: dict[str, Place], written: dict[str, Row]) -> int:
    """Write, publish and print what the tasks of a study have together, where it names any; return how many cells failed.

    Args:
        read: the params that name the study.
        file: which says what the study is.
        asked: by task, the params of its study.
        places: by task.
        written: by task, what ``tell`` returned.
    """
    if read.study is not None and read.study.tasks:
        rows = regimes.by_regime(written, asked, tasks.bases(read))
        folder = tasks.together(file)
        _write_together(folder, places, written, rows)
        tracking_by_regime.publish(file, places, rows)
        _show_together(folder, rows)
    return sum(bool(row["error"]) for found in written.values() for row in found["cells"])


def _write(place: Place, task: str, failed: dict[tuple[int, str], str]) -> Row:
    """Write the tables of the study, and return what its JSON holds."""
    metric = metric_of(place)
    rows = collect(place, metric, failed)
    methods = by_method(rows, place.grid, metric)
    facts = {"task": task, "metric": metric.name, "higher_is_better": metric.higher, "seeds": list(place.seeds)}
    facts["agot_epsilon"] = place.grid.params.agot_epsilon
    columns = summary(rows, place.grid, metric)
    written = {**facts, "columns": list(columns), "summary": columns, "methods": methods, "cells": rows}
    written["points"] = points(rows, place.grid, metric)

    def fill(folder: Path) -> None:
        artifacts.write_json(folder / "study.json", written)
        _write_tables(folder, {"table": _as_in_the_paper(columns), "study": methods, "cells": rows})
        report_page.write(folder / "report.html", study_page.page(place, written))
        if series := study_page.series_of(written):
            to_png(against_time(series, f"test {metric.name}", metric.higher), folder / "metric_against_time.png")

    artifacts.write_folder(STUDY / task, fill)
    return written


def _write_tables(folder: Path, tables: dict[str, list[Row]]) -> None:
    for name, rows in tables.items():
        artifacts.write_csv(folder / f"{name}.csv", rows)
        artifacts.write_rows(folder / f"{name}.parquet", rows)


def _write_together(target: Path, places: dict[str, Place], written: dict[str, Row], rows: list[Row]) -> None:
    """Write the tables of all tasks as one, into the folder ``target``."""
    tables = {"regimes": rows, "study": regimes.joined(written, "methods")}

    def fill(folder: Path) -> None:
        _write_tables(folder, tables | {"cells": regimes.joined(written, "cells")})
        artifacts.write_json(folder / "regimes.json", rows)
        report_page.write(folder / "report.html", study_by_regime.page(places, written, rows))

    artifacts.write_folder(target, fill)


def _as_in_the_paper(columns: Row) -> list[Row]:
    """Return the rows of the paper's tables, under one column a method."""
    return [{"": value, **{name: column[value] for name, column in columns.items()}} for value in ("mean", "deviation", "rank")]


def show(task: str) -> None:
    """Print the study of ``task`` that was written last."""
    written = read_json(STUDY / task / "study.json")
    seeds = written["seeds"]
    table = Table(title=f"{task}: means over fractions, and over {len(seeds)} seed{'s' * (len(seeds) > 1)}")
    for head in ("", written["metric"], "mean rank"):
        table.add_column(head, justify="right" if head else "left")
    for name in written["columns"]:
        column = written["summary"][name]
        table.add_row(name, report_page.with_error(column["mean"], column["deviation"]), report_page.number(column["rank"], 2))
    console = Console()
    console.print(table)
    for line in chance_note(written["methods"]):
        console.print(line, highlight=False)
    console.print(f"written to {STUDY / task}/ (csv, parquet, json, figure, report.html); 'make ui' opens MLflow")


def _show_together(folder: Path, rows: list[Row]) -> None:
    console = Console()
    console.print("above the best control of their own cost, by regime:")
    for verdict in regimes.verdicts(rows):
        console.print(f"  {verdict}", highlight=False)
    console.print(f"written to {folder}/ (csv, parquet, json, report.html)")
