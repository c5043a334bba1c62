"""Splits that keep groups of rows together."""

from __future__ import annotations

import numpy as np

from components.arrays import Array
from pipelines.config.plans import TaskPlan
from pipelines.core.errors import UserError


def drawn(ids: Array, size: int, group: Array | None, rng: np.random.Generator, where: str) -> tuple[Array, int]:
    """Return ``ids`` ``(N,)`` in a random order, and how many of the first of them are cut off.

    With ``group`` ``(rows,)``, names by id, groups are shuffled in place of rows, and so many of them cut off whole that they
    have ``size`` rows or more.

    Raises:
        UserError: if that would be all groups; the message starts with ``where``.
    """
    if group is None:
        return rng.permutation(ids), size
    _, index, sizes = np.unique(group[ids], return_inverse=True, return_counts=True)
    order = rng.permutation(len(sizes))
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    ends = np.cumsum(sizes[order])
    cut = int(ends[np.searchsorted(ends, size)])
    if cut == len(ids):
        most = int(ends[-2]) if len(ends) > 1 else 0
        nearest = f"; the nearest that works is {most}" if most else ""
        raise UserError(
            f"{where}: must leave one of the {len(sizes)} groups to train on, got {size} of {len(ids)} rows{nearest}"
        )
    return ids[np.argsort(place[index], kind="stable")], cut


def checked(train: Array, test: Array, group: Array | None, task: TaskPlan) -> tuple[Array, Array]:
    """Return the ids of a source's own splits, ``train`` and ``test``, which share no ``group``.

    Raises:
        UserError: naming the first group that is in both.
    """
    both = np.empty(0) if group is None else np.intersect1d(group[train], group[test])
    if len(both):
        key = f"params.yaml: tasks.{task.name}.columns.group"
        raise UserError(
            f"{key}: {len(both)} groups are in both splits of the source, the first of them {str(both[0])!r}; put all "
            "rows into one file and set 'test', or leave the key out"
        )
    return train, test


def validation(train: Array, size: int, group: Array, task: TaskPlan, rng: np.random.Generator) -> tuple[Array, Array]:
    """Return the ids of ``train`` that are left, in a random order, and those of whole groups to judge by, in order."""
    order, cut = drawn(train, size, group, rng, f"params.yaml: tasks.{task.name}.validation")
    return rng.permutation(order[cut:]), np.sort(order[:cut])
