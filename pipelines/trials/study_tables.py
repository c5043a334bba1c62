"""Tables of a study: the content of study.json."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from pydantic import JsonValue, TypeAdapter

from components.costs.savings import Metric
from pipelines.core.records import Record
from pipelines.trials.grid import Grid
from pipelines.trials.method_rows import MethodRow, Spread
from pipelines.trials.rows import Columns, Head, TrialRow, collect, metric_of
from pipelines.trials.study_folder import StudyFolder
from pipelines.trials.study_summary import Column, by_method, summary, with_scores

#: The spreads of a point that have the same names as in a trial's row.
SPREADS = ("cost_epochs", "time_measured", "time_counted", "agot")


@dataclass(frozen=True)
class Point:
    """A trial's point in a chart: means and deviations over seeds."""

    head: Head
    metric: str
    score: Spread
    cost_epochs: Spread
    time_measured: Spread
    time_counted: Spread
    agot: Spread

    @classmethod
    def of(cls, columns: Mapping[str, JsonValue], metric: str) -> Point:
        """Return the point with these ``columns``.

        Raises:
            pydantic.ValidationError: if a column is missing or of another type.
        """
        spreads = {name: Spread.nested(columns, name) for name in SPREADS}
        parts = {"head": columns, "metric": metric, "score": Spread.nested(columns, metric)}
        return TypeAdapter(cls).validate_python(parts | spreads)

    def columns(self) -> Columns:
        """Return the columns by name."""
        row = asdict(self.head) | self.score.columns(self.metric)
        for name in SPREADS:
            row |= getattr(self, name).columns(name)
        return row


class _Facts(Record):
    task: str
    metric: str
    higher_is_better: bool
    seeds: list[int]
    agot_epsilon: float
    columns: list[str]
    summary: dict[str, Column]


class _Flat(_Facts):
    """The tables in their written form, rows as values by column."""

    methods: list[dict[str, JsonValue]]
    cells: list[dict[str, JsonValue]]
    points: list[dict[str, JsonValue]]


class StudyTables(_Facts):
    """Results of the study of a task; AGOT has epsilon ``agot_epsilon``.

    Attributes:
        methods: a row for each method, fraction and setting, with its controls.
        cells: a row for each trial and seed.
        points: a point for each trial.
        columns: order of the columns of ``summary``.
        summary: the paper's table by column.
    """

    methods: list[MethodRow]
    cells: list[TrialRow]
    points: list[Point]

    @classmethod
    def of(cls, value: object) -> StudyTables:
        """Return the tables from their written form.

        Raises:
            pydantic.ValidationError: if a key is unknown, missing or of another type.
        """
        flat = _Flat.of(value)
        tables = {
            "methods": [MethodRow.of(row, flat.metric) for row in flat.methods],
            "cells": [TrialRow.of(row, flat.metric) for row in flat.cells],
            "points": [Point.of(row, flat.metric) for row in flat.points],
        }
        return cls(**vars(flat) | tables)

    def dumped(self) -> dict[str, object]:
        """Return the tables in their written form."""
        tables = {name: [row.columns() for row in getattr(self, name)] for name in ("methods", "cells", "points")}
        return {**self.model_dump(mode="json", exclude=set(tables)), **tables}

    @property
    def failed(self) -> list[TrialRow]:
        """The rows of trials without results."""
        return [row for row in self.cells if row.error]


def tables_of(study: StudyFolder, task: str, failed: dict[tuple[int, str], str]) -> StudyTables:
    """Return the tables of a study; ``failed`` has reasons by seed and name."""
    metric, grid = metric_of(study), study.grid
    rows = collect(study, metric, failed)
    columns = summary(rows, grid, metric)
    return StudyTables(
        task=task,
        metric=metric.name,
        higher_is_better=metric.higher,
        seeds=list(study.seeds),
        agot_epsilon=grid.params.agot_epsilon,
        columns=list(columns),
        summary=columns,
        methods=by_method(rows, grid, metric),
        cells=rows,
        points=points(rows, grid, metric),
    )


def points(rows: list[TrialRow], grid: Grid, metric: Metric) -> list[Point]:
    """Return the point of every trial."""
    return [_point(Head.of(trial), with_scores(rows, trial.name), metric) for trial in grid.trials]


def _point(head: Head, mine: list[TrialRow], metric: Metric) -> Point:
    return Point(
        head=head,
        metric=metric.name,
        score=Spread.of(r.score for r in mine),
        cost_epochs=Spread.of(r.cost_epochs for r in mine),
        time_measured=Spread.of(r.costs.time_measured for r in mine),
        time_counted=Spread.of(r.costs.time_counted for r in mine),
        agot=Spread.of(r.gains.agot for r in mine),
    )
