"""Joined tables of a study over several tasks, and the gains on each."""

from __future__ import annotations

import json

from pipelines.config.params import Params
from pipelines.trials.method_rows import ENDS
from pipelines.trials.rows import Row

#: What of a task is told beside its name.
OPTIONS = ("limit", "long_tail", "duplicates", "label_noise", "stream")
#: What is told of a method's best cell, beside its score and its gain.
TOLD = (
    "above_controls", "fraction", "settings", "cost_epochs", "seeds",
    *(f"{ratio}{end}" for ratio in ("cost_ratio", "cpu_ratio") for end in ("", "_low", "_high", "_bound")),
)  # fmt: skip


def joined(written: dict[str, Row], table: str) -> list[Row]:
    """Return the rows of ``table`` of all tasks under the columns that any has, the task first; None where it has not.

    Args:
        written: by task, what the JSON of its study holds.
        table: "methods" or "cells".
    """
    rows = [{"task": task, **row} for task, found in written.items() for row in found[table]]
    keys = dict.fromkeys(key for row in rows for key in row)
    return [{key: row.get(key) for key in keys} for row in rows]


def options_of(params: Params) -> Row:
    """Return the regime of the task: what its training split was made into."""
    task = params.chosen.model_dump(mode="json")
    return {key: task[key] for key in OPTIONS if task[key]}


def by_regime(written: dict[str, Row], asked: dict[str, Params], bases: dict[str, str]) -> list[Row]:
    """Return a row a task and method: where it was best beside its controls, and in how many cells surely above all of them.

    A gain is that over the best control at a cell's cost, the mean over seeds of paired differences; of a method's cells that
    one is told whose gain is largest, of those that are above all controls if any is. It is chosen by the test split that it
    is told of.
    """
    rows: list[Row] = []
    for task, found in written.items():
        full = next(r for r in found["methods"] if r["method"] == "full")[found["metric"]]
        head = {"task": task, "of": bases[task], "options": json.dumps(options_of(asked[task])), "metric": found["metric"]}
        for method in dict.fromkeys(r["method"] for r in found["methods"] if r["method"] != "full"):
            cells = [r for r in found["methods"] if r["method"] == method]
            rows.append(head | {"full": full, "method": method} | _told(cells, found["metric"]))
    return rows


def _told(cells: list[Row], metric: str) -> Row:
    above = [r["above_controls"] for r in cells]
    known = [r for r in cells if r["gain_over_best_control"] is not None]
    counts = {"cells": len(cells), "above": None if None in above else sum(above)}
    gains = {f"gain{end}": f"gain_over_best_control{end}" for end in ENDS}
    columns = {key: key for key in TOLD} | {"score": metric, "control": "best_control_cell", **gains}
    if not known:
        return counts | dict.fromkeys(columns)
    best = max(known, key=lambda r: (bool(r["above_controls"]), r["gain_over_best_control"]))
    return counts | {key: best[column] for key, column in columns.items()}


def verdicts(rows: list[Row]) -> list[str]:
    """Return what may be said of each task: which methods are above the controls of their cost, and by how much."""
    return [f"{task}: {_verdict([r for r in rows if r['task'] == task])}" for task in dict.fromkeys(r["task"] for r in rows)]


def _verdict(rows: list[Row]) -> str:
    won = sorted((r for r in rows if r["above_controls"]), key=lambda r: -r["gain"])
    if won:
        return "; ".join(
            f"{r['method']} by {r['gain']:.4f} ({r['gain_low']:.4f} to {r['gain_high']:.4f}) over {r['control']}, "
            f"in {r['above']} of {r['cells']} cells"
            for r in won
        )
    if any(r["above"] is None for r in rows):
        return "too few seeds, or cells without results, to say"
    return "none"
