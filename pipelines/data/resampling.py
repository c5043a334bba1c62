"""Resampled training splits: long tails and duplicates.

A task sets ``long_tail`` and ``duplicates``. The order is: split, ``limit``, long tail, copies in place of rows, label
noise; so a copy may have another label than its original.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from components.arrays import Array, count_of
from components.rng import stream
from pipelines.config.plans import TaskPlan
from pipelines.core.errors import UserError
from pipelines.data import added_copies
from pipelines.data.manifest import DuplicatesFacts, LongTailFacts
from pipelines.data.targets import Target
from pipelines.sources.raw import Raw


@dataclass(frozen=True)
class Copies:
    """A training split of N rows, K of them copies.

    Attributes:
        kept: ``(N - K,)`` ids of the rows that stay, in order.
        of: ``(K,)`` id of each copy's original, all first copies before all second ones.
        turn: ``(K,)`` number of the copy among those of its original, from 1.
    """

    kept: Array
    of: Array
    turn: Array

    def ids(self, total: int) -> Array:
        """Return the permanent ids ``(N,)``; the n-th copy of i has i + n * ``total`` (source rows)."""
        return np.concatenate([self.kept, self.of + self.turn * total])


@dataclass(frozen=True)
class Resampled:
    """A task's rows after its regimes.

    Attributes:
        raw: the source's rows, with the copies appended.
        target: of the same rows.
        train: ``(N,)`` positions in ``raw`` of the training split's rows.
        ids: ``(N,)`` their permanent ids.
        copies: which of them are copies.
        long_tail: its metadata; None if the task has none.
        duplicates: their metadata; None if the task has none.
    """

    raw: Raw
    target: Target
    train: Array
    ids: Array
    copies: Copies
    long_tail: LongTailFacts | None
    duplicates: DuplicatesFacts | None


def make(raw: Raw, target: Target, train: Array, task: TaskPlan) -> Resampled:
    """Return the rows of a task after its regimes are applied to the ids ``train``.

    Raises:
        UserError: if the split is too small for a regime.
    """
    train, tail = long_tail(train, target.value, task)
    copies, doubled = duplicates(train, target.classes, task)
    total, ids = len(target.value), copies.ids(len(target.value))
    if doubled is not None:
        rng = stream(doubled.seed, "near duplicates")
        raw = added_copies.added(raw, copies.of, task, rng if doubled.near else None)
        target = replace(target, value=np.concatenate([target.value, target.value[copies.of]]))
    rows = np.concatenate([copies.kept, total + np.arange(len(copies.of))])
    return Resampled(raw, target, rows, ids, copies, tail, doubled)


def with_copy_column(split: pa.Table, copies: Copies) -> pa.Table:
    """Return the training split with a column ``copy_of``: the original's id, null for an original.

    Without copies the column is not added.
    """
    if not len(copies.of):
        return split
    ids = np.concatenate([np.zeros_like(copies.kept), copies.of])
    return split.append_column("copy_of", pa.array(ids, mask=np.arange(len(ids)) < len(copies.kept)))


def profile(sizes: Array, ratio: float) -> Array:
    """Return the class sizes ``(C,)`` of a long tail.

    They are n_max * ratio^(-c / (C - 1)), c the rank by size, then by class: the exponential profile of Cui et al. (arXiv
    1901.05555, section 5.1), whose largest class is ``ratio`` times the smallest. A class with fewer rows keeps all of them,
    and every class keeps at least one.
    """
    order = np.argsort(-sizes, kind="stable")
    wanted = np.empty(len(sizes), np.int64)
    wanted[order] = np.round(sizes.max() * ratio ** (-np.arange(len(sizes)) / (len(sizes) - 1)))
    return np.minimum(sizes, np.maximum(wanted, 1))


def long_tail(train: Array, target: Array, task: TaskPlan) -> tuple[Array, LongTailFacts | None]:
    """Return the ids of ``train`` after the task's ``long_tail``, a random draw, and its metadata.

    Args:
        train: ids, in order.
        target: ``(N,)`` classes of all rows, by id.
        task: as planned.
    """
    if (option := task.long_tail) is None:
        return train, None
    classes, index = np.unique(target[train], return_inverse=True)
    left = profile(np.bincount(index), option.ratio)
    drawn = stream(option.seed, "long tail").permutation(len(train))
    kept = np.concatenate([drawn[index[drawn] == c][:n] for c, n in zip(range(len(classes)), left, strict=True)])
    made = LongTailFacts(**option.model_dump(), sizes=left.tolist(), dropped=len(train) - len(kept))
    return train[np.sort(kept)], made


def duplicates(train: Array, target: Array | None, task: TaskPlan) -> tuple[Copies, DuplicatesFacts | None]:
    """Return the kept and copied rows of ``train`` by the task's ``duplicates``, and their metadata.

    The size stays. Rows are copied equally often, except for a random remainder: with a fraction of 0.5, half of the rows
    appear twice each. One row of every class stays.

    Args:
        train: ids, in order.
        target: ``(N,)`` classes of all rows, by id; None without classes.
        task: as planned.

    Raises:
        UserError: if the fraction leaves too few originals.
    """
    none = np.empty(0, np.int64)
    if (option := task.duplicates) is None:
        return Copies(train, none, none), None
    count, where = count_of(option.fraction, len(train)), f"params.yaml: tasks.{task.name}.duplicates.fraction"
    rng = stream(option.seed, "duplicates")
    drawn = rng.permutation(train)
    first = np.sort(np.unique(target[drawn], return_index=True)[1]) if target is not None else np.arange(1)
    if count > (most := len(train) - len(first)):
        least = "one row of each class" if target is not None else "one row"
        raise UserError(
            f"{where}: must leave {least}, {len(first)} of {len(train)}, got {option.fraction}; the nearest that works is "
            f"{np.floor(most / len(train) * 1e4) / 1e4:g}"
        )
    kept = np.concatenate([drawn[first], np.delete(drawn, first)])[: len(train) - count]
    whole, rest = divmod(count, len(kept))
    kept = np.sort(kept)
    of = np.concatenate([np.tile(kept, whole), np.sort(rng.permutation(kept)[:rest])])
    turn = np.repeat(np.arange(whole + 1) + 1, [len(kept)] * whole + [rest])
    return Copies(kept, of, turn), DuplicatesFacts(**option.model_dump(), copies=count, originals=len(kept))
