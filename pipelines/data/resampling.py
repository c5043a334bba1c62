"""Resampled training splits: long tails and duplicates.

A task asks for them by ``long_tail`` and ``duplicates``. In this order: the split is cut, ``limit`` draws from it, the tail
is cut, copies take the place of rows, and labels become wrong; so a copy may have another label than its original.
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
    """A training split of N rows, copies among them.

    Attributes:
        kept: ``(N - K,)`` ids of the rows that stay, in order.
        of: ``(K,)`` the id that each copy is of, the first copies before the second ones.
        turn: ``(K,)`` which copy of it this is, from 1.
    """

    kept: Array
    of: Array
    turn: Array

    def ids(self, total: int) -> Array:
        """Return the ids for life ``(N,)``: that of the n-th copy of i is i + n * ``total``, the rows of the whole source."""
        return np.concatenate([self.kept, self.of + self.turn * total])


@dataclass(frozen=True)
class Resampled:
    """A task's rows with the regimes that it asks for.

    Attributes:
        raw: with a row for every copy, behind those of the source.
        target: of the same rows.
        train: ``(N,)`` places in ``raw`` of the training split's rows.
        ids: ``(N,)`` their ids for life.
        copies: which of them are copies.
        long_tail: what the manifest says of it; None where the task asks for none.
        duplicates: the same of them.
    """

    raw: Raw
    target: Target
    train: Array
    ids: Array
    copies: Copies
    long_tail: LongTailFacts | None
    duplicates: DuplicatesFacts | None


def make(raw: Raw, target: Target, train: Array, task: TaskPlan) -> Resampled:
    """Return the rows of a task whose training split was ``train``, by id.

    Raises:
        UserError: for what the split is too small for.
    """
    train, tail = long_tail(train, target.value, task)
    copies, doubled = duplicates(train, target.value if target.names is not None else None, task)
    total, ids = len(target.value), copies.ids(len(target.value))
    if doubled is not None:
        rng = stream(doubled.seed, "near duplicates")
        raw = added_copies.added(raw, copies.of, task, rng if doubled.near else None)
        target = replace(target, value=np.concatenate([target.value, target.value[copies.of]]))
    rows = np.concatenate([copies.kept, total + np.arange(len(copies.of))])
    return Resampled(raw, target, rows, ids, copies, tail, doubled)


def with_copy_column(split: pa.Table, copies: Copies) -> pa.Table:
    """Return the training split with a column ``copy_of``: the id that a row is a copy of, null for an original.

    Without copies there is no such column.
    """
    if not len(copies.of):
        return split
    ids = np.concatenate([np.zeros_like(copies.kept), copies.of])
    return split.append_column("copy_of", pa.array(ids, mask=np.arange(len(ids)) < len(copies.kept)))


def profile(sizes: Array, ratio: float) -> Array:
    """Return the class sizes ``(C,)`` of a long tail: n_max * ratio^(-c / (C - 1)), c the place by size, then by class.

    This is the exponential profile of Cui et al. (arXiv 1901.05555, section 5.1), whose largest class is ``ratio`` times the
    smallest. A class that has fewer keeps what it has, and none is left with nothing.
    """
    order = np.argsort(-sizes, kind="stable")
    wanted = np.empty(len(sizes), np.int64)
    wanted[order] = np.round(sizes.max() * ratio ** (-np.arange(len(sizes)) / (len(sizes) - 1)))
    return np.minimum(sizes, np.maximum(wanted, 1))


def long_tail(train: Array, target: Array, task: TaskPlan) -> tuple[Array, LongTailFacts | None]:
    """Return the ids of ``train`` that the task's ``long_tail`` leaves, drawn at random, and what the manifest says of it.

    Args:
        train: ids, in order.
        target: ``(N,)`` classes of all rows, by id.
        task: as planned.
    """
    if (asked := task.long_tail) is None:
        return train, None
    classes, index = np.unique(target[train], return_inverse=True)
    left = profile(np.bincount(index), asked.ratio)
    drawn = stream(asked.seed, "long tail").permutation(len(train))
    kept = np.concatenate([drawn[index[drawn] == c][:n] for c, n in zip(range(len(classes)), left, strict=True)])
    made = LongTailFacts(**asked.model_dump(), sizes=left.tolist(), dropped=len(train) - len(kept))
    return train[np.sort(kept)], made


def duplicates(train: Array, target: Array | None, task: TaskPlan) -> tuple[Copies, DuplicatesFacts | None]:
    """Return which of ``train`` stay and which are copied, as the task's ``duplicates`` says, and what the manifest says of it.

    The size stays. Rows are copied equally often, but for a remainder that is drawn: half duplicates are half of the rows,
    each twice. One row of every class stays.

    Args:
        train: ids, in order.
        target: ``(N,)`` classes of all rows, by id; None where an example has none.
        task: as planned.

    Raises:
        UserError: where more would be copies than can be.
    """
    none = np.empty(0, np.int64)
    if (asked := task.duplicates) is None:
        return Copies(train, none, none), None
    count, where = count_of(asked.fraction, len(train)), f"params.yaml: tasks.{task.name}.duplicates.fraction"
    rng = stream(asked.seed, "duplicates")
    drawn = rng.permutation(train)
    first = np.sort(np.unique(target[drawn], return_index=True)[1]) if target is not None else np.arange(1)
    if count > (most := len(train) - len(first)):
        least = "one row of each class" if target is not None else "one row"
        raise UserError(
            f"{where}: must leave {least}, {len(first)} of {len(train)}, got {asked.fraction}; the nearest that works is "
            f"{np.floor(most / len(train) * 1e4) / 1e4:g}"
        )
    kept = np.concatenate([drawn[first], np.delete(drawn, first)])[: len(train) - count]
    whole, rest = divmod(count, len(kept))
    kept = np.sort(kept)
    of = np.concatenate([np.tile(kept, whole), np.sort(rng.permutation(kept)[:rest])])
    turn = np.repeat(np.arange(whole + 1) + 1, [len(kept)] * whole + [rest])
    return Copies(kept, of, turn), DuplicatesFacts(**asked.model_dump(), copies=count, originals=len(kept))
