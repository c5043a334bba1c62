"""By class: how much of each was trained on, and how good each model is on each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from components.arrays import Array
from pipelines.report import Section, Table, number
from pipelines.report_runs import Run, prepared

#: Classes that are shown, the largest of the training split first.
MOST = 20


def of_comparison(runs: Sequence[Run], manifest: dict[str, Any], epochs: int) -> list[Section]:
    """Return both tables of the methods' ``runs``; none where there are no classes.

    Args:
        runs: the methods'.
        manifest: of the data.
        epochs: in which full trains on everything.
    """
    if not (names := manifest["classes"]):
        return []
    label, target = prepared("train")["label"].to_numpy(), runs[0].predictions["target"]
    sizes, tested = (np.bincount(each, minlength=len(names)) for each in (label, target))
    shown = np.argsort(-sizes, kind="stable")[:MOST]
    cut = f" The {MOST} largest of {len(sizes)} classes." if len(sizes) > MOST else ""
    trained = [np.bincount(label, run.ledger["trained"], len(names)) / epochs for run in runs]
    right = [np.bincount(target, run.predictions["predicted"] == target, len(names)) for run in runs]
    heads = [run.name for run in runs]
    passes = f"The share, in %, of the passes over each class, {epochs} an example, that were trained.{cut}"
    tests = f"The share, in %, of the test examples of each class that were predicted right.{cut}"
    return [
        Section("Trained, by class", [passes], Table(["class", "examples", *heads], _rows(names, shown, sizes, trained))),
        Section("Accuracy, by class", [tests], Table(["class", "test", *heads], _rows(names, shown, tested, right))),
    ]


def _rows(names: Sequence[str], shown: Array, sizes: Array, parts: Sequence[Array]) -> list[list[str]]:
    """Return a row for each class ``shown``, and one for all classes, with what each of ``parts`` is of ``sizes``, in %."""
    rows = [[names[c], number(sizes[c], 0), *(_percent(p[c], sizes[c]) for p in parts)] for c in map(int, shown)]
    return [*rows, ["all", number(sizes.sum(), 0), *(_percent(p.sum(), sizes.sum()) for p in parts)]]


def _percent(part: float, whole: float) -> str:
    return number(100 * part / whole if whole else None, 1)
