"""Label sets as found: lists, or texts that a separator divides."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from components.arrays import Array
from pipelines.config.plans import TaskPlan
from pipelines.core.errors import UserError
from pipelines.data.class_names import classes_of


def label_sets(values: Sequence[object] | Array, known: list[str] | None, task: TaskPlan) -> tuple[Array, list[str], int]:
    """Return which classes each row has ``(N, C)`` uint8, the class names, and the number of labels changed by NFC.

    Args:
        values: ``(N,)`` as found; none, an empty list or an empty text has no class.
        known: names of the classes by code, if the source has them.
        task: as planned.

    Raises:
        UserError: naming the id of the first value that is no set of labels.
    """
    sets = [_labels(value, row, task) for row, value in enumerate(values)]
    sizes, flat = [len(each) for each in sets], [label for each in sets for label in each]
    if not flat:
        raise UserError(f"{task.name}: no row has a label")
    if known is None:
        index, names, composed = classes_of(np.array([str(label) for label in flat]), task.name)
    else:
        index, names, composed = _codes(flat, np.repeat(np.arange(len(sets)), sizes), known, task), known, 0
    found = np.zeros((len(sets), len(names)), np.uint8)
    found[np.repeat(np.arange(len(sets)), sizes), index] = 1
    return found, names, composed


def _labels(value: object, row: int, task: TaskPlan) -> list[object]:
    """Return the labels of the row of id ``row``."""
    if value is None:
        return []
    if isinstance(value, str) and task.separator is not None:
        return [label for part in value.split(task.separator) if (label := part.strip())]
    if isinstance(value, list | tuple | np.ndarray) and task.separator is None:
        bad = next((label for label in value if isinstance(label, bool) or not isinstance(label, str | int | np.integer)), 0)
        if not isinstance(bad, str | int | np.integer) or isinstance(bad, bool):
            raise UserError(f"{task.name}: labels of id {row} must be texts or whole numbers, got {bad!r}")
        return list(value)
    where = f"params.yaml: tasks.{task.name}.separator"
    if isinstance(value, str):
        raise UserError(f"{where}: must be set, since labels are texts, got {value!r} of id {row}; one that works: ','")
    hint = "leave separator out" if isinstance(value, list | tuple | np.ndarray) else "'predicts: class' learns one class a row"
    raise UserError(f"{where}: labels must be texts with a separator, or lists without, got {value!r} of id {row}; {hint}")


def _codes(flat: list[object], rows: Array, known: list[str], task: TaskPlan) -> Array:
    """Return codes of ``known`` classes, checked."""
    for label, row in zip(flat, rows, strict=True):
        if not isinstance(label, int | np.integer) or not 0 <= label < len(known):
            raise UserError(f"{task.name}: labels of id {row} must be in [0, {len(known) - 1}], got {label!r}")
    return np.array(flat, np.int64)
