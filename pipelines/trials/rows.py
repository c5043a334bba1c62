"""Rows of a study: one for each trial and seed, read from the trials' files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import TypeVar

from pydantic import JsonValue, TypeAdapter

from components.costs.halving import Role
from components.costs.savings import NAMED, Metric
from pipelines.config.plans import MethodPlan
from pipelines.core import artifacts
from pipelines.core.artifacts import read_numbers, result
from pipelines.costs.account import CostColumns, Gains
from pipelines.costs.records import CostRecord
from pipelines.costs.validation_curve import TimeTo, judged_in, time_to_columns
from pipelines.data.manifest import Manifest
from pipelines.trials import runner, study_folder
from pipelines.trials.controls import cost_had
from pipelines.trials.grid import Trial
from pipelines.trials.study_folder import StudyFolder

#: A row's values by column, as in tables and JSON.
Columns = dict[str, float | str | None]
Value = TypeVar("Value")


@dataclass(frozen=True)
class Head:
    """Columns that identify a trial, its name under ``cell``; settings as JSON."""

    cell: str
    role: Role
    method: str
    fraction: float | None
    settings: str

    @staticmethod
    def of(trial: Trial) -> Head:
        """Return the head of a ``trial``."""
        return Head(trial.name, trial.role, trial.method, trial.fraction, trial.settings_json)


@dataclass(frozen=True)
class Reached:
    """A trial's test metrics and counts of examples; None if it has no results.

    Attributes:
        score: the judging metric.
        standard_error: of the score, over the test examples.
        chance: the score of a constant prediction.
        above_chance: how far the model is surely above chance.
        loss: on the test split.
        examples_drawn: by training, over all epochs.
        examples_looked: those with a forward pass without gradient.
        examples_trained: those in a training step.
        others: the other metrics of classes by name, where another than the kind's own one judges.
    """

    score: float | None = None
    standard_error: float | None = None
    chance: float | None = None
    above_chance: float | None = None
    loss: float | None = None
    examples_drawn: int | None = None
    examples_looked: int | None = None
    examples_trained: int | None = None
    others: dict[str, float | None] = field(default_factory=dict, hash=False)

    def columns(self, metric: str) -> Columns:
        """Return the columns by name, those of the score named after ``metric``."""
        first = ("score", "standard_error", "chance")
        rest = {key: value for key, value in asdict(self).items() if key not in (*first, "others")}
        return {**dict(zip(_names(metric), (getattr(self, key) for key in first), strict=True)), **self.others, **rest}


def _others(found: Mapping[str, Value], metric: str) -> dict[str, Value]:
    """Return the other metrics of classes in ``found``, unless accuracy judges or there are no classes."""
    known = dict.fromkeys(name for names in NAMED.values() for name in names)
    if metric == "accuracy" or metric not in known:
        return {}
    return {name: found[name] for name in known if name != metric and name in found}


def _names(metric: str) -> tuple[str, str, str]:
    """Return the column names of a score, its standard error and its chance level."""
    return metric, f"{metric}_standard_error", f"chance_{metric}"


@dataclass(frozen=True)
class TrialRow:
    """Row of one trial with one seed.

    Attributes:
        head: columns that identify the trial.
        seed: of the training.
        planned_cost_epochs: in epochs over all data; None for a control whose trial has not run.
        cost_epochs: measured cost, in epochs over all data.
        metric: the judging metric.
        reached: test metrics and counts.
        costs: from its account.
        gains: AGOT, relative to ``full`` with the same seed.
        error: why it has no results; "" if it has.
        time_to: what it took until validation reached the task's ``time_to``; None if the task has none.
    """

    head: Head
    seed: int
    planned_cost_epochs: float | None
    cost_epochs: float | None
    metric: str
    reached: Reached
    costs: CostColumns
    gains: Gains
    error: str
    time_to: TimeTo | None = None

    @classmethod
    def of(cls, columns: Mapping[str, JsonValue], metric: str) -> TrialRow:
        """Return the row with these ``columns``.

        Raises:
            pydantic.ValidationError: if a column is missing or of another type.
        """
        score, error, chance = (columns.get(name) for name in _names(metric))
        reached = {**columns, "score": score, "standard_error": error, "chance": chance, "others": _others(columns, metric)}
        parts = {"head": columns, "reached": reached, "costs": columns, "gains": columns}
        return TypeAdapter(cls).validate_python({**columns, **parts, "metric": metric, "time_to": TimeTo.nested(columns)})

    @property
    def score(self) -> float | None:
        """The value of the judging metric."""
        return self.reached.score

    def columns(self) -> Columns:
        """Return the columns by name, in the order of the tables."""
        costs = {"planned_cost_epochs": self.planned_cost_epochs, "cost_epochs": self.cost_epochs}
        values = {**self.reached.columns(self.metric), **self.costs.columns(), **asdict(self.gains)}
        values |= time_to_columns(self.time_to)
        return {**asdict(self.head), "seed": self.seed, **costs, **values, "error": self.error}


def metric_of(study: StudyFolder) -> Metric:
    """Return the study's judging metric."""
    manifest = Manifest.read(study.path / study_folder.DATA / artifacts.MANIFEST)
    return Metric(manifest.metric, manifest.higher)


