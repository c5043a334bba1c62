"""A study over several tasks as tables: all their rows under one head, and what each method gained on each task."""

from __future__ import annotations

import json
from typing import Any

from pipelines.grid import CONTROLS
from pipelines.params import Params

Row = dict[str, Any]
#: What of a task is told beside its name.
OPTIONS = ("limit", "long_tail", "duplicates", "label_noise", "stream")


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
    """Return a row a task and method: where it was best beside its controls, and in how many cells surely above both.

    A gain is that over the better of a cell's two controls, the mean over seeds of paired differences; of a method's cells
    that one is told whose gain is largest, of those that are above both controls if any is. It is chosen by the test split
    that it is told of.
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
    above = [r["above_both_controls"] for r in cells]
    known = [(bool(r["above_both_controls"]), *_lesser(r), place) for place, r in enumerate(cells) if _lesser(r)]
    counts = {"cells": len(cells), "above": None if None in above else sum(above)}
    if not known:
        empty = ("fraction", "settings", "score", "cost_epochs", "seeds", "control", *(f"gain{k}" for k in ENDS))
        return counts | {"above_both_controls": None} | dict.fromkeys(empty)
    _, _, control, place = max(known, key=lambda found: found[:2])
    best = cells[place]
    told = {key: best[key] for key in ("above_both_controls", "fraction", "settings")}
    told |= {"score": best[metric], "cost_epochs": best["cost_epochs"], "seeds": best["seeds"], "control": control}
    return counts | told | {f"gain{k}": best[f"gain_over_{control}{k}"] for k in ENDS}


#: What is told of a gain, by its columns' endings.
ENDS = ("", "_deviation", "_low", "_high", "_p")


def _lesser(row: Row) -> tuple[float, str] | tuple[()]:
    """Return a cell's gain over the better of its controls, and which that is; nothing where it has not run with both."""
    gains = [(row[f"gain_over_{control}"], control) for control in CONTROLS]
    return () if any(gain is None for gain, _ in gains) else min(gains)


def verdicts(rows: list[Row]) -> list[str]:
    """Return what may be said of each task: which methods are above both controls of their cost, and by how much."""
    return [f"{task}: {_verdict([r for r in rows if r['task'] == task])}" for task in dict.fromkeys(r["task"] for r in rows)]


def _verdict(rows: list[Row]) -> str:
    won = sorted((r for r in rows if r["above_both_controls"]), key=lambda r: -r["gain"])
    if won:
        return "; ".join(
            f"{r['method']} by {r['gain']:.4f} ({r['gain_low']:.4f} to {r['gain_high']:.4f}) over {r['control']}, "
            f"in {r['above']} of {r['cells']} cells"
            for r in won
        )
    if any(r["above"] is None for r in rows):
        return "too few seeds, or cells without results, to say"
    return "none"
