"""Joined tables of a study over several tasks, and the gains on each."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from pipelines.config.params import Params
from pipelines.report.study_verdict import best_of
from pipelines.trials.method_rows import GainOver, MethodRow, RatioOver
from pipelines.trials.rows import Columns, TrialRow
from pipelines.trials.study_tables import StudyTables

#: Keys of a task that are shown beside its name.
OPTIONS = ("limit", "long_tail", "duplicates", "label_noise", "stream")


@dataclass(frozen=True)
class RegimeRow:
    """A method's best trial on a task, beside its controls.

    Attributes:
        task: the study's task.
        of: the task that it is derived from.
        options: changes to its training split, as JSON.
        metric: the judging metric.
        full: the mean score of training on everything.
        method: its name in params.yaml.
        cells: number of its trials.
        above: number of trials that are surely above all controls; None if not known for each.
        best: the trial of the largest gain; None if no trial has a gain.
    """

    task: str
    of: str
    options: str
    metric: str
    full: float | None
    method: str
    cells: int
    above: int | None
    best: MethodRow | None

    @property
    def gain(self) -> GainOver:
        """The gain of the best trial over the best control at its cost."""
        return self.best.best_control.gain if self.best else GainOver()

    @property
    def cost_ratio(self) -> RatioOver:
        """The cost ratio of the best trial."""
        return self.best.cost_ratio if self.best else RatioOver()

    def columns(self) -> Columns:
        """Return the columns by name, in the order of the tables."""
        keys = ("task", "of", "options", "metric", "full", "method", "cells", "above")
        return {key: getattr(self, key) for key in keys} | self._of_best() | self.gain.columns("gain")

    def _of_best(self) -> Columns:
        def of(value: Callable[[MethodRow], float | str | None]) -> float | str | None:
            return value(self.best) if self.best else None

        cpu_ratio = self.best.cpu_ratio if self.best else RatioOver()
        return {
            "above_controls": of(lambda best: best.above_controls),
            "fraction": of(lambda best: best.fraction),
            "settings": of(lambda best: best.settings),
            "cost_epochs": of(lambda best: best.means.cost_epochs),
            "seeds": of(lambda best: best.seeds),
            **self.cost_ratio.columns("cost_ratio"),
            **cpu_ratio.columns("cpu_ratio"),
            "score": of(lambda best: best.means.score),
            "control": of(lambda best: best.best_control.control.cell),
        }


def joined(tables: Mapping[str, Sequence[MethodRow] | Sequence[TrialRow]]) -> list[Columns]:
    """Return the rows of all tasks with all their columns; missing values are None."""
    rows: list[Columns] = [{"task": task, **row.columns()} for task, table in tables.items() for row in table]
    keys = dict.fromkeys(key for row in rows for key in row)
    return [{key: row.get(key) for key in keys} for row in rows]


def options_of(params: Params) -> dict[str, JsonValue]:
    """Return the regime of the task: the changes to its training split."""
    task = params.chosen.model_dump(mode="json")
    return {key: task[key] for key in OPTIONS if task[key]}


def by_regime(written: dict[str, StudyTables], asked: dict[str, Params], bases: dict[str, str]) -> list[RegimeRow]:
    """Return a row for each task and method, with the method's best trial.

    A gain is over the best control at a trial's cost: the mean over seeds of paired differences. The best trial has the largest
    gain, among the trials above all controls if there are any. It is chosen by the same test scores that it is shown with.
    """
    rows = []
    for task, found in written.items():
        full = next(r for r in found.methods if r.method == "full").means.score
        options = json.dumps(options_of(asked[task]))
        for method in dict.fromkeys(r.method for r in found.methods if r.method != "full"):
            trials = [r for r in found.methods if r.method == method]
            above = [r.above_controls for r in trials]
            many = None if None in above else sum(map(bool, above))
            head = (task, bases[task], options, found.metric, full, method, len(trials), many)
            rows.append(RegimeRow(*head, best_of(trials)))
    return rows


def verdicts(rows: list[RegimeRow]) -> list[str]:
    """Return a line for each task: methods above the controls at their cost, with gains."""
    return [f"{task}: {_verdict([r for r in rows if r.task == task])}" for task in dict.fromkeys(r.task for r in rows)]


def _verdict(rows: list[RegimeRow]) -> str:
    won = [(r, r.best, gain) for r in rows if r.best and r.best.above_controls and (gain := r.gain.mean) is not None]
    if won:
        return "; ".join(
            f"{r.method} by {gain:.4f} ({r.gain.low:.4f} to {r.gain.high:.4f}) over {best.best_control.control.cell}, "
            f"in {r.above} of {r.cells} trials"
            for r, best, gain in sorted(won, key=lambda each: -each[2])
        )
    if any(r.above is None for r in rows):
        return "not known: too few seeds, or trials without results"
    return "none"