def collect(study: StudyFolder, metric: Metric, failed: dict[tuple[int, str], str]) -> list[TrialRow]:
    """Return a row for each seed and trial; without results it has the reason from ``failed``."""
    rows = [row for seed in study.seeds for row in _of_seed(study, seed, metric, failed)]
    names = dict.fromkeys(name for row in rows for name in row.reached.others)
    # A row without results has the same columns, empty.
    return [replace(r, reached=replace(r.reached, others={n: r.reached.others.get(n) for n in names})) for r in rows]


def _of_seed(study: StudyFolder, seed: int, metric: Metric, failed: dict[tuple[int, str], str]) -> list[TrialRow]:
    accounts = runner.account(study, seed)
    done = [c.name for c in study.grid.trials if study.is_done(seed, c.name)]
    tested = {name: _tested(study, seed, name, metric) for name in done}
    had = {name: cost_had(name, study.of(seed)) for name in done}
    base, full = _base(study, seed, metric) if "full" in done else None, tested.get("full", Reached()).score
    rows = []
    for trial in study.grid.trials:
        mine, costs = tested.get(trial.name, Reached()), CostColumns.of(accounts.get(trial.name))
        gains = Gains.of(mine.score, base, full, costs, study.grid.params.agot_epsilon, higher=metric.higher)
        reason = failed.get((seed, trial.name), "" if trial.name in tested else "not run")
        planned = _planned(study, seed, trial)
        reached = _reached(study, seed, trial.name if trial.name in tested else None, metric)
        cost = had.get(trial.name)
        rows.append(TrialRow(Head.of(trial), seed, planned, cost, metric.name, mine, costs, gains, reason, reached))
    return rows


def _reached(study: StudyFolder, seed: int, name: str | None, metric: Metric) -> TimeTo | None:
    """Return what the trial ``name`` took to the task's target, blank for None; None if the task has no target."""
    if (target := study.grid.params.chosen.time_to) is None:
        return None
    return TimeTo() if name is None else TimeTo.of(judged_in(name, study.of(seed)), metric, target)


def _planned(study: StudyFolder, seed: int, trial: Trial) -> float | None:
    """Return a trial's planned cost; None for a control whose trial has not run."""
    if not trial.after:
        return trial.cost
    path = study.of(seed) / artifacts.plan_of("methods", trial.name)
    return round(MethodPlan.read(path).planned_cost, 4) if path.exists() else None


def _tested(study: StudyFolder, seed: int, name: str, metric: Metric) -> Reached:
    root = study.of(seed)
    found = read_numbers(root / result("evaluate", name, "metrics.json"))
    counts = CostRecord.of_stage("train", name, root).counted
    score, error, chance = (found.get(key) for key in _names(metric.name))
    rest = (found.get("above_chance"), found.get("loss"), counts.drawn, counts.looked, counts.trained)
    return Reached(score, error, chance, *rest, _others(found, metric.name))


def _base(study: StudyFolder, seed: int, metric: Metric) -> float | None:
    """Return the score of the untrained model."""
    found = read_numbers(study.of(seed) / result("evaluate", "full", "metrics.json"))
    return found.get(f"base_{metric.name}")


def scores(rows: Iterable[TrialRow]) -> dict[tuple[str, int], float]:
    """Return the known scores by trial and seed."""
    return {(r.head.cell, r.seed): r.score for r in rows if r.score is not None}
