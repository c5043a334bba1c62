"""Rows of a comparison: the content of comparison.json and comparison.csv."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from pydantic import JsonValue, TypeAdapter

from pipelines.core.artifacts import COMPARISON, HERE
from pipelines.core.records import Record
from pipelines.costs.account import CostColumns, Gains
from pipelines.costs.validation_curve import TimeTo, time_to_columns


@dataclass(frozen=True)
class ComparisonRow:
    """A method's metrics and costs.

    Attributes:
        method: its name in params.yaml.
        metric: the judging metric, one of ``metrics``.
        metrics: metrics of the trained model on the test split, by name.
        examples_trained: over the whole run.
        examples_looked: looked at without a step, over the whole run.
        time_to: what it took until validation reached the task's ``time_to``; None if the task has none.
    """

    method: str
    metric: str
    metrics: dict[str, float]
    examples_trained: int
    examples_looked: int
    costs: CostColumns
    gains: Gains
    time_to: TimeTo | None = None

    @classmethod
    def of(cls, columns: Mapping[str, JsonValue], metric: str) -> ComparisonRow:
        """Return the row with these ``columns``; every column of another name is a metric.

        Raises:
            pydantic.ValidationError: if a column is missing or of another type.
        """
        own: dict[str, JsonValue] = {key: columns[key] for key in OWN if key in columns}
        costs, gains = ({f.name: columns[f.name] for f in fields(kind) if f.name in columns} for kind in (CostColumns, Gains))
        reached = TimeTo.nested(columns)
        known = {*own, *costs, *gains, *time_to_columns(None if reached is None else TimeTo())}
        metrics = {key: value for key, value in columns.items() if key not in known}
        parts = {"metric": metric, "metrics": metrics, "costs": costs, "gains": gains, "time_to": reached}
        return ROW.validate_python({**own, **parts})

    @property
    def score(self) -> float:
        """The value of the judging metric."""
        return self.metrics[self.metric]

    @property
    def standard_error(self) -> float | None:
        """The standard error of the score over the test examples; None if not known."""
        return self.metrics.get(f"{self.metric}_standard_error")

    @property
    def chance(self) -> float | None:
        """The score of a constant prediction; None if not known."""
        return self.metrics.get(f"chance_{self.metric}")

    @property
    def above_chance(self) -> float | None:
        """How far the model is surely above chance; None if not known."""
        return self.metrics.get("above_chance")

    @property
    def time_measured(self) -> float:
        """The CPU seconds of the run, relative to ``full``."""
        return _known(self.costs.time_measured)

    @property
    def time_counted(self) -> float:
        """The counted seconds of the run's passes, relative to ``full``."""
        return _known(self.costs.time_counted)

    def columns(self) -> dict[str, float | str | None]:
        """Return the columns by name, in the order of the table."""
        counts = {key: getattr(self, key) for key in COUNTS}
        values = {**self.metrics, **counts, **self.costs.columns(), **asdict(self.gains)}
        return {"method": self.method, **values, **time_to_columns(self.time_to)}


COUNTS = ("examples_trained", "examples_looked")
#: The columns that are neither metrics nor costs.
OWN = ("method", *COUNTS)
ROW = TypeAdapter(ComparisonRow)


def _known(cost: float | None) -> float:
    assert cost is not None, "each method of a comparison has an account"
    return cost


class _Flat(Record):
    """The comparison as it is written: each row is flat, with metrics and costs as columns."""

    task: str
    metric: str
    agot_epsilon: float
    rows: list[dict[str, JsonValue]]


class Comparison(Record):
    """The rows of all planned methods of a ``task``; AGOT has epsilon ``agot_epsilon``."""

    task: str
    metric: str
    agot_epsilon: float
    rows: list[ComparisonRow]

    @classmethod
    def of(cls, value: object) -> Comparison:
        """Return the comparison from its written form, in which rows are flat.

        Raises:
            pydantic.ValidationError: if a key is unknown, missing or of another type.
        """
        flat = _Flat.of(value)
        rows = [ComparisonRow.of(row, flat.metric) for row in flat.rows]
        return cls(task=flat.task, metric=flat.metric, agot_epsilon=flat.agot_epsilon, rows=rows)

    @classmethod
    def written(cls, root: Path = HERE) -> Comparison:
        """Read the comparison that was written last in ``root``.

        Raises:
            UserError: if there is none.
        """
        return cls.read(root / COMPARISON / "comparison.json")

    def dumped(self) -> dict[str, object]:
        """Return the comparison in its written form."""
        rows = [row.columns() for row in self.rows]
        return {"task": self.task, "metric": self.metric, "agot_epsilon": self.agot_epsilon, "rows": rows}
