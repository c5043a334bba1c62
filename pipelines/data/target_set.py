"""Splits of a task with a target set: a large pool and few target rows."""

from __future__ import annotations

import numpy as np

from components.arrays import Array, count_of
from components.rng import stream
from pipelines.config.plans import TaskPlan
from pipelines.config.schema.regimes import TargetSet
from pipelines.core.errors import UserError
from pipelines.data.manifest import TargetSetFacts
from pipelines.sources.raw import Raw


def split(raw: Raw, kept: Array, option: TargetSet, task: TaskPlan) -> tuple[Array, Array]:
    """Return the ids of the training split, target set included, and of the test split.

    With a domain the test split has that domain only. ``limit`` applies to the pool; ``validation`` is a part of the target
    set that replaces the test split.

    Raises:
        UserError: if there are too few rows.
    """
    assert raw.aimed is not None
    aimed, pool = kept[raw.aimed[kept]], kept[~raw.aimed[kept]]
    tested = np.zeros(len(raw.aimed), bool) if raw.tested is None else raw.tested
    if option.rows is None:
        test, target = _own_test(pool, tested, task), aimed
        pool = np.setdiff1d(pool, test)
        pool = pool[~tested[pool]]
    else:
        test, rest = _of_domain(aimed, tested, task)
        pool = pool[~tested[pool]]
        if option.rows > len(rest):
            where = f"params.yaml: tasks.{task.name}.target.rows"
            raise UserError(
                f"{where}: must be at most the {len(rest)} that the test split leaves of {option.domain!r}, got {option.rows}"
            )
        target = np.sort(stream(option.seed, "target").permutation(rest)[: option.rows])
    if not len(pool):
        raise UserError(f"params.yaml: tasks.{task.name}.target: leaves no row for the pool to draw from")
    if task.validation is not None:
        shuffled = stream(task.seed, "validation").permutation(target)
        size = count_of(task.validation, len(target))
        test, target = np.sort(shuffled[:size]), np.sort(shuffled[size:])
    if task.limit is not None:
        most = task.limit if isinstance(task.limit, int) else count_of(task.limit, len(pool))
        pool = np.sort(stream(task.seed, "limit").permutation(pool)[:most])
    return np.sort(np.concatenate([pool, target])), test


def target_set_facts(aimed: Array, option: TargetSet, task: TaskPlan) -> TargetSetFacts:
    """Return the metadata of a target set; ``aimed`` ``(N,)`` bool marks its rows in training.

    Raises:
        UserError: if dropped leaks leave no row of the pool or the target set.
    """
    target_rows, pool_rows = int(aimed.sum()), int((~aimed).sum())
    if not (target_rows and pool_rows):
        which = "pool" if target_rows else "target set"
        raise UserError(f"params.yaml: tasks.{task.name}.leaks: 'drop' leaves no row of the {which}: all are in the test split")
    return TargetSetFacts(**option.model_dump(), target_rows=target_rows, pool_rows=pool_rows)


def _own_test(pool: Array, tested: Array, task: TaskPlan) -> Array:
    """Return the source's own test split, or a random part of the pool."""
    own = pool[tested[pool]]
    return own if len(own) else _cut(pool, task)


def _of_domain(aimed: Array, tested: Array, task: TaskPlan) -> tuple[Array, Array]:
    """Return the domain's test rows, and its other rows."""
    own = aimed[tested[aimed]]
    test = own if len(own) else _cut(aimed, task)
    return test, np.setdiff1d(aimed[~tested[aimed]], test)


def _cut(rows: Array, task: TaskPlan) -> Array:
    where = f"params.yaml: tasks.{task.name}.test"
    if task.test is None:
        raise UserError(f"{where}: the source has no test split of it; set a number of rows, or 0.1")
    size = task.test if isinstance(task.test, int) else count_of(task.test, len(rows))
    if size >= len(rows):
        raise UserError(f"{where}: must be under the {len(rows)} rows that it is drawn from, got {size}")
    return np.sort(stream(task.seed, "split").permutation(rows)[:size])
