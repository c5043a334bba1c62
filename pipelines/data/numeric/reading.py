"""Numbers as found: one a row, or several."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeGuard

import numpy as np

from components.arrays import Array
from components.tasks.column_encoding import spread
from pipelines.config.plans import TaskPlan
from pipelines.core.errors import UserError

#: The largest float32.
LARGEST = float(np.finfo(np.float32).max)
#: Share of values allowed as outliers, and the least deviation of the others, in standard deviations of all values.
FAR, LEAST_SPREAD = 0.01, 1e-5


def numbers(values: Sequence[object] | Array, what: str) -> Array:
    """Return ``values`` as float64; ``what`` names them in errors.

    Raises:
        UserError: naming the first id without a finite number in the range of float32.
    """
    if isinstance(values, np.ndarray) and values.dtype.kind in "iuf":
        found = values.astype(np.float64)
    else:
        found = np.array([_number(value) for value in values])
    if (large := np.flatnonzero(np.isfinite(found) & (np.abs(found) > LARGEST))).size:
        raise UserError(f"{what} of id {large[0]} must be within +-{LARGEST:.3g}, which float32 holds, got {found[large[0]]:g}")
    if (bad := np.flatnonzero(~np.isfinite(found))).size:
        got = values[bad[0]]
        hole = got is None or got == ""
        raise UserError(f"{what} of id {bad[0]} must be a finite number, got {'none' if hole else repr(_plain(got))}")
    return found


def check_scale(values: Array, ids: Array, what: str) -> None:
    """Refuse numbers with outliers so far away that all others are nearly equal once standardised.

    Args:
        values: ``(N,)``.
        ids: of the values that set mean and deviation.
        what: name of the values, for the error.

    Raises:
        UserError: naming the id of the farthest outlier.
    """
    mean, deviation = spread(values[ids])
    far = np.abs(values[ids] - mean) / deviation
    order = np.argsort(far)
    near = values[ids][order[: len(ids) - max(1, int(FAR * len(ids)))]]
    if len(near) > 1 and 0 < near.std() < LEAST_SPREAD * deviation:
        worst = ids[order[-1]]
        raise UserError(
            f"{what} of id {worst} must be nearer to the others, got {values[worst]:g}: {len(near)} of {len(ids)} lie within "
            f"{near.std() / deviation:.1g} standard deviations, too close to distinguish; correct it, or take logarithms"
        )


def _number(value: object) -> float:
    # Python reads 1_000 as 1000, which data files do not mean.
    if value is None or isinstance(value, bool) or (isinstance(value, str) and "_" in value):
        return math.nan
    try:
        return float(value)  # type: ignore[arg-type]  # it refuses other types
    except (TypeError, ValueError):
        return math.nan


def _plain(value: object) -> object:
    return value.item() if isinstance(value, np.generic) else value


def number_lists(rows: Sequence[object] | Array, task: TaskPlan) -> tuple[Array, list[str]]:
    """Return the numbers of each row ``(N, K)`` float64, and their names.

    They are named after their columns or, of one column of lists, after its name and their place from 0.

    Args:
        rows: ``(N,)`` lists of K numbers, as found.
        task: as planned.

    Raises:
        UserError: naming the id of the first row that has not K numbers, or the id and name of one that is not finite.
    """
    label = task.columns.label
    names = label if isinstance(label, list) else [f"{label}.{place}" for place in range(_width(rows, task))]
    lists: list[Sequence[object]] = []
    for row, values in enumerate(rows):
        if not _is_list(values) or len(values) != len(names):
            got = f"{len(values)}" if _is_list(values) else repr(values)
            raise UserError(f"{task.name}: {label} of id {row} must be a list of {len(names)} numbers, as id 0 has, got {got}")
        lists.append(values)
    columns = [numbers([values[k] for values in lists], f"{task.name}: {name}") for k, name in enumerate(names)]
    return np.stack(columns, axis=1), names


def _width(rows: Sequence[object] | Array, task: TaskPlan) -> int:
    """Return the length of the first list."""
    first = rows[0]
    if _is_list(first) and len(first) > 1:
        return len(first)
    where = f"params.yaml: tasks.{task.name}.columns.label"
    if _is_list(first):
        raise UserError(
            f"{where}: lists must have 2 numbers or more, got {len(first)}; of one, name its column, 'predicts: number'"
        )
    raise UserError(f"{where}: must hold lists of numbers, got {first!r} of id 0; or name a column for each, [first, second]")


def _is_list(value: object) -> TypeGuard[Sequence[object]]:
    return isinstance(value, list | tuple | np.ndarray)
