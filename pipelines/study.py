"""study: a grid of methods, kept fractions and seeds, cell by cell, and the table of their means."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from rich.console import Console
from rich.table import Table

from pipelines import (
    artifacts,
    cells,
    layout,
    params,
    report,
    report_regimes,
    report_study,
    study_regimes,
    study_tasks,
    tracking_regimes,
    tracking_study,
)
from pipelines.artifacts import STUDY, read_json
from pipelines.cells import Place
from pipelines.figures import against_time, to_png
from pipelines.grid import grid_of
from pipelines.stage import FAILED, main
from pipelines.study_table import Row, by_method, collect, metric_of, points, summary


def study(over: str | None = None) -> int:
    """Run what is missing of the study, write its tables, and return the exit status.

    Args:
        over: a file whose keys stand in the place of those of params.yaml.
    """
    file = Path(over) if over else params.FILE
    read = params.load(over=Path(over) if over else None)
    asked = study_tasks.each(read, file)
    places = {task: layout.lay_out(p, grid_of(p)) for task, p in asked.items()}
    with _one_server(any(place.missing() for place in places.values())):
        written = {task: _one(place, task) for task, place in places.items()}
    if read.study is not None and read.study.tasks:
        rows = study_regimes.by_regime(written, asked, study_tasks.bases(read))
        _write_together(places, written, rows)
        tracking_regimes.publish(str(file), places, rows)
        _show_together(rows)
    return FAILED if any(r["error"] for found in written.values() for r in found["cells"]) else 0


def _one_server(needed: bool) -> AbstractContextManager[None]:
    """Return what gives all flows of this process the same Prefect server: its client keeps to the first one that it met."""
    if not needed:
        return nullcontext()
    # Prefect takes two seconds to import: not where there is nothing to do; and the flow's settings must be there before it.
    import pipelines.flow  # noqa: F401
    from pipelines.server import server

    return server()


def _one(place: Place, task: str) -> Row:
    """Run what is missing of the study of one task, and return what its JSON holds."""
    missing = place.missing()
    failed = _run(place, missing, task) if missing else {}
    if not missing:
        _say(f"{task}: nothing had changed; these are the cells that were run before")
    written = _write(place, task, failed)
    tracking_study.publish(place, written)
    show(task)
    for (seed, name), reason in failed.items():
        _say(f"{name}, seed {seed}: failed: {reason}")
    return written


def _run(place: Place, missing: list[tuple[int, str]], task: str) -> dict[tuple[int, str], str]:
    from pipelines.flow import run_study

    _say(f"{len(missing)} of {len(place.seeds) * len(place.grid.cells)} cells to run on {task}")
    return run_study(missing, _told(place, missing))


def _told(place: Place, missing: list[tuple[int, str]]) -> Callable[[int, str], None]:
    """Return what runs a cell and says so, with the time that is left if all cells went at the speed so far."""
    cost = {cell: place.grid[cell[1]].cost for cell in missing}
    begun, seen = time.monotonic(), set[tuple[int, str]]()

    def work(seed: int, name: str) -> None:
        seen.add((seed, name))
        started = time.monotonic()
        cells.run(place, seed, name)
        done = sum(cost[cell] for cell in seen)
        left = (time.monotonic() - begun) / done * (sum(cost.values()) - done)
        rest = f"{left / 60:.0f} min" if left > 90 else f"{left:.0f} s"
        _say(f"{len(seen)}/{len(missing)}: {name}, seed {seed}: {time.monotonic() - started:.1f} s, about {rest} left")

    return work


def _say(text: str) -> None:
    sys.stderr.write(f"winnow study: {text}\n")


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
        report.write(folder / "report.html", report_study.page(place, written))
        if series := report_study.series_of(written):
            to_png(against_time(series, f"test {metric.name}", metric.higher), folder / "metric_against_time.png")

    artifacts.write_folder(STUDY / task, fill)
    return written


def _write_tables(folder: Path, tables: dict[str, list[Row]]) -> None:
    for name, rows in tables.items():
        artifacts.write_csv(folder / f"{name}.csv", rows)
        artifacts.write_rows(folder / f"{name}.parquet", rows)


def _write_together(places: dict[str, Place], written: dict[str, Row], rows: list[Row]) -> None:
    """Write the tables of all tasks as one."""
    tables = {"regimes": rows, "study": study_regimes.joined(written, "methods")}

    def fill(folder: Path) -> None:
        _write_tables(folder, tables | {"cells": study_regimes.joined(written, "cells")})
        artifacts.write_json(folder / "regimes.json", rows)
        report.write(folder / "report.html", report_regimes.page(places, written, rows))

    artifacts.write_folder(STUDY / study_tasks.TOGETHER, fill)


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
        table.add_row(name, report.with_error(column["mean"], column["deviation"]), report.number(column["rank"], 2))
    console = Console()
    console.print(table)
    console.print(f"written to {STUDY / task}/ (csv, parquet, json, figure, report.html); 'make ui' opens MLflow")


def _show_together(rows: list[Row]) -> None:
    console = Console()
    console.print("above both controls of their own cost, by regime:")
    for verdict in study_regimes.verdicts(rows):
        console.print(f"  {verdict}", highlight=False)
    console.print(f"written to {STUDY / study_tasks.TOGETHER}/ (csv, parquet, json, report.html)")


if __name__ == "__main__":
    main("study", study, file=True)
